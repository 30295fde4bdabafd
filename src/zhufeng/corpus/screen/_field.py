"""What of a picture's strokes stands still and has not been looked at yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

from zhufeng.corpus.screen._rect import Rect
from zhufeng.corpus.screen._strokes import (
    reduced,
    strokes,
    strokes_within,
    thickened,
    workspace,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.corpus.screen._strokes import Luma, Strokes

# What stands for so many samples is no part of a moving picture.
_STANDS = 3
_HALVINGS = 3
_CELL = 1 << _HALVINGS
# Letters cover a third of their line; hatching, foliage and noise that stands cover less.
_NEW = 0.18
_NEW_MOVING = 0.3
# A place where no text was, or none that stayed, is left alone for so long; twice as long every
# time, and half as long again after a while.
_NO_TEXT_S = 0.5
_NOT_STAYED_S = 0.1
_LONGEST_S = 4.0
_FORGET_S = 4.0
# Levels of luma by which the picture changes beyond a codec's noise.
_CHANGE = 10
_JOIN = np.ones((3, 5), np.uint8)


class Field:
    """The strokes of the last samples, and which of them are explained.

    A stroke that stands for three samples and is neither explained nor next to one that is
    calls for a look. A background that moves fast leaves none; one that moves slowly is followed
    from neighbour to neighbour.
    """

    def __init__(self, height: int, width: int) -> None:
        """Of a reduced picture of that size."""
        self.bounds = Rect(0, 0, width, height)
        self.cells = Rect(0, 0, -(-width // _CELL), -(-height // _CELL))
        grid = (self.cells.y1, self.cells.x1)
        self.changed = np.ones(grid, np.bool_)
        """Cells [rows, columns] of 8 by 8 pixels in which this sample is not as the last."""
        self.judged = False
        """Whether the last sample had anything new to say of what stands."""
        self.standing: Strokes = np.zeros((height, width), np.uint8)
        """[h, w]: the strokes that have stood for three samples."""
        self._explained: Strokes = np.zeros_like(self.standing)
        self._recent: deque[Strokes] = deque(maxlen=_STANDS)
        self._times: deque[float] = deque(maxlen=_STANDS)
        self._reference: Luma | None = None
        self._pause = np.zeros(grid, np.float64)
        self._until = np.zeros(grid, np.float64)
        self._scores = np.zeros(grid, np.float32)
        self._unchanged = 0
        self._pool = [np.zeros_like(self.standing) for _ in range(_STANDS + 1)]
        self._buffers = np.empty((2, height, width), np.uint8)
        # Whole cells: the pixels beyond the picture stay 0.
        self._padded = np.zeros((self.cells.y1 * _CELL, self.cells.x1 * _CELL), np.uint8)
        self._marked = self._padded[:height, :width]
        self._work = workspace(height, width)

    @property
    def now(self) -> Strokes:
        """[h, w]: the strokes of the last sample."""
        return self._recent[-1]

    @property
    def before(self) -> Strokes:
        """[h, w]: the strokes of the sample before the last."""
        return self._recent[-2] if len(self._recent) > 1 else self._recent[-1]

    @property
    def lately(self) -> Strokes:
        """[h, w]: the strokes of both of the last two samples."""
        return self.now & self.before

    def add(self, t: float, small: Luma) -> None:
        """Take a sample, [h, w] of reduced luma."""
        if self._times:
            self._pause *= 0.5 ** ((t - self._times[-1]) / _FORGET_S)
        self._times.append(t)
        self._recent.append(self._drawn(small))
        self._unchanged = 0 if self.changed.any() else self._unchanged + 1
        self.judged = self._unchanged < _STANDS and len(self._recent) == _STANDS
        if self.judged:
            self._judge()

    def _drawn(self, small: Luma) -> Strokes:
        """The strokes, found anew only where the picture differs from when they were found."""
        free = next(one for one in self._pool if all(one is not other for other in self._recent))
        if self._reference is None:
            self._reference = small.copy()
            free[:] = strokes(small, self._work)
            return free
        if cv2.norm(small, self._reference, cv2.NORM_INF) <= _CHANGE:
            self.changed[:] = False
            return self.now
        cv2.absdiff(small, self._reference, dst=self._marked)
        cv2.threshold(self._marked, _CHANGE, 255, cv2.THRESH_BINARY, dst=self._marked)
        self.changed = _by_cells(self._padded) > 0
        x, y, dx, dy = cv2.boundingRect(self.changed.astype(np.uint8))
        where = Rect(x, y, x + dx, y + dy).scaled(_CELL, self.bounds)
        where.of(self._reference)[:] = where.of(small)
        if where != self.bounds:
            free[:] = self.now
        where.of(free)[:] = strokes_within(self._reference, 0, where, self._work)
        return free

    def _judge(self) -> None:
        """Tell what stands, and score what of it is new."""
        first, second, third = self._recent
        near, ever = self._buffers
        fresh = self._marked
        np.bitwise_and(first, second, out=self.standing)
        np.bitwise_and(self.standing, third, out=self.standing)
        thickened(self._explained, near, ever)
        crept = np.bitwise_and(self.standing, near, out=near)
        np.bitwise_xor(self.standing, crept, out=fresh)
        cv2.threshold(fresh, 0, 255, cv2.THRESH_BINARY, dst=fresh)
        cv2.blur(_by_cells(self._padded), (3, 1), dst=self._scores)
        # What has gone needs to be explained when it comes back.
        np.bitwise_or(first, second, out=ever)
        np.bitwise_or(ever, third, out=ever)
        np.bitwise_and(self._explained, ever, out=self._explained)
        # What creeps on is of a picture that moves slowly; a letter comes as a whole.
        if not np.any(self._scores > _NEW):
            np.bitwise_or(self._explained, crept, out=self._explained)

    def calls(self, *, still: bool) -> list[Rect]:
        """Where something stands that is new and may be text; in a still picture, small text."""
        fresh = self._scores > (_NEW if still else _NEW_MOVING)
        mask = (fresh & (self._until <= self._times[-1])).astype(np.uint8)
        if not cv2.countNonZero(mask):
            return []
        _, _, found, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, _JOIN))
        return [
            Rect(x, y, x + dx, y + dy).scaled(_CELL, self.bounds)
            for x, y, dx, dy, _ in found[1:].tolist()
        ]

    def explain(self, where: Rect, *, text: bool) -> None:
        """What stands there has been looked at, and there was text or not."""
        where.of(self._explained)[:] |= where.of(self.standing)
        where.scaled(1 / _CELL, self.cells).of(self._scores)[:] = 0
        if not text:
            self._rest(where, _NO_TEXT_S)

    def distrust(self, where: Rect) -> None:
        """What was taken for text there did not stay."""
        self._rest(where, _NOT_STAYED_S)
        self.forget(where)

    def trust(self, where: Rect) -> None:
        """There is text there."""
        where.scaled(1 / _CELL, self.cells).of(self._pause)[:] = 0

    def forget(self, where: Rect) -> None:
        """What stands there needs to be looked at."""
        where.of(self._explained)[:] = 0
        self._unchanged = 0

    def _rest(self, where: Rect, least_s: float) -> None:
        cells = where.scaled(1 / _CELL, self.cells)
        pause = cells.of(self._pause)
        np.clip(2 * pause, least_s, _LONGEST_S, out=pause)
        cells.of(self._until)[:] = self._times[-1] + pause

    def changes(self, where: Rect) -> bool:
        """Whether this sample differs from the last there."""
        return bool(where.scaled(1 / _CELL, self.cells).of(self.changed).any())


def _by_cells(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The share of each cell that is 255, [rows, columns]; of whole cells."""
    return reduced(plane, _HALVINGS).astype(np.float32) / np.float32(255)
