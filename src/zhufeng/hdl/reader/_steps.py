"""Places that are evenly apart, as the elements of an array that is looked at in another way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Steps:
    """A first place, and how far apart the others are along each axis."""

    first: int
    by: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """Steps through a row, or through rows of which each is `length` long."""

    steps: Steps
    length: int | None = None
    """None of a single row."""

    @property
    def is_turned(self) -> bool:
        """Whether the first axis is the one along a row."""
        return self.length is not None and abs(self.steps.by[0]) < abs(self.steps.by[1])


def steps_of(places: Ints) -> Steps | None:
    """What the steps are, if they are even."""
    by = []
    for axis, count in enumerate(places.shape):
        first, second = (places.take(min(n, count - 1), axis).flat[0] for n in (0, 1))
        by.append(int(second - first))
    first = int(places.flat[0])
    even = np.full(places.shape, first)
    for axis, step in enumerate(by):
        shape = [1] * places.ndim
        shape[axis] = -1
        even += (np.arange(places.shape[axis]) * step).reshape(shape)
    return Steps(first, tuple(by), places.shape) if (even == places).all() else None


def unit_of(steps: Steps, width: int, whole: int | None) -> tuple[int, int] | None:
    """How many bits there are in an element, and the place of `width` bits in one.

    Args:
        steps: in bits.
        width: of what is taken of an element.
        whole: the width of what is in elements of one width; None of a single number, which may
            be taken apart from any bit on.
    """
    apart = math.gcd(*steps.by)
    if whole is not None:
        unit = whole if apart % whole == 0 else math.gcd(apart, whole)
        place = steps.first % unit
        return (unit, place) if place + width <= unit else None
    if width > apart:
        return None
    place = steps.first % apart
    return apart, place if place + width <= apart else 0


def window(steps: Steps, total: int) -> Window | None:
    """How to take elements of `total` in a row: None where it takes more than one look."""
    if sum(by != 0 for by in steps.by) < 2:  # noqa: PLR2004 (both axes)
        return Window(steps)
    few, many = sorted(range(2), key=lambda axis: abs(steps.by[axis]))
    length = abs(steps.by[many])
    if length == abs(steps.by[few]):
        return None
    row, column = divmod(steps.first, length)
    last = column + steps.by[few] * (steps.counts[few] - 1)
    bottom = row + steps.by[many] // length * (steps.counts[many] - 1)
    inside = 0 <= last < length and 0 <= bottom < total // length
    return Window(steps, length) if inside else None
