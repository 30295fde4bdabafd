"""The union of tokenizers: one that has the tokens of all, and is the base's in all else.

Tokens of the base keep their ids; the others' follow, source by source in the order given, by
ascending id. A token of another source is the base's token if both stand for the same bytes, or
are added tokens of one content; then the base's switches hold. Normalizer, pre-tokenizer,
post-processor, decoder and the treatment of unknown text are the base's.

- BPE: the base's merges come first, then each source's that are new, in their order. So a text
  is first cut as the base cuts it, and then joined further: every boundary of the united
  encoding is one of the base's.
- Unigram: every source's scores stand as they are; of a shared piece, the base's.
- WordPiece: the characters of new tokens become tokens too, so that taking the longest piece
  never ends in a word that cannot be cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from zhufeng.base import InputError
from zhufeng.fusion.vocabulary._read import Vocabulary, load_tokenizer


@dataclass(frozen=True)
class United:
    """One tokenizer for several models."""

    base: Vocabulary
    sources: tuple[Vocabulary, ...]
    """The base among them."""
    data: Mapping[str, Any]
    """The table of its ``tokenizer.json``; the base's own where it has all tokens already."""
    ids: Mapping[str, int]
    """Every token in the base's spelling, by ascending id."""
    added: frozenset[str]
    """Those that are added tokens."""

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return max(self.ids.values()) + 1

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The library's form, without truncation, padding and dropout."""
        return load_tokenizer(self.data, "the united tokenizer")

    def of(self, source: Vocabulary) -> NDArray[np.int64]:
        """The united id of each id of a source, shape (its size,); -1 for a token left out: one
        that the base's form of token cannot spell, or an id without a token.
        """
        given = np.full(source.size, -1, np.int64)
        for token, i in source.ids.items():
            united = translated(token, source, self.base)
            given[i] = -1 if united is None else self.ids.get(united, -1)
        return given

    def token_in(self, token: str, source: Vocabulary) -> int | None:
        """The id that a source itself has for a united token; None where it has none."""
        if token in self.added or alike(source, self.base):
            return source.ids.get(token)
        own = source.by_bytes.get(self.base.spelling.stands_for(token))
        return None if own is None else source.ids[own]

    def stands_for(self, token: str) -> bytes:
        """The bytes of text that a united token stands for."""
        return token.encode() if token in self.added else self.base.spelling.stands_for(token)


def unite_tokenizers(sources: Sequence[Vocabulary], base: int = 0) -> United:
    """The union of tokenizers.

    Args:
        sources: one or more, in the order in which their tokens follow the base's.
        base: which of them is the base.

    Raises:
        InputError: they are of different kinds, and no tokenizer has the tokens of all.
    """
    first = sources[base]
    ids, added = dict(first.ids), dict(first.added)
    others = [source for i, source in enumerate(sources) if i != base]
    merges: dict[tuple[str, str], None] = {}
    for source in others:
        _check_kind(first, source)
        for token in _new_tokens(source, first):
            ids.setdefault(token, _next(ids))
        added |= {token: entry for token, entry in source.added.items() if token not in added}
    if first.kind == "BPE":
        merges = _merges(first, others, ids)
    if first.kind == "WordPiece":
        _close(first, ids, frozenset(added))
    same = ids.keys() == first.ids.keys()
    data = (
        first.data
        if same and not _grown(first, merges, added)
        else _table(first, others, ids, added, merges)
    )
    return United(first, tuple(sources), data, ids, frozenset(added))


def alike(one: Vocabulary, other: Vocabulary) -> bool:
    """Whether both spell tokens in the same way, so that equal texts are equal tokens."""
    return one.spelling == other.spelling


def translated(token: str, source: Vocabulary, base: Vocabulary) -> str | None:
    """A source's token in the base's spelling; None where that has no such token."""
    if alike(source, base) or token in source.added:
        return token
    text = source.spelling.stands_for(token)
    return base.by_bytes.get(text) or base.spelling.spell(text)


def _check_kind(base: Vocabulary, source: Vocabulary) -> None:
    prefix = "continuing_subword_prefix"
    one, two = base.data["model"], source.data["model"]
    if base.kind != source.kind or one.get(prefix) != two.get(prefix):
        raise InputError(
            f"{source.where} cannot be united with {base.where}",
            expected=f"a tokenizer of the same kind: {base.kind}",
            came=source.kind if base.kind != source.kind else f"another {prefix}",
            do="let the models answer together (mix): that needs no common tokenizer",
        )


def _next(ids: dict[str, int]) -> int:
    return ids[next(reversed(ids))] + 1  # by ascending id: the last is the largest


def _new_tokens(source: Vocabulary, base: Vocabulary) -> Iterator[str]:
    for token in source.ids:
        united = translated(token, source, base)
        if united is not None:
            yield united


def _merges(
    base: Vocabulary, others: Sequence[Vocabulary], ids: dict[str, int]
) -> dict[tuple[str, str], None]:
    """All merges in their order; `ids` gains what joins a character from its bytes."""
    merges = dict.fromkeys(base.merges())
    for source in others:
        if base.spelling.byte_level and not source.spelling.byte_level:
            _join_characters(source, base, ids, merges)
        for pair in source.merges():
            left, right = (translated(part, source, base) for part in pair)
            if left in ids and right in ids and f"{left}{right}" in ids:
                merges.setdefault((str(left), str(right)))
    return merges


def _join_characters(
    source: Vocabulary,
    base: Vocabulary,
    ids: dict[str, int],
    merges: dict[tuple[str, str], None],
) -> None:
    """Join from bytes, left to right, the characters with which another source's merges begin."""
    made = {left + right for left, right in merges}
    for token in source.ids:
        spelt = translated(token, source, base)
        if len(token) > 1 or token in source.added or spelt is None or spelt in made:
            continue
        for end in range(2, len(spelt) + 1):
            joined = spelt[:end]
            ids.setdefault(joined, _next(ids))
            if joined not in made:
                merges.setdefault((joined[:-1], joined[-1]))
                made.add(joined)


def _close(base: Vocabulary, ids: dict[str, int], added: frozenset[str]) -> None:
    """Make every character of a token a token, at the start of a word and inside it."""
    prefix = str(base.data["model"].get("continuing_subword_prefix", ""))
    grown = [token for token in ids if token not in base.ids and token not in added]
    for token in grown:
        for character in token.removeprefix(prefix):
            ids.setdefault(character, _next(ids))
            ids.setdefault(prefix + character, _next(ids))


def _grown(
    base: Vocabulary, merges: Mapping[tuple[str, str], None], added: Mapping[str, Any]
) -> bool:
    """Whether anything but tokens has come to the base."""
    more = base.kind == "BPE" and len(merges) > len(set(base.merges()))
    return more or added.keys() != base.added.keys()


def _table(
    base: Vocabulary,
    others: Sequence[Vocabulary],
    ids: Mapping[str, int],
    added: Mapping[str, Mapping[str, Any]],
    merges: Mapping[tuple[str, str], None],
) -> dict[str, Any]:
    """The united ``tokenizer.json``. Added tokens are in the model's vocabulary too: the library
    gives others the ids that follow it, whatever the file says.
    """
    model = dict(base.data["model"])
    if base.kind == "Unigram":
        model["vocab"] = _pieces([base, *others], ids)
    else:
        model["vocab"] = dict(ids)
    if base.kind == "BPE":
        model["merges"] = [list(pair) for pair in merges]
    entries = sorted(
        ({**entry, "id": ids[token]} for token, entry in added.items()),
        key=lambda entry: int(entry["id"]),
    )
    return {**base.data, "added_tokens": entries, "model": model}


def _pieces(sources: Sequence[Vocabulary], ids: Mapping[str, int]) -> list[list[Any]]:
    """Pieces and scores by id; a score is the first source's that has the piece, 0 for an added
    token, which no text is cut into.
    """
    scores: dict[str, float] = {}
    for source in sources:
        for piece, score in source.data["model"]["vocab"]:
            united = translated(piece, source, sources[0])
            if united is not None:
                scores.setdefault(united, score)
    return [[piece, scores.get(piece, 0.0)] for piece in ids]
