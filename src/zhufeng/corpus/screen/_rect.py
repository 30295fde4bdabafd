"""Upright boxes of pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scalar = TypeVar("Scalar", bound=np.generic)


class Rect(NamedTuple):
    """Pixels: ``x0 <= x < x1`` and ``y0 <= y < y1``."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """In pixels; 0 if it is empty."""
        return max(0, self.width) * max(0, self.height)

    def of(self, picture: NDArray[Scalar]) -> NDArray[Scalar]:
        """That part of a picture [h, w]: a view."""
        return picture[self.y0 : self.y1, self.x0 : self.x1]

    def common(self, other: Rect) -> Rect:
        """Where both are; of area 0 if nowhere."""
        return Rect(
            max(self.x0, other.x0),
            max(self.y0, other.y0),
            min(self.x1, other.x1),
            min(self.y1, other.y1),
        )

    def union(self, other: Rect) -> Rect:
        """The smallest around both."""
        return Rect(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    def grown(self, x: int, y: int, bounds: Rect) -> Rect:
        """Wider by `x` and higher by `y` on each side, within `bounds`."""
        return Rect(self.x0 - x, self.y0 - y, self.x1 + x, self.y1 + y).common(bounds)

    def moved(self, x: int, y: int) -> Rect:
        """So far to the right and down."""
        return Rect(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def scaled(self, factor: float, bounds: Rect) -> Rect:
        """The pixels of a picture of `factor` times the size that it touches."""
        return Rect(
            math.floor(self.x0 * factor),
            math.floor(self.y0 * factor),
            math.ceil(self.x1 * factor),
            math.ceil(self.y1 * factor),
        ).common(bounds)


def around(boxes: Sequence[Rect]) -> Rect:
    """The smallest around all of them, of which there is one."""
    return reduce(Rect.union, boxes)
