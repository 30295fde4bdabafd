"""Shots: where the picture becomes another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus.screen._strokes import Luma

# The picture is judged by a miniature of it, made of every eighth row.
_WIDTH, _HEIGHT, _ROWS = 80, 45, 8
# A cut changes the miniature by so many levels of luma on average, and by so many times what the
# frames within a second do.
_CUT = 4.0
_ABOVE = 2.5
_AROUND_S = 1.0
# After a flash the picture is again as it was, but for this share of the change.
_FLASH_S = 0.4
_BACK = 0.5
# Frames that differ by less are at rest. Between two rests no longer apart than this, a slide
# that loses so much of its marks (what differs from around them by so many levels) is replaced.
_REST = 0.3
_SOFT_S = 2.0
_MARK = 8
_CHANGED = 12
_REPLACED = 0.25
# The deviation within a picture of one shade, from which only another shot can come.
_PLAIN = 3.0
_SHORTEST_S = 0.3


class _Mini(NamedTuple):
    t: float
    luma: NDArray[np.int16]
    change: float
    """Mean difference from the frame before, in levels of luma."""


class Shots:
    """Finds shots, frame by frame.

    A cut is a change that stands out from those within a second of it and is not undone at once
    (a flash). Another begins where a slide at rest has been replaced by another at rest, hard or
    soft, and in the middle of what is black or white.
    """

    def __init__(self, t0: float) -> None:
        self._t0 = t0
        self._frames: deque[_Mini] = deque()
        self._judged = t0
        self._begins: list[float] = []
        self._rest: _Mini | None = None
        self._greatest: _Mini | None = None
        self._plain: list[float] = []

    def add(self, t: float, luma: Luma) -> None:
        """Take the next frame, [h, w]."""
        rows = luma[_ROWS // 2 :: _ROWS] if luma.shape[0] >= _ROWS * _HEIGHT else luma
        small = cv2.resize(rows, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)
        change = _difference(small, self._frames[-1].luma) if self._frames else 0.0
        frame = _Mini(t, small, change)
        self._frames.append(frame)
        self._settle(frame)
        self._shade(frame)
        self._judge(t - _FLASH_S)
        while self._frames[0].t < t - _FLASH_S - _AROUND_S:
            self._frames.popleft()

    def shots(self, end: float) -> tuple[tuple[float, float], ...]:
        """All shots, (t0, t1) in seconds, without a gap; the last one ends at `end`."""
        self._judge(end)
        begins = [self._t0]
        for t in sorted(self._begins):
            if t - begins[-1] >= _SHORTEST_S and end - t >= _SHORTEST_S:
                begins.append(t)
        return tuple(zip(begins, [*begins[1:], end], strict=True))

    def _judge(self, until: float) -> None:
        """Tell which of the frames up to a time, not judged yet, begin a shot."""
        frames = list(self._frames)
        for place in range(1, len(frames)):
            if self._judged < frames[place].t <= until:
                self._judged = frames[place].t
                if _is_cut(frames, place):
                    self._begins.append(round(frames[place].t, 3))

    def _settle(self, frame: _Mini) -> None:
        """A slide at rest in place of another one."""
        if frame.change > _REST:
            if self._greatest is None or frame.change > self._greatest.change:
                self._greatest = frame
            return
        rest, moved = self._rest, self._greatest
        if rest is not None and moved is not None:
            short = frame.t - rest.t <= _SOFT_S
            known = self._begins and self._begins[-1] > rest.t
            if short and not known and _replaced(rest.luma, frame.luma):
                self._begins.append(round(moved.t, 3))
        self._rest, self._greatest = frame, None

    def _shade(self, frame: _Mini) -> None:
        """A picture of one shade, and its end."""
        if float(frame.luma.std()) < _PLAIN:
            self._plain.append(frame.t)
        elif self._plain:
            if self._plain[0] > self._t0 + _SHORTEST_S:
                self._begins.append(round((self._plain[0] + self._plain[-1]) / 2, 3))
            self._plain = []


def _is_cut(frames: Sequence[_Mini], place: int) -> bool:
    frame = frames[place]
    if frame.change < _CUT:
        return False
    around = [
        other.change
        for other in frames[1:]
        if other is not frame and abs(other.t - frame.t) <= _AROUND_S
    ]
    if around and frame.change < _ABOVE * sum(around) / len(around):
        return False
    before = frames[place - 1].luma
    after = [other for other in frames[place + 1 :] if other.t <= frame.t + _FLASH_S]
    return all(_difference(before, other.luma) >= _BACK * frame.change for other in after)


def _difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    return float(np.abs(a - b).mean())


def _replaced(before: NDArray[np.int16], after: NDArray[np.int16]) -> bool:
    """Whether a good part of the marks on `before` is gone; what is added counts for nothing."""
    smooth = cv2.blur(before.astype(np.float32), (9, 9))
    marks = np.abs(before - smooth) > _MARK
    gone = marks & (np.abs(after - before) > _CHANGED)
    return np.count_nonzero(gone) > _REPLACED * max(1, np.count_nonzero(marks))
