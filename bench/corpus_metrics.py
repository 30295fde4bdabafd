"""What is counted in `corpus.py`: errors of words and letters, missed lines, times, known words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

# Han, with its extension A and the compatibility forms.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_EACH_HAN = re.compile(f"([{_HAN}])")
_ANY_WORD = re.compile(f"[{_HAN}]|[^\\W_{_HAN}]{{2,}}")
_BRACKETS = str.maketrans("()[]<>（）【】", " " * 10)  # what stands in them counts too
MISSED = 0.5


@dataclass(frozen=True)
class Line:
    """A text with its time: a cue of the truth, a line read or a stretch of speech."""

    t0: float
    t1: float
    text: str
    said: bool = True
    """False: a cue that stands on the screen and nobody says."""


def edit_distance(found: Sequence[str], truth: Sequence[str]) -> int:
    """Insertions, deletions and substitutions between them (Levenshtein)."""
    row = list(range(len(truth) + 1))
    for number, one in enumerate(found, 1):
        corner, row[0] = row[0], number
        for column, other in enumerate(truth, 1):
            step = min(row[column] + 1, row[column - 1] + 1, corner + (one != other))
            corner, row[column] = row[column], step
    return row[-1]


def error_rate(found: Sequence[str], truth: Sequence[str]) -> float:
    """Edit distance over the truth's length, which is not 0."""
    return edit_distance(found, truth) / len(truth)


@cache
def _normalisers() -> tuple[Any, Any]:
    from opencc import OpenCC  # noqa: PLC0415 (slow to import)
    from transformers.models.whisper.english_normalizer import (  # noqa: PLC0415 (slow to import)
        EnglishTextNormalizer,
    )

    untyped: Any = EnglishTextNormalizer
    return OpenCC("t2s"), untyped({})


def words(text: str) -> list[str]:
    """English words and single Chinese characters, as Whisper's own evaluation normalises.

    Lower case, numbers in digits, contractions in full, traditional characters as simplified,
    no punctuation. British and American spellings stay apart: that table is not at hand.
    """
    simplified, english = _normalisers()
    plain = simplified.convert(text.translate(_BRACKETS))
    return _EACH_HAN.sub(r" \1 ", english(_EACH_HAN.sub(r" \1 ", plain))).split()


def letters(text: str) -> str:
    """NFKC, every run of white space one space; all other characters count."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def known_words(texts: Iterable[str]) -> set[str]:
    """Distinct words: two or more letters and digits, case folded; and Chinese characters."""
    whole = " ".join(unicodedata.normalize("NFKC", text).casefold() for text in texts)
    return set(_ANY_WORD.findall(whole))


def word_error(found: str, truth: str) -> float:
    """Word error of a text: see `words`."""
    return error_rate(words(found), words(truth))


@dataclass(frozen=True)
class Read:
    """How well subtitles were read."""

    error: float
    """Wrong letters over letters, each cue against the best line of its time; a cue that was
    missed counts in full."""
    missed: int
    """Cues against which every line of their time has half of the letters wrong, or more."""
    spurious: int
    """Lines that are the best of no cue: read wrongly, twice, or where nothing stands."""
    start_errors_s: tuple[float, ...]
    """Of the cues that were not missed."""


def read_subtitles(lines: Sequence[Line], cues: Sequence[Line]) -> Read:
    """Compare lines of on-screen text with the cues; neither need be in order."""
    wrong = missed = 0
    starts, used = [], set()
    for cue in cues:
        truth = letters(cue.text)
        near = [n for n, one in enumerate(lines) if one.t0 < cue.t1 and cue.t0 < one.t1]
        errors = {n: edit_distance(letters(lines[n].text), truth) for n in near}
        best = min(near, key=lambda n: (errors[n], abs(lines[n].t0 - cue.t0)), default=None)
        if best is None or errors[best] >= MISSED * len(truth):
            missed += 1
            wrong += len(truth)
            continue
        used.add(best)
        wrong += errors[best]
        starts.append(abs(lines[best].t0 - cue.t0))
    total = sum(len(letters(cue.text)) for cue in cues)
    return Read(wrong / total, missed, len(lines) - len(used), tuple(starts))


def speech_starts(spoken: Sequence[Line], cues: Sequence[Line]) -> tuple[float, ...]:
    """How far stretches of speech begin from the cues with whose first word they begin.

    A stretch is compared with the cue of the least distance among those that begin with the same
    two words and overlap it in time.
    """
    errors = []
    for one in spoken:
        begin = words(one.text)[:2]
        same = [
            abs(one.t0 - cue.t0)
            for cue in cues
            if one.t0 < cue.t1 and cue.t0 < one.t1 and words(cue.text)[:2] == begin
        ]
        if begin and same:
            errors.append(min(same))
    return tuple(errors)


def in_order(lines: Iterable[Line]) -> str:
    """Their texts by time."""
    return "\n".join(one.text for one in sorted(lines, key=lambda one: (one.t0, one.t1)))
