"""Shots: where the picture becomes another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus._parts import ScreenLine
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
# A slide is replaced if it loses so much of its marks (what differs from around them by so many
# levels) over so much of its height within so long, and if what is at rest before and after
# changes so much more in between. Asked at every third frame.
_SOFT_S = 1.3
_STEADY_S = 0.25
_MARK = 8
_CHANGED = 12
_STILL = 6
_REPLACED = 0.25
_ROWS_REPLACED = 0.3
_MOST = 0.6
_STANDS_OUT = 3.0
_AT_REST = 0.5
# The lines of a slide come and go within so long.
_SLIDE_S = 0.7
_EVERY = 3
_DIFFERS = 0.3
# The deviation within a picture of one shade, from which only another shot can come.
_PLAIN = 3.0
_SHORTEST_S = 0.3
# Longer than what is compared.
_KEPT_S = 1.7


class _Mini(NamedTuple):
    t: float
    luma: NDArray[np.int16]
    change: float
    """Mean difference from the frame before, in levels of luma."""


class Shots:
    """Finds shots, frame by frame.

    A cut is a change that stands out from those within a second of it and is not undone at once
    (a flash). Another begins where a slide has taken the place of another, hard or soft, and
    after a picture of one shade.
    """

    def __init__(self, t0: float) -> None:
        self._t0 = t0
        self._frames: deque[_Mini] = deque()
        self._judged = t0
        self._cuts: list[float] = []
        self._others: list[float] = []
        self._plain: float | None = None
        self._asked = 0

    def add(self, t: float, luma: Luma) -> None:
        """Take the next frame, [h, w]."""
        rows = luma[_ROWS // 2 :: _ROWS] if luma.shape[0] >= _ROWS * _HEIGHT else luma
        small = cv2.resize(rows, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)
        change = _difference(small, self._frames[-1].luma) if self._frames else 0.0
        frame = _Mini(t, small, change)
        self._frames.append(frame)
        self._shade(frame)
        self._judge(t - _FLASH_S)
        self._compare()
        # One older frame stays: a cut may follow a picture that has stood for long.
        while len(self._frames) > 1 and self._frames[1].t < t - _KEPT_S:
            self._frames.popleft()

    def shots(
        self, end: float, lines: Sequence[ScreenLine] = ()
    ) -> tuple[tuple[float, float], ...]:
        """All shots, (t0, t1) in seconds, without a gap; the last one ends at `end`.

        Args:
            end: when the last picture goes.
            lines: what was read, which tells slides of one layout apart.
        """
        self._judge(end)
        known = {*self._cuts, *self._others}
        for t in _slides(lines):
            if all(abs(t - other) > _SLIDE_S for other in known):
                known.add(t)
        begins = [self._t0]
        for t in sorted(known):
            if end - t < _SHORTEST_S:
                break
            if t - begins[-1] >= _SHORTEST_S:
                begins.append(t)
            elif t in self._cuts and begins[-1] not in {self._t0, *self._cuts}:
                begins[-1] = t
        begins = [round(t, 3) for t in begins]
        return tuple(zip(begins, [*begins[1:], end], strict=True))

    def _judge(self, until: float) -> None:
        """Tell which of the frames up to a time, not judged yet, begin a shot."""
        frames = list(self._frames)
        for place in range(1, len(frames)):
            if self._judged < frames[place].t <= until:
                self._judged = frames[place].t
                if _is_cut(frames, place):
                    self._cuts.append(frames[place].t)

    def _compare(self) -> None:
        """Whether one slide has taken the place of another, hard or soft."""
        self._asked += 1
        if self._asked % _EVERY:
            return
        last = self._frames[-1]
        frames = [frame for frame in self._frames if frame.t >= last.t - _KEPT_S]
        first = frames[0]
        known = any(t > first.t for t in (*self._cuts[-1:], *self._others[-1:]))
        if known or last.t - first.t < _SOFT_S:
            return
        if _difference(first.luma, last.luma) >= _DIFFERS and _replaced(frames):
            moving = [frame for frame in frames[1:] if frame.t > first.t + _STEADY_S]
            self._others.append(max(moving, key=lambda frame: frame.change).t)

    def _shade(self, frame: _Mini) -> None:
        """The end of a picture of one shade that was no flash."""
        if float(frame.luma.std()) < _PLAIN:
            self._plain = frame.t if self._plain is None else self._plain
        elif self._plain is not None:
            if frame.t - self._plain > _FLASH_S:
                self._others.append(frame.t)
            self._plain = None


def _slides(lines: Sequence[ScreenLine]) -> list[float]:
    """When most of the text on a still picture, from top to bottom, makes way for other text."""
    still = [line for line in lines if line.static]
    found: list[float] = []
    for t in sorted({line.t1 for line in still}):
        shown = [line for line in still if line.t0 < t - _SLIDE_S and line.t1 >= t]
        gone = [line for line in shown if line.t1 <= t + _SLIDE_S]
        come = [line.t0 for line in still if t - _SLIDE_S / 2 <= line.t0 <= t + _SLIDE_S]
        if not gone or not come or (found and t - found[-1] <= _SLIDE_S):
            continue
        reach = max(line.bbox[3] for line in gone) - min(line.bbox[1] for line in gone)
        if len(gone) >= _MOST * len(shown) and reach >= _ROWS_REPLACED:
            found.append(min(come))
    return found


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
    # After a flash the picture is what it was before it.
    before = [other for other in frames[:place] if other.t >= frame.t - _FLASH_S]
    # Where frames are further apart, or damage has left some out, the last one before.
    before = before or [frames[place - 1]]
    after = [other for other in frames[place:] if other.t <= frame.t + _FLASH_S]
    back = _BACK * frame.change
    undone = any(_difference(before[-1].luma, other.luma) < back for other in after)
    return not undone and all(_difference(frame.luma, other.luma) >= back for other in before)


def _difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    return float(np.abs(a - b).mean())


def _replaced(frames: Sequence[_Mini]) -> bool:
    """Whether the first and the last show two slides; what comes to one is no other."""
    first, last = frames[0], frames[-1]
    marks = np.abs(first.luma - cv2.blur(first.luma, (9, 9))) > _MARK
    gone = marks & (np.abs(last.luma - first.luma) > _CHANGED)
    if np.count_nonzero(gone) <= _REPLACED * np.count_nonzero(marks):
        return False
    rows = np.flatnonzero(gone.any(1))
    if rows[-1] - rows[0] < _ROWS_REPLACED * _HEIGHT:
        return False
    steps = np.stack([np.abs(b.luma - a.luma) for a, b in pairwise(frames)])
    early = np.array([frame.t <= first.t + _STEADY_S for frame in frames[1:]])
    late = np.array([frame.t > last.t - _STEADY_S for frame in frames[1:]])
    rest = early | late
    if rest.all() or not (early.any() and late.any()):
        return False
    still = (steps[rest].max(0) <= _STILL) & marks
    if np.count_nonzero(still) < _MOST * np.count_nonzero(marks):
        return False
    base = float(steps[rest][:, still].mean())
    return base <= _AT_REST and float(steps[~rest][:, still].mean()) > _STANDS_OUT * (base + 0.1)
