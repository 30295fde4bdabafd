"""Random inputs as verification engineers want them: each lane of a style that changes.

Independent even draws meet few of the states that matter: a queue that is pushed and popped by
halves is never full, two 32-bit addresses are never the same, a value is never held. So a lane goes
through phases. In each, every bit has its own probability of being 1, never and always among
them, and its own of staying as it is; numbers are even, small, at the ends of their range, of few
bits, or out of a pool of four that all ports of the width share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, generator
from zhufeng.hdl.interpret import Values, anything, dtype
from zhufeng.hdl.ir import Form

Ints = NDArray[np.int64]

_ENDS: Final = (0.05, 1 / 64, 1 / 64, 1 / 256)
"""How probable it is, by lane, that a phase ends with a cycle."""
_ONES: Final = (0.0, 1 / 16, 1 / 4, 1 / 2, 1 / 2, 3 / 4, 15 / 16, 1.0)
_HOLD: Final = (0.0, 0.0, 0.0, 0.5, 0.9)
_EVEN, _SMALL, _CORNER, _FEW_BITS, _POOL = range(5)
_KINDS: Final = (_EVEN, _EVEN, _SMALL, _CORNER, _CORNER, _FEW_BITS, _POOL, _POOL)
_SMALL_BITS = 3
_POOLED = 4
_PLAIN = 8
"""Of so many lanes, the last one has even draws."""
_WORD = 62


@dataclass(frozen=True)
class Knob:
    """What is known of an input; what is None is drawn."""

    ones: float | None = None
    """How probable a bit is 1, of an input of one bit."""
    hold: float | None = None
    """How probable a value stays as it is for another cycle."""
    corners: float | None = None
    """How probable a number is at an end of its range, or next to it: 0, 1, greatest, least."""
    values: tuple[int, ...] | None = None
    """The only numbers that there may be."""


@dataclass(frozen=True)
class Drawing:
    """How inputs are drawn."""

    inputs: Mapping[str, Form]
    knobs: Mapping[str, Knob]
    resets: Mapping[str, int]
    """Inputs that reset, and with which bit."""
    reset_cycles: int
    """For how many cycles from the start they do."""

    def __post_init__(self) -> None:
        for what, named in (("a knob", self.knobs), ("a reset", self.resets)):
            for port in named:
                if port not in self.inputs:
                    raise InputError(
                        f"{what} of {port}",
                        expected=f"an input: {', '.join(self.inputs) or 'there is none'}",
                        came=port,
                        do="name an input of the stimulus, or one of the design that it leaves",
                    )
        for port, knob in self.knobs.items():
            _check(port, self.inputs[port], knob)
        for port, level in self.resets.items():
            if self.inputs[port] != Form(1) or level not in (0, 1):
                raise InputError(
                    f"the reset {port}",
                    expected="an input of one bit, and 0 or 1 as what resets",
                    came=f"{self.inputs[port]}, {level}",
                    do="name another input, or leave it out",
                )

    def drawn(self, cycles: int, lanes: int, seed: int, *, again: bool) -> dict[str, Values]:
        """Values for each input.

        Args:
            cycles: how many.
            lanes: how many.
            seed: draws them.
            again: whether resets come again later, in some lanes.

        Returns:
            Each input, [cycles, lanes, ...].
        """
        ends = generator(seed, "phases").random((cycles, lanes))
        rare = np.resize(np.array(_ENDS), lanes)
        phases = _Phases(np.cumsum(ends < rare, 0), seed)
        found = {}
        for port, form in self.inputs.items():
            knob = self.knobs.get(port, Knob())
            if port in self.resets:
                found[port] = self._reset(port, cycles, lanes, seed, again=again)
            elif form.width == 1 and knob.values is None:
                found[port] = phases.bits(port, form, knob)
            else:
                found[port] = phases.numbers(port, form, knob)
        return found

    def _reset(self, port: str, cycles: int, lanes: int, seed: int, *, again: bool) -> Values:
        draw = generator(seed, "reset", port)
        rare = np.resize(np.array([0.0, 0.0, 1 / 256, 1 / 32]), lanes) * again
        on = draw.random((cycles, lanes)) < rare
        on[1:] |= on[:-1] & (draw.random((cycles - 1, lanes)) < 1 / 2)
        on[: self.reset_cycles] = True
        level = self.resets[port]
        return np.where(on, level, 1 - level).astype(np.int64)


def _check(port: str, form: Form, knob: Knob) -> None:
    parts = (knob.ones, knob.hold, knob.corners)
    usable = all(one is None or 0 <= one <= 1 for one in parts) and (
        knob.values is None or (knob.values and all(map(form.has, knob.values)))
    )
    if not usable or (knob.ones is not None and form.width != 1):
        raise InputError(
            f"the knob of {port}",
            expected=f"ones (of one bit), hold and corners from 0 to 1; values that are {form}",
            came=str(knob),
            do="change it, or leave it out",
        )


class _Phases:
    """Draws what depends on the phase that a lane is in."""

    def __init__(self, number: Ints, seed: int) -> None:
        self._number = number
        self._count = int(number.max(initial=0)) + 1
        self._seed = seed

    def bits(self, port: str, form: Form, knob: Knob) -> Values:
        """Of an input of one bit, or of an array of them."""
        draw = generator(self._seed, "bits", port)
        ones = self._style(draw, form, _ONES, knob.ones, plain=0.5)
        high = draw.random((*self._number.shape, *form.shape), np.float32) < ones
        values = self._held(draw, form, knob, high.astype(np.int64))
        return -values if form.signed else values

    def numbers(self, port: str, form: Form, knob: Knob) -> Values:
        """Of any other."""
        draw = generator(self._seed, "numbers", port)
        shape = (*self._number.shape, *form.shape)
        if knob.values is not None:
            known: Values = np.array(knob.values, dtype(form))
            values = known[draw.integers(len(knob.values), size=shape)]
            return self._held(draw, form, knob, values)
        values = _even(form, shape, draw)
        kind = self._style(draw, form, _KINDS, None, plain=_EVEN)
        values = np.where(kind == _SMALL, _small(values, form), values)
        values = np.where(kind == _FEW_BITS, _few_bits(values, form, draw), values)
        pool = self._pool(form)[self._number, np.arange(shape[1])[None]]
        place = draw.integers(_POOLED, size=shape)
        pooled = np.take_along_axis(pool, place.reshape(*shape[:2], -1), 2).reshape(shape)
        values = np.where(kind == _POOL, pooled, values)
        ends: Values = np.array(
            [form.wrap(one) for one in (0, 1, -1, form.high, form.low, form.high - 1)], dtype(form)
        )
        corner = ends[draw.integers(len(ends), size=shape)]
        chosen = kind == _CORNER
        if knob.corners is not None:
            chosen = draw.random(shape) < knob.corners
        return self._held(draw, form, knob, np.where(chosen, corner, values))

    def _pool(self, form: Form) -> Values:
        """[phases, lanes, 4]: the same for all ports of a width."""
        draw = generator(self._seed, "pool", form.width)
        shape = (self._count, self._number.shape[1], _POOLED)
        return _even(Form(form.width, form.signed), shape, draw)

    def _style(
        self,
        draw: np.random.Generator,
        form: Form,
        known: tuple[float, ...],
        fixed: float | None,
        *,
        plain: float,
    ) -> Values:
        """One of several for each phase of each lane and element, [cycles, lanes, ...]."""
        lanes = self._number.shape[1]
        if fixed is not None:
            return np.full((1, 1, *[1] * len(form.shape)), fixed)
        which = draw.integers(len(known), size=(self._count, lanes, *form.shape))
        styles = np.array(known)[which]
        styles[:, _PLAIN - 1 :: _PLAIN] = plain
        return np.asarray(styles[self._number, np.arange(lanes)[None]])

    def _held(self, draw: np.random.Generator, form: Form, knob: Knob, values: Values) -> Values:
        """Values that stay for some cycles, in phases that hold."""
        hold = self._style(draw, Form(form.width), _HOLD, knob.hold, plain=0.0)
        new = draw.random(self._number.shape, np.float32) >= hold
        new[:1] = True
        cycles = np.arange(len(values))[:, None]
        since = np.maximum.accumulate(np.where(new, cycles, 0), 0)
        return values[since, np.arange(values.shape[1])[None]]


def _even(form: Form, shape: tuple[int, ...], draw: np.random.Generator) -> Values:
    if form.width <= _WORD:
        return draw.integers(form.low, form.high, shape, endpoint=True)
    return anything(form, shape, draw)


def _small(values: Values, form: Form) -> Values:
    return values & min(form.high, (1 << _SMALL_BITS) - 1)


def _few_bits(values: Values, form: Form, draw: np.random.Generator) -> Values:
    """Only one bit in eight is left."""
    return values & _even(form, values.shape, draw) & _even(form, values.shape, draw)
