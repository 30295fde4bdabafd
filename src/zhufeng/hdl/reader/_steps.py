"""Places that are evenly apart, as elements of an array that is looked at in another way."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Look:
    """Bits of a value that are evenly apart.

    From the bit `before` on it is taken as units of `unit` bits; of each, those from `place` on
    are meant. `steps` go through the units, of which there are `row` in a row if both axes move.
    """

    before: int
    unit: int
    place: int
    steps: Steps
    row: int | None

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
    moved = Steps(
        (steps.first - before) // unit, tuple(by // unit for by in steps.by), steps.counts
    )
    row = None
    if all(moved.by) and len(moved.by) > 1:
        row = _row(moved, units)
        if row is None:
            return None
    return Look(before, unit, place, moved, row)


def _row(steps: Steps, units: int) -> int | None:
    """How long rows are of which one axis goes along, the other across."""
    few, many = sorted(range(len(steps.by)), key=lambda axis: abs(steps.by[axis]))
    length = abs(steps.by[many])
    first, column = divmod(steps.first, length)
    end = column + steps.by[few] * (steps.counts[few] - 1)
    last = first + steps.by[many] // length * (steps.counts[many] - 1)
    inside = 0 <= end < length and 0 <= last < units // length
    return length if inside else None
