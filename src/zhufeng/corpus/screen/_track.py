"""A line of text on the screen, from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zhufeng.corpus.screen._reader import Reading
from zhufeng.corpus.screen._rect import Rect
from zhufeng.corpus.screen._strokes import BRIGHT, DARK, strokes_within, thickened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus.screen._strokes import Luma, Strokes

    Shown = tuple[float, Luma]
    """A moment, in seconds, and the picture then, [h, w]."""

# A line that was missed in so many samples has gone; in more, if it was often found to stay.
_PATIENCE = 2
_MORE_PATIENCE = 4
_READ_AGAIN_S = 0.25
# So far, in pixels of the reduced picture, text may move from one sample to the next; if its
# strokes are found there so much better than where they were, it does.
_LEAST_MOVE, _MOST_MOVE = 3, 24
_BETTER = 1.15
# Of a line's strokes, so many must be there for it to have come.
_CAME = 0.6
# Of a line's strokes, so many must still be there: of the whole, and of each letter's width.
_HOLDS = 0.8
_LETTER_HOLDS = 0.65
# Fewer pixels say nothing.
_TELLS = 8
# New strokes between the old ones, against these, that make another letter of it.
_OTHER = 0.12
_LEAST_LETTER = 8
# Between two frames the truth is in the middle; across a longer hole nobody knows.
_HOLE_S = 0.25


# What a stroke is when it is turned inside out.
_EXCHANGED = np.array([0, DARK, BRIGHT, 0], np.uint8)


class Line:
    """Text at a place, what its strokes are, and since when."""

    def __init__(self, box: Rect, small: Rect, mask: Strokes) -> None:
        """A line that is not read yet.

        Args:
            box: in pixels of the picture.
            small: the same in pixels of the reduced one.
            mask: its strokes, [h, w] at `small`.
        """
        self.box = box
        self.small = small
        self.reading = Reading("", 0.0)
        self.waited = 0
        """For how many samples it has been growing."""
        self.reads = 0
        self.read_at = 0.0
        self.confirmed = 0
        """How often it was read again and said the same."""
        self.t0 = self.t1 = self.last_seen = 0.0
        self.missed = 0
        """In how many of the last samples it was not there."""
        self.stirred = False
        """Whether the picture has changed at its place since it was read."""
        self.since = (0.0, 0)
        """How much of the picture had changed up to its first sample, and samples till then."""
        self.static = True
        self.mask = mask.copy()
        self.first = self.mask
        """All strokes at `small` in the last sample, standing or not, until it is read."""
        self._around = thickened(self.mask)
        # Windows as wide as a letter, each half over the next.
        wide = max(_LEAST_LETTER, small.height // 2)
        self._begins = np.arange(0, max(1, small.width - wide // 2), max(1, wide // 2))
        self._ends = np.minimum(self._begins + wide, small.width)
        self._wanted = self._counts(self.mask)
        self._total = self._wanted.sum(1)

    def redrawn(self, mask: Strokes) -> Line:
        """The same line with other strokes."""
        return Line(self.box, self.small, mask)

    @property
    def strokes(self) -> int:
        """How many pixels its strokes have."""
        return int(np.count_nonzero(self.mask))

    def kept(self, now: Strokes) -> float:
        """The share of its strokes that is there, [h, w] at `small`."""
        return int(np.count_nonzero(now & self.mask)) / max(1, self.strokes)

    def passes(self, now: Strokes) -> bool:
        """Whether what was there when it was found has moved on: a ticker, credits.

        Args:
            now: [h, w], the strokes of the whole reduced picture, one sample later.
        """
        still = _common(now, self.first, self.small)
        moves = [
            _common(now, self.first, self.small.moved(*step))
            for d in range(_LEAST_MOVE, _MOST_MOVE + 1)
            for step in ((d, 0), (-d, 0), (0, d), (0, -d))
        ]
        return max(moves) > _BETTER * still

    def holds(self, now: Strokes) -> bool:
        """Whether its strokes, [h, w] at `small`, are there and none turned inside out."""
        got = self._counts(now & self.mask)
        tells = self._wanted >= _TELLS
        share = np.where(tells, got / np.maximum(self._wanted, 1), 0).max(0)
        if np.any(tells.any(0) & (share < _LETTER_HOLDS)):
            return False
        if _share(got.sum(1), self._total) < _HOLDS:
            return False
        turned = _inside_out(now) & self.mask
        return not self._many(self._counts(turned).sum(0))

    def grew(self, standing: Strokes) -> bool:
        """Whether strokes stand among its own, [h, w] at `small`, that it had not."""
        return self._many(self._counts(standing & ~self._around).sum(0))

    def appeared(self, ring: Sequence[Shown], times: int, before: Iterable[Line]) -> float:
        """When it came, seconds.

        Args:
            ring: the last frames; in the last of them it is there.
            times: how often a picture is halved.
            before: lines that stood here, from which only the strokes that differ tell it.
        """
        telling = self.mask
        for other in before:
            rest = telling & ~other.seen_at(self.small)
            if np.count_nonzero(rest) >= 2 * _TELLS:
                telling = rest
        wanted = _kinds(telling)
        present = ring[-1][0]
        for t, luma in reversed(ring):
            now = strokes_within(luma, times, self.small) & telling
            if _share(_kinds(now), wanted) < _CAME:
                return _between(t, present)
            present = t
        return present

    def vanished(self, ring: Sequence[Shown], times: int) -> float:
        """When it went, seconds: of the last frames, the first in which it does not hold."""
        present = self.last_seen
        for t, luma in ring:
            if t > self.last_seen:
                if not self.holds(strokes_within(luma, times, self.small)):
                    return _between(present, t)
                present = t
        return present

    @property
    def lost(self) -> bool:
        """Whether it has been missed so often that it is taken to have gone."""
        return self.missed >= _PATIENCE + min(self.confirmed, _MORE_PATIENCE)

    def doubted(self, t: float) -> bool:
        """Whether what is new at its place makes it worth being read again.

        Text over a picture that creeps would be read all the time: the more often it was
        confirmed, the longer it is left alone.
        """
        return bool(t - self.read_at >= _READ_AGAIN_S * 2.0**self.confirmed)

    def called(self, calls: Sequence[Rect]) -> bool:
        """Whether one of these, in pixels of the reduced picture, is mostly at its place."""
        return any(2 * call.common(self.small).area > call.area for call in calls)

    def says_the_same(self, other: Line) -> bool:
        """Whether both were read alike but for spaces, marks and capitals."""
        return _plain(self.reading.text) == _plain(other.reading.text)

    def continues(self, other: Line) -> None:
        """It is `other` after all: it has been there since, and is doubted less easily."""
        self.t0 = other.t0
        self.since = other.since
        self.confirmed = other.confirmed + 1
        self.reads += other.reads
        if other.reading.conf > self.reading.conf:
            self.reading = other.reading

    def seen_at(self, where: Rect) -> Strokes:
        """Its strokes and what is next to them, [h, w] at another place."""
        there = np.zeros((where.height, where.width), np.uint8)
        both = where.common(self.small)
        if both.area:
            inside = both.moved(-where.x0, -where.y0)
            inside.of(there)[:] = both.moved(-self.small.x0, -self.small.y0).of(self._around)
        return there

    def overlap(self, other: Rect) -> float:
        """Of the smaller of its box and another, the share that they have in common."""
        return self.box.common(other).area / max(1, min(self.box.area, other.area))

    def _counts(self, part: Strokes) -> NDArray[np.int64]:
        """Bright and dark pixels by letter, [2, letters]."""
        upto = np.zeros((2, part.shape[1] + 1), np.int64)
        for row, kind in zip(upto, (BRIGHT, DARK), strict=True):
            np.cumsum(np.count_nonzero(part & kind, axis=0), out=row[1:])
        return upto[:, self._ends] - upto[:, self._begins]

    def _many(self, pixels: NDArray[np.int64]) -> bool:
        """Whether so many pixels, by letter, make another letter of one."""
        return bool(np.any(pixels > np.maximum(_TELLS, _OTHER * self._wanted.sum(0))))


def _kinds(found: Strokes) -> NDArray[np.int64]:
    """How many pixels are bright and dark, [2]."""
    return np.array([np.count_nonzero(found & kind) for kind in (BRIGHT, DARK)])


def _inside_out(found: Strokes) -> Strokes:
    """Bright where it is dark, and the other way round."""
    return _EXCHANGED[found]


def _share(got: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Of the kind of strokes, [2], that shows more of itself, unless it is but a rest."""
    tells = 3 * wanted >= wanted.max()
    return float((got / np.maximum(wanted, 1))[tells].max())


def _common(now: Strokes, first: Strokes, where: Rect) -> float:
    """Of the strokes of `first`, laid at `where`, the share that is there."""
    inside = where.common(Rect(0, 0, now.shape[1], now.shape[0]))
    part = inside.moved(-where.x0, -where.y0).of(first)
    there = int(np.count_nonzero(inside.of(now) & part)) if inside.area else 0
    return there / max(1, int(np.count_nonzero(part)))


def _between(a: float, b: float) -> float:
    """When something changed that is one thing at `a` and the other at `b`."""
    return (a + b) / 2 if abs(b - a) <= _HOLE_S else max(a, b)


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
