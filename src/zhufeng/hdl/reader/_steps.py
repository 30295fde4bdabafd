"""Places that are evenly apart, as elements of an array that is looked at in another way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.ir import Form

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Steps:
    """A first place, and how far apart the others are along each axis."""

    first: int
    by: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def least(self) -> int:
        """The least place."""
        ends = (by * (count - 1) for by, count in zip(self.by, self.counts, strict=True))
        return self.first + sum(end for end in ends if end < 0)


@dataclass(frozen=True)
class Look:
    """Bits of a value that are evenly apart.

    From the bit `before` on it is taken as units of `unit` bits; of each, those from `place` on
    are meant. `steps` go through the units, after those `skipped` where both axes move: then there
    are `row` of them in a row.
    """

    before: int
    unit: int
    place: int
    steps: Steps
    skipped: int = 0
    row: int | None = None

    @property
    def is_turned(self) -> bool:
        """Whether the first axis is the one along a row."""
        return self.row is not None and abs(self.steps.by[0]) < abs(self.steps.by[1])


def steps_of(places: Ints) -> Steps | None:
    """What the steps are, if they are even."""
    first, by = int(places.flat[0]), []
    even = np.full(places.shape, first)
    for axis, count in enumerate(places.shape):
        by.append(int(places.take(min(1, count - 1), axis).flat[0]) - first)
        even += np.expand_dims(
            np.arange(count) * by[-1], [n for n in range(places.ndim) if n != axis]
        )
    return Steps(first, tuple(by), places.shape) if (even == places).all() else None


def look(steps: Steps, width: int, form: Form) -> Look | None:
    """How to take so many bits at each step, if it takes but one look.

    Args:
        steps: in bits, some of them other than 0; of an array, through its elements in order.
        width: how many are taken at each.
        form: of the value: a number, or an array.
    """
    apart, before = math.gcd(*steps.by), 0
    unit = apart if not form.shape else math.gcd(apart, form.width)
    place = steps.first % unit
    if place + width > unit:
        if form.shape or width > unit:
            return None
        before, place = place, 0
    units = -(-(form.width * form.size - before) // unit)
    by = tuple(one // unit for one in steps.by)
    moved = Steps((steps.first - before) // unit, by, steps.counts)
    if len(by) == 1 or not all(by):
        return Look(before, unit, place, moved)
    for skipped in (0, moved.least % max(map(abs, by))):
        rows = replace(moved, first=moved.first - skipped)
        if _are_rows(rows, units - skipped):
            return Look(before, unit, place, rows, skipped, max(map(abs, by)))
    return None


def _are_rows(steps: Steps, units: int) -> bool:
    """Whether one axis stays within rows as long as the other's steps, and all rows are there."""
    few, many = sorted(range(len(steps.by)), key=lambda axis: abs(steps.by[axis]))
    length = abs(steps.by[many])
    row, column = divmod(steps.first, length)
    end = column + steps.by[few] * (steps.counts[few] - 1)
    last = row + steps.by[many] // length * (steps.counts[many] - 1)
    return 0 <= end < length and 0 <= row < units // length and 0 <= last < units // length
