"""Windows of voice into words: encode once, find the language, decode, align."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from zhufeng.base import batched
from zhufeng.corpus.speech._languages import Evidence, doubts, settled
from zhufeng.corpus.speech._voice import RATE_HZ, Stretch
from zhufeng.corpus.speech._whisper import SAMPLES_PER_STATE, Hypothesis, Timed, Whisper
from zhufeng.corpus.speech._windows import Window, window

if TYPE_CHECKING:
    from zhufeng.corpus.speech._voice import Samples
    from zhufeng.corpus.speech._whisper import States

# Decoding waits for memory more than it computes: windows decoded together share the reading of
# the weights.
_TOGETHER = 8
# Where Whisper itself takes a window for failed: Radford et al. 2022, section 4.5.
_LOGPROB, _COMPRESSION, _NO_SPEECH = -1.0, 2.4, 0.6
_LAST_BEAM = 5
_ASKED_FROM_S = 0.5
_UNHEARD_S = 0.8
_ROUNDS = 3
_ENGLISH = "en"


@dataclass(frozen=True)
class Recognised:
    """A window's words."""

    window: Window
    language: str
    hypothesis: Hypothesis
    words: tuple[Timed, ...]


@dataclass(frozen=True)
class _Encoded:
    window: Window
    states: States
    language: str


def recognised(
    whisper: Whisper, samples: Samples, windows: Sequence[Window], language: str | None, beam: int
) -> list[Recognised]:
    """What is said in the windows, in time order; windows in which nothing is said are left out.

    Args:
        whisper: the model.
        samples: the sound of the span.
        windows: in time order.
        language: the only one spoken; else a window with more than one becomes more windows.
        beam: hypotheses kept in decoding.
    """
    encoded, others = _in_their_languages(whisper, samples, windows, language)
    heard = _all_texts(whisper, samples, encoded, beam)
    for code in others:
        tried = [replace(one, language=code) for one in encoded]
        heard = max(heard, _all_texts(whisper, samples, tried, beam), key=_likelihood)
    found = list(heard)
    for _ in range(_ROUNDS):
        unheard = [
            (window(run, len(samples)), one.language) for one in heard for run in _unheard(one)
        ]
        heard = _all_texts(whisper, samples, _in_language(whisper, samples, unheard), beam)
        found += heard
    return sorted(found, key=lambda one: one.window.stretches[0].begin)


def _all_texts(
    whisper: Whisper, samples: Samples, encoded: Sequence[_Encoded], beam: int
) -> list[Recognised]:
    return [one for group in _alike(encoded) for one in _texts(whisper, samples, group, beam)]


def _likelihood(heard: Sequence[Recognised]) -> float:
    """Mean logarithm of the probability of a token."""
    tokens = sum(len(one.hypothesis.tokens) for one in heard)
    logprob = sum(one.hypothesis.avg_logprob * len(one.hypothesis.tokens) for one in heard)
    return logprob / tokens if tokens else -math.inf


def _unheard(one: Recognised) -> Iterator[list[Stretch]]:
    """Runs of stretches without a word: after a pause Whisper may take the window for ended."""
    heard = {one.window.nearest(word.middle_s * RATE_HZ) for word in one.words}
    for is_heard, run in groupby(one.window.stretches, key=lambda stretch: stretch in heard):
        stretches = list(run)
        voiced = sum(stretch.end - stretch.begin for stretch in stretches)
        if not is_heard and voiced >= _UNHEARD_S * RATE_HZ:
            yield stretches


def _in_their_languages(
    whisper: Whisper, samples: Samples, windows: Sequence[Window], language: str | None
) -> tuple[list[_Encoded], list[str]]:
    """The windows in their languages, and other languages that all may be in as well."""
    states = _encoded(whisper, samples, windows)
    if language is not None or not whisper.multilingual:
        return [_Encoded(one, states[one], language or _ENGLISH) for one in windows], []
    evidence = [
        _evidence(whisper, one, states[one], stretch)
        for one in windows
        for stretch in one.stretches
    ]
    codes = iter(settled(evidence, _ENGLISH))
    whole: list[_Encoded] = []
    parts: list[tuple[Window, str]] = []
    for one in windows:
        runs = _runs(one, codes)
        if len(runs) == 1:
            whole.append(_Encoded(one, states[one], runs[0][1]))
        else:
            parts += [(window(run, len(samples)), code) for run, code in runs]
    return whole + _in_language(whisper, samples, parts), doubts(evidence, _ENGLISH)


def _in_language(
    whisper: Whisper, samples: Samples, windows: Sequence[tuple[Window, str]]
) -> list[_Encoded]:
    states = _encoded(whisper, samples, [one for one, _ in windows])
    return [_Encoded(one, states[one], code) for one, code in windows]


def _evidence(whisper: Whisper, one: Window, states: States, stretch: Stretch) -> Evidence:
    t0, t1 = stretch.begin / RATE_HZ, stretch.end / RATE_HZ
    begin, end = (sample // SAMPLES_PER_STATE for sample in one.inside(stretch))
    asked = t1 - t0 >= _ASKED_FROM_S
    return Evidence(
        t0=t0, t1=t1, probabilities=whisper.languages(states[begin:end]) if asked else {}
    )


def _runs(one: Window, codes: Iterator[str]) -> list[tuple[list[Stretch], str]]:
    """Its stretches by language; takes as many of `codes` as it has stretches."""
    labelled = [(stretch, next(codes)) for stretch in one.stretches]
    return [
        ([stretch for stretch, _ in run], code)
        for code, run in groupby(labelled, key=lambda pair: pair[1])
    ]


def _encoded(whisper: Whisper, samples: Samples, windows: Sequence[Window]) -> dict[Window, States]:
    """Windows of like length are encoded at one length, so that they can be decoded together."""
    states: dict[Window, States] = {}
    ordered = sorted(windows, key=lambda one: (one.length, one.stretches[0].begin))
    for group in batched(ordered, _TOGETHER):
        sounds = [one.samples(samples) for one in group]
        states.update(zip(group, whisper.encode(sounds), strict=True))
    return states


def _alike(encoded: Sequence[_Encoded]) -> Iterator[list[_Encoded]]:
    """Groups that can be decoded together: one language, one length."""

    def kind(one: _Encoded) -> tuple[str, int]:
        return one.language, len(one.states)

    ordered = sorted(
        encoded, key=lambda one: (*kind(one), one.window.length, one.window.stretches[0].begin)
    )
    for _, alike in groupby(ordered, key=kind):
        yield from batched(list(alike), _TOGETHER)


def _texts(
    whisper: Whisper, samples: Samples, group: Sequence[_Encoded], beam: int
) -> Iterable[Recognised]:
    language = group[0].language
    hypotheses = whisper.decode([one.states for one in group], language, beam)
    good: list[tuple[_Encoded, Hypothesis]] = []
    for one, hypothesis in zip(group, hypotheses, strict=True):
        if _poor(hypothesis):
            again = _once_more(whisper, samples, one, hypothesis)
            if again is not None:
                yield from _aligned(whisper, [again])
        elif hypothesis.tokens:
            good.append((one, hypothesis))
    if good:
        yield from _aligned(whisper, good)


def _poor(hypothesis: Hypothesis) -> bool:
    return hypothesis.avg_logprob < _LOGPROB or hypothesis.compression_ratio > _COMPRESSION


def _once_more(
    whisper: Whisper, samples: Samples, one: _Encoded, first: Hypothesis
) -> tuple[_Encoded, Hypothesis] | None:
    """The better of `first` and a second, dearer hypothesis; None for what is no speech."""
    if _silent(first):
        return None
    (states,) = whisper.encode([one.window.samples(samples)], full=True)
    (second,) = whisper.decode([states], one.language, _LAST_BEAM)
    if _silent(second):
        return None
    if (_poor(second), -second.avg_logprob) > (_poor(first), -first.avg_logprob):
        return one, first
    return (_Encoded(one.window, states, one.language), second) if second.tokens else None


def _silent(hypothesis: Hypothesis) -> bool:
    return hypothesis.no_speech_prob > _NO_SPEECH and hypothesis.avg_logprob < _LOGPROB


def _aligned(
    whisper: Whisper, group: Sequence[tuple[_Encoded, Hypothesis]]
) -> Iterator[Recognised]:
    encoded = [one for one, _ in group]
    hypotheses = [hypothesis for _, hypothesis in group]
    lengths = [one.window.length for one in encoded]
    language = encoded[0].language
    words = whisper.align([one.states for one in encoded], hypotheses, lengths, language)
    for one, hypothesis, timed in zip(encoded, hypotheses, words, strict=True):
        yield Recognised(one.window, language, hypothesis, tuple(timed))
