"""Words of windows into utterances: about a sentence each, timed by voice."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from zhufeng.corpus._parts import Utterance, Word
from zhufeng.corpus.speech._recognise import Recognised
from zhufeng.corpus.speech._voice import RATE_HZ
from zhufeng.corpus.speech._whisper import Timed
from zhufeng.corpus.speech._windows import Window

_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
_PAUSE_S = 0.6
_LONGEST_S = 15.0
# The detector hears voice some milliseconds late, and lets go of it so.
_SLACK = int(0.06 * RATE_HZ)
_ENDS = tuple(".?!。？！…")
_CLOSING = "\"'”’)]}」』》"
# A full stop that ends no sentence.
_ABBREVIATIONS = frozenset(
    [
        "mr.",
        "mrs.",
        "ms.",
        "dr.",
        "st.",
        "prof.",
        "vs.",
        "e.g.",
        "i.e.",
        "no.",
        "fig.",
        "jr.",
        "sr.",
        "inc.",
        "ltd.",
        "co.",
    ]
)
_SMALLEST_PROB = 1e-6


@dataclass(frozen=True)
class _Said:
    """A word, in samples of the span."""

    begin: float
    end: float
    text: str
    probs: tuple[float, ...]
    of: Recognised


def utterances(found: Sequence[Recognised], t0: float) -> tuple[Utterance, ...]:
    """Utterances in time order.

    Args:
        found: windows in time order.
        t0: time of the span's first sample, in seconds.
    """
    # A window may have been heard within another.
    said = sorted((word for one in found for word in _said(one)), key=lambda word: word.begin)
    return tuple(_utterance(group, t0) for group in _sentences(said))


def _said(one: Recognised) -> Iterator[_Said]:
    earliest = 0.0
    for timed in _with_punctuation(one):
        begin, end = _in_voice(one.window, timed)
        begin = max(begin, earliest)
        earliest = begin
        yield _Said(begin, max(begin, end), timed.text, timed.probs, one)


def _with_punctuation(one: Recognised) -> list[Timed]:
    """Marks that stand alone join the word before them, or the one after where they open."""
    words: list[Timed] = []
    opening: Timed | None = None
    for timed in one.words:
        mark = timed.text.strip()
        if mark and all(unicodedata.category(c)[0] in "PS" for c in mark) and mark not in "$%&+=":
            if unicodedata.category(mark[0]) in {"Ps", "Pi"} or not words:
                opening = timed
            else:
                words[-1] = _together(words[-1], timed, words[-1])
            continue
        words.append(_together(opening, timed, timed) if opening else timed)
        opening = None
    return words


def _together(left: Timed, right: Timed, spoken: Timed) -> Timed:
    return replace(spoken, text=left.text + right.text, probs=left.probs + right.probs)


def _in_voice(window: Window, timed: Timed) -> tuple[float, float]:
    """Where the word is in the span: attention enters a word after a pause too early."""
    voiced = window.nearest(timed.middle_s * RATE_HZ)
    floor, ceiling = max(0, voiced.begin - _SLACK), voiced.end + _SLACK
    begin, end = (window.sample(at * RATE_HZ) for at in (timed.begin_s, timed.end_s))
    return min(max(begin, floor), ceiling), max(min(end, ceiling), floor)


def _sentences(said: Sequence[_Said]) -> Iterator[list[_Said]]:
    group: list[_Said] = []
    for word in said:
        if group and _breaks(group, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _breaks(group: Sequence[_Said], word: _Said) -> bool:
    last = group[-1]
    return (
        word.of.language != last.of.language
        or word.begin - last.end > _PAUSE_S * RATE_HZ
        or word.end - group[0].begin > _LONGEST_S * RATE_HZ
        or _ends(last.text, word.text)
    )


def _ends(text: str, following: str) -> bool:
    bare = text.strip().rstrip(_CLOSING)
    if bare.lower() in _ABBREVIATIONS or not bare.endswith(_ENDS):
        return False
    # "0.3" and "e.g." come in parts: a sentence begins with a space where words have any.
    return following[:1] == " " or not bare.endswith(".")


def _utterance(group: Sequence[_Said], t0: float) -> Utterance:
    probs = [max(prob, _SMALLEST_PROB) for word in group for prob in word.probs]
    windows = [word.of.hypothesis for word in group]
    return Utterance(
        t0=_seconds(group[0].begin, t0),
        t1=_seconds(max(word.end for word in group), t0),
        text=_text(group),
        words=tuple(
            Word(
                t0=_seconds(word.begin, t0),
                t1=_seconds(word.end, t0),
                text=word.text,
                prob=round(sum(word.probs) / len(word.probs), 4),
            )
            for word in group
        ),
        lang=group[0].of.language,
        avg_logprob=round(sum(map(math.log, probs)) / len(probs), 4),
        no_speech_prob=round(max(window.no_speech_prob for window in windows), 4),
        compression_ratio=round(max(window.compression_ratio for window in windows), 4),
    )


def _text(group: Sequence[_Said]) -> str:
    parts = [group[0].text]
    for before, word in pairwise(group):
        # Windows begin without the space that stands between words.
        cut = word.of is not before.of and word.of.language not in _UNSPACED
        parts.append(f" {word.text.lstrip()}" if cut else word.text)
    return "".join(parts).strip()


def _seconds(sample: float, t0: float) -> float:
    return round(t0 + sample / RATE_HZ, 3)
