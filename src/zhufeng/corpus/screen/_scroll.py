"""Text that rolls over the screen, as credits do: read on its way, as often as new lines come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from zhufeng.corpus.screen._rect import Rect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zhufeng.corpus.screen._reader import Reading
    from zhufeng.corpus.screen._strokes import Luma, Strokes

# What rolls has strokes, of which few stand, and nearly all of which are found again so many
# pixels of the reduced picture higher or lower; nowhere else.
_LEAST_STROKES = 300
_STANDING = 0.5
_FOUND_AGAIN = 0.7
_STEPS = (2, 48)
_BEST = 4
# Speeds of so many samples in a row, and how far they may differ.
_STEADY = 3
_ALIKE = 0.25
# Of the picture's height, how far it rolls from one look to the next.
_LOOK = 0.4


class Rolled(NamedTuple):
    """A line that rolled through the picture, which it was wholly in from `t0` to `t1`."""

    t0: float
    t1: float
    box: Rect
    reading: Reading


class Scroll:
    """Follows what rolls up or down, and has each line of it read once."""

    def __init__(self, height: int) -> None:
        """`height` of the picture, in pixels."""
        self._height = height
        self._before: tuple[float, Strokes] | None = None
        self._speeds: list[float] = []
        self._rolled = 0.0
        self._looked = -float("inf")
        self._seen: list[tuple[float, Rect]] = []
        self.lines: list[Rolled] = []

    def add(self, t: float, now: Strokes, standing: Strokes, scale: int) -> bool:
        """Take a sample; whether it is time to look.

        Args:
            t: seconds.
            now: [h, w], the strokes of the reduced picture.
            standing: those of them that have stood for some samples.
            scale: pixels of the picture for one of the reduced picture.
        """
        step = None
        if self._before is not None:
            strokes = np.count_nonzero(now)
            if strokes > _LEAST_STROKES and np.count_nonzero(standing) < _STANDING * strokes:
                step = _step(self._before[1], now)
        if step is None:
            self._speeds = []
        else:
            assert self._before is not None
            self._rolled += step * scale
            self._speeds.append(step * scale / (t - self._before[0]))
        self._before = (t, now.copy())
        return self._is_steady() and abs(self._rolled - self._looked) >= _LOOK * self._height
