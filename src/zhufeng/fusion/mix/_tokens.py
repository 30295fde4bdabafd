"""A member's tokens: what each spells, and how a chunk is spelt by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from zhufeng.base import InputError, shown
from zhufeng.fusion.mix._chunks import CLASSES, class_starts
from zhufeng.fusion.vocabulary import Vocabulary, read_vocabulary

# A document's end where no file names it, the usual names.
_ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>")
_SPACE = "\u2581"
_SURROGATES = range(0xD800, 0xE000)
_LAST = 0x10FFFF


@dataclass(frozen=True)
class Tokens:
    """The tokens of a member, for chunks."""

    tokenizer: Tokenizer
    """Adds nothing to a text, changes nothing, and knows no special token in it."""
    spelt: tuple[bytes | None, ...]
    """By id, what a token stands for; None for those that never stand in a text."""
    before: tuple[int, ...]
    """The tokens before a text's first."""
    end: int | None
    """The token that ends a text."""
    leads: bool
    """Whether a text's first chunk gets a space more, as the model is used to."""

    def encode(self, chunks: Sequence[str], *, first: bool) -> list[list[int]]:
        """Each chunk's tokens, each chunk by itself; `first`: they begin a text."""
        whole = list(chunks)
        if first and self.leads and whole:
            whole[0] = " " + whole[0]
        return [one.ids for one in self.tokenizer.encode_batch(whole, add_special_tokens=False)]

    def spell(self, ids: Sequence[int]) -> bytes | None:
        """What tokens stand for together; None with one among them that never stands in text."""
        parts = [self.spelt[i] for i in ids]
        return None if None in parts else b"".join(part for part in parts if part is not None)

    def lead(self, *, first: bool) -> bytes:
        """What stands before a chunk's own bytes."""
        return b" " if first and self.leads else b""

    def beginnings(self) -> NDArray[np.float32]:
        """What classes of characters tokens begin with, shape (ids, classes).

        One of a row is 1, where a token begins with a whole character. Where it begins with a
        part of one, the row holds the shares of each class among the code points that it may
        become. Zeros where it begins in the middle of a character, and for those never in text.
        """
        known: dict[bytes, NDArray[np.float32]] = {}
        rows = np.zeros((len(self.spelt), len(CLASSES)), np.float32)
        for row, spelt in zip(rows, self.spelt, strict=True):
            if spelt:
                start = spelt[: _length(spelt[0])]
                if start not in known:
                    known[start] = _classes(start)
                row[:] = known[start]
        return rows


def read_tokens(folder: Path, end: str | None, vocabulary: int) -> Tokens:
    """The tokens of the model in `folder`.

    Args:
        folder: with a tokenizer.json.
        end: the token that ends a text, if not the one that the folder's files name.
        vocabulary: tokens that the decoder knows.

    Raises:
        InputError: no tokenizer, or one that does not fit.
    """
    read = read_vocabulary(folder)
    if read.kind == "WordPiece":
        raise InputError(
            f"{read.where} cannot spell a text",
            expected="BPE or Unigram, whose tokens stand for their own text",
            came="WordPiece, which drops the spaces",
            do="leave this member out",
        )
    if read.size > vocabulary:
        raise InputError(
            f"{read.where} does not fit the decoder",
            expected=f"at most {vocabulary} tokens, as config.json says",
            came=f"{read.size}",
            do="put the tokenizer beside it that it was trained with",
        )
    spelt: list[bytes | None] = [None] * vocabulary
    silent = {read.roles.get("unk")}
    for token, number in read.ids.items():
        special = token in read.added and read.added[token]["special"]
        if not special and number not in silent:
            spelt[number] = read.stands_for(token)
    stops = _end(read, end)
    return Tokens(
        tokenizer=Tokenizer.from_str(json.dumps(_plain(read.data))),
        spelt=tuple(spelt),
        before=_before(read, stops),
        end=stops,
        leads=_leads(read),
    )


def _end(read: Vocabulary, end: str | None) -> int | None:
    if end is not None:
        if end not in read.ids:
            raise InputError(
                f"{read.where} has no token '{shown(end)}'",
                expected="the member's end: a token of its tokenizer",
                came=shown(end),
                do="correct end, or leave it out",
            )
        return read.ids[end]
    usual = [read.ids[name] for name in _ENDS if name in read.ids]
    return read.roles.get("eos", usual[0] if usual else None)


def _before(read: Vocabulary, end: int | None) -> tuple[int, ...]:
    """What the tokenizer itself puts before a text; else the end of another text."""
    encoded = read.tokenizer.encode("a", add_special_tokens=True)
    mask = encoded.special_tokens_mask
    count = mask.index(0) if 0 in mask else 0
    if count:
        return tuple(encoded.ids[:count])
    usual = read.roles.get("bos") if end is None else end
    return () if usual is None else (usual,)


def _leads(read: Vocabulary) -> bool:
    """Whether the tokenizer puts a space before a text."""
    steps = [*_steps(read.data.get("normalizer")), *_steps(read.data.get("pre_tokenizer"))]
    for step in steps:
        if step.get("type") == "Prepend" and step.get("prepend") in (_SPACE, " "):
            return True
        scheme = step.get("prepend_scheme", "always" if step.get("add_prefix_space") else "never")
        if step.get("type") == "Metaspace" and scheme != "never":
            return True
        if step.get("type") == "ByteLevel" and step.get("add_prefix_space") is True:
            return True
    return False


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """A tokenizer's table without all that adds to a text, changes it, or finds commands in it."""
    model = dict(data["model"])
    if model["type"] == "BPE":
        model["dropout"] = None
    spaces = [
        step
        for step in _steps(data.get("normalizer"))
        if step.get("type") == "Replace" and step.get("content") == _SPACE
    ]
    added = [entry for entry in data.get("added_tokens") or () if not entry["special"]]
    return {
        **data,
        "model": model,
        "truncation": None,
        "padding": None,
        "post_processor": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": spaces} if spaces else None,
        "pre_tokenizer": _without_lead(data.get("pre_tokenizer")),
    }


def _without_lead(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    changed = dict(step)
    if "pretokenizers" in step:
        changed["pretokenizers"] = [_without_lead(inner) for inner in step["pretokenizers"]]
    if step.get("type") == "Metaspace":
        changed["prepend_scheme"] = "never"
        changed.pop("add_prefix_space", None)
    elif "add_prefix_space" in step:
        changed["add_prefix_space"] = False
    return changed


def _steps(part: Any) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, those of a sequence one by one."""
    if not isinstance(part, dict):
        return []
    inner = part.get("normalizers") or part.get("pretokenizers")
    return [part] if inner is None else [deep for step in inner for deep in _steps(step)]


def _length(lead: int) -> int:
    """Bytes of a UTF-8 sequence, by its first byte; 1 for one that begins none."""
    return 1 if lead < 0xC2 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 if lead < 0xF5 else 1  # noqa: PLR2004


def _classes(start: bytes) -> NDArray[np.float32]:
    """Shares of the classes among the characters whose UTF-8 begins with `start`."""
    missing = _length(start[0]) - len(start)
    if not 0xC2 <= start[0] < 0xF5 and start[0] >= 0x80:  # noqa: PLR2004 (RFC 3629)
        return np.zeros(len(CLASSES), np.float32)
    least, most = (_point(start + bytes([fill]) * missing) for fill in (0x80, 0xBF))
    floor = (0, 0x80, 0x800, 0x10000)[_length(start[0]) - 1]
    return _shares(max(least, floor), min(most, _LAST))


def _point(sequence: bytes) -> int:
    if len(sequence) == 1:
        return sequence[0]
    point = sequence[0] & (0x7F >> len(sequence))
    for byte in sequence[1:]:
        point = point << 6 | byte & 0x3F
    return point


def _shares(least: int, most: int) -> NDArray[np.float32]:
    starts, classes = class_starts()
    bounds = np.array([*starts, _LAST + 1])
    inside = np.diff(np.clip(bounds, least, most + 1))
    counts = np.zeros(len(CLASSES))
    np.add.at(counts, [CLASSES.index(one) for one in classes], inside)
    halves = len(range(max(least, _SURROGATES.start), min(most + 1, _SURROGATES.stop)))
    counts[CLASSES.index("P")] -= halves
    total = counts.sum()
    return (counts / total if total > 0 else counts).astype(np.float32)
