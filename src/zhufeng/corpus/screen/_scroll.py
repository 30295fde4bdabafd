"""Text that rolls over the screen, as credits do: read on its way, each line once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from zhufeng.corpus.screen._reader import Reading
from zhufeng.corpus.screen._rect import Rect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus.screen._field import Field
    from zhufeng.corpus.screen._strokes import Strokes

# What rolls has strokes, of which few stand, and nearly all are found again so many pixels of
# the reduced picture higher or lower.
_LEAST_STROKES = 300
_STANDING = 0.5
_FOUND_AGAIN = 0.7
_ALIKE_ROWS = 0.5
_LEAST_STEP, _MOST_STEP = 2, 48
_TRIED = 4
# So many steps in a row at speeds that differ by no more than this share.
_STEADY = 3
_ALIKE = 0.3
# Of the picture's height, how far it rolls from one look to the next.
_LOOK = 0.4
# A line as near as this to the end of the picture, of its height, may not be wholly in it.
_AT_END = 0.2


class Rolled(NamedTuple):
    """A line that was in the picture from `t0` to `t1`, and in `box` in the meantime."""

    t0: float
    t1: float
    box: Rect
    reading: Reading


class Scroll:
    """Follows what rolls up or down."""

    def __init__(self, whole: Rect, times: int) -> None:
        """`whole` is the picture, `times` how often it is halved to the reduced one."""
        self.lines: list[Rolled] = []
        self._whole = whole
        self._times = times
        self._t = 0.0
        self._speeds: list[float] = []
        self._rolled = 0.0
        self._looked: float | None = None
        self._known: list[Rect] = []
        self._lost = 0

    def add(self, t: float, field: Field) -> bool:
        """Take the last sample of `field`; whether there are new lines to look at."""
        step = _step(field)
        if step is not None:
            pixels = step * (1 << self._times)
            self._rolled += pixels
            self._speeds = [*self._speeds[1 - _STEADY :], pixels / (t - self._t)]
            self._lost = 0
        elif self._is_steady() and self._lost < _STEADY:
            self._rolled += self._speed() * (t - self._t)
            self._lost += 1
        else:
            self._speeds, self._looked, self._known = [], None, []
        self._t = t
        return self._is_steady() and (
            self._looked is None or abs(self._rolled - self._looked) >= _LOOK * self._whole.height
        )

    def look(self, boxes: Sequence[Rect], read: Callable[[Sequence[Rect]], list[Reading]]) -> None:
        """Have those of the lines in `boxes`, of the last sample's picture, read that are new."""
        self._looked = self._rolled
        fresh = []
        for box in boxes:
            paper = box.moved(0, -round(self._rolled))
            edge = _AT_END * box.height
            inside = box.y0 > edge and box.y1 < self._whole.height - edge
            if inside and all(2 * paper.common(one).area < paper.area for one in self._known):
                self._known.append(paper)
                fresh.append(box)
        speed = self._speed()
        for box, reading in zip(fresh, read(fresh), strict=True):
            above, below = box.y0 / abs(speed), (self._whole.height - box.y1) / abs(speed)
            came, goes = (above, below) if speed > 0 else (below, above)
            self.lines.append(Rolled(self._t - came, self._t + goes, box, reading))

    def _speed(self) -> float:
        """Pixels of the picture a second, downwards."""
        return sum(self._speeds) / len(self._speeds)

    def _is_steady(self) -> bool:
        if len(self._speeds) < _STEADY:
            return False
        mean = self._speed()
        return all(abs(speed - mean) <= _ALIKE * abs(mean) for speed in self._speeds)


def _step(field: Field) -> int | None:
    """By how many rows the strokes of the picture have moved down since the last sample."""
    before, now = field.before, field.now
    if before is now:
        return None
    count = np.count_nonzero(now)
    if count < _LEAST_STROKES or np.count_nonzero(field.standing) > _STANDING * count:
        return None
    first, second = _profile(before), _profile(now)
    likeness = np.correlate(second, first, "full")
    steps = np.arange(len(likeness)) - (len(first) - 1)
    able = np.flatnonzero((np.abs(steps) >= _LEAST_STEP) & (np.abs(steps) <= _MOST_STEP))
    able = able[likeness[able] >= _ALIKE_ROWS]
    tried = steps[able[np.argsort(-likeness[able], kind="stable")[:_TRIED]]].tolist()
    best = max(tried, key=lambda step: _again(before, now, step), default=0)
    return best if best and _again(before, now, best) >= _FOUND_AGAIN * count else None


def _profile(found: Strokes) -> NDArray[np.float32]:
    """How much there is of strokes in each row, of mean 0 and length 1."""
    rows = cv2.reduce(found, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[:, 0].astype(np.float32)
    rows -= rows.mean()
    return rows / np.float32(np.linalg.norm(rows) + 1e-6)


def _again(before: Strokes, now: Strokes, step: int) -> int:
    """How many strokes are found again so many rows lower."""
    if step < 0:
        before, now, step = now, before, -step
    return int(np.count_nonzero(before[: len(before) - step] & now[step:]))
