"""Segments in the order of the text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from zhufeng.corpus.joining._speech import Said
from zhufeng.records import Segment

# What is shown may be seen this much after the sentence about it began.
_LEAD_S = 0.7
# A sentence is not parted for what comes in its midst, unless its end is further than this.
_NEAR_S = 3.0
_PAUSE_S = 0.35
# The recogniser runs sentences together over what it did not hear.
_MISSING_S = 0.8
_ENDS = tuple(".?!。？！…")
_CLOSING = "\"'”’」』）)"
_FLOWS = frozenset({"speech", "subtitle"})

Piece = tuple[Segment, tuple[Said, ...]]


def in_order(segments: Sequence[Segment], spoken: Sequence[Piece]) -> list[Segment]:
    """All segments by time, a slide before what is said about it.

    What is shown comes in where a subtitle, a sentence or a piece after a pause begins; the
    speech is parted there.
    """
    flowing = [one for one in segments if one.kind in _FLOWS]
    shown = [one for one in segments if one.kind not in _FLOWS]
    borders = sorted(
        {one.t0 for one in flowing if one.suppressed_by is None}
        | {t for piece in spoken if piece[0].suppressed_by is None for t in _borders(piece)}
    )
    places = [(_place(one, borders), one) for one in shown]
    cuts = {t for t, one in places if one.suppressed_by is None}
    flowing += [part for piece in spoken for part in _parted(piece, cuts)]
    keyed = [(t, 0, number, one) for number, (t, one) in enumerate(places)]
    keyed += [(one.t0, 1, number, one) for number, one in enumerate(flowing)]
    return [one for _, _, _, one in sorted(keyed, key=lambda item: (item[0], item[1], item[3].t0))]


def _place(one: Segment, borders: Sequence[float]) -> float:
    """The time at which what is shown comes into the text."""
    after = bisect_left(borders, one.t0 - _LEAD_S)
    following = borders[after] if after < len(borders) else float("inf")
    before = borders[after - 1] if after else float("-inf")
    if following - one.t0 > _NEAR_S >= one.t0 - before:
        return before
    return following if following - one.t0 <= _NEAR_S else one.t0


def _borders(piece: Piece) -> Iterable[float]:
    segment, words = piece
    yield segment.t0
    for before, after in pairwise(words):
        pause = after.word.t0 - before.word.t1 >= _PAUSE_S
        if pause or before.word.text.rstrip(_CLOSING).endswith(_ENDS):
            yield after.word.t0


def _parted(piece: Piece, cuts: set[float]) -> list[Segment]:
    """The segment of `piece`, parted at `cuts` and where words are missing."""
    segment, words = piece
    inside = [
        number
        for number in range(1, len(words))
        if words[number].word.t0 in cuts
        or words[number].word.t0 - words[number - 1].word.t1 >= _MISSING_S
    ]
    if segment.suppressed_by is not None or not inside:
        return [segment]
    ends = [0, *inside, len(words)]
    return [part(words[begin:end]) for begin, end in pairwise(ends)]


def part(run: Sequence[Said], reason: str | None = None) -> Segment:
    """Words in a row of one utterance as a segment."""
    return Segment(
        t0=run[0].word.t0,
        t1=max(one.word.t1 for one in run),
        kind="speech",
        text="".join(one.word.text for one in run).strip(),
        conf=sum(one.word.prob for one in run) / len(run),
        suppressed_by=reason,
    )
