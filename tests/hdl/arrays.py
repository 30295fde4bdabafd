"""Random arrays of elements that pass values to their neighbours, with what is around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zhufeng.hdl import (
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    Type,
    UInt,
    assert_,
    const,
    cover,
    module,
    mux,
    of,
    reg,
    shift_in,
    wrap,
)

Draw = np.random.Generator
_SHAPES = ((4, 8), (8, 4), (8, 8), (6, 10), (5, 7), (12, 4), (2, 16), (16, 2), (3, 11))
_X, _Y = SInt(9), UInt(6)


def array_program(seed: int) -> Module[Any, ..., Any]:
    """A module around an array of two axes, whose elements read those above and on the left.

    Some multiply and add up, some only pass on. Their registers are of any width and sign. What
    enters at the edges is an input, now or a cycle late, or a constant; what leaves is summed up.
    Some are not such arrays: something flows back, or an element far away is read.
    """
    draw = np.random.default_rng(seed)
    rows, columns = _SHAPES[draw.integers(len(_SHAPES))]
    multiplies = draw.random() < 0.3
    kinds = [_kind(draw) for _ in range(int(draw.integers(1, 5)))]
    if multiplies:
        kinds = [_factor(draw), _factor(draw), SInt(30)]
    sums, late = SInt(14).array(columns), _X.array(rows)
    names = [f"r{number}" for number in range(len(kinds))]
    registers = {
        **{
            name: reg(kind.array(rows, columns), reset=_start(draw, kind))
            for name, kind in zip(names, kinds, strict=True)
        },
        "late": reg(late, reset=0),
        # Neither upwards nor downwards could it be set in place.
        "turning": reg(UInt(6).array(12), reset=5),
        "sums": reg(sums, reset=1),
    }
    state: Any = type("Held", (State,), registers)
    # The last row alone leaves an array as it is; other places are read beside it.
    view = (-1, -1, -1, 0, (1, 1), slice(None))[int(draw.integers(6))]
    shown = kinds[0].array(*np.empty((rows, columns))[view].shape)
    given: Any = type("Given", (Struct,), {"sums": of(sums), "seen": of(shown)})
    flows_back, is_late, reads_far = (draw.random() < odds for odds in (0.1, 0.5, 0.05))
    edges = [int(draw.integers(3)) for _ in kinds]
    plans = [_plan(draw, len(kinds), multiplies=multiplies) for _ in kinds]
    last, straight = int(draw.integers(len(kinds))), draw.random() < 0.8
    passes = [int(draw.integers(1, 3)) if draw.random() < 0.3 else 0 for _ in kinds]

    def entering(edge: int, kind: Type, y: Signal) -> Signal:
        if edge == 0:
            return const(kind.array(columns), 0)
        return wrap(y if edge == 1 else y - 31, kind)

    @module(state, x=late, y=_Y.array(columns), on=Bool, by=UInt(3))
    def array(s: Any, x: Signal, y: Signal, on: Signal, by: Signal) -> tuple[Any, Any]:
        held = [getattr(s, name) for name in names]
        turning = wrap(s.turning[::-1] + y[0], 6)
        left = wrap(s.late + s.turning[1], _X) if is_late else x
        left = wrap(left + s.sums[0], _X) if flows_back else left
        near = []
        for edge, kind, own in zip(edges, kinds, held, strict=True):
            above = shift_in(entering(edge, kind, y), own)
            near.append((own, above, shift_in(wrap(left, kind), own, axis=1)))
        if reads_far:
            near[0] = (held[0], held[0][::-1], near[0][2])
        after = {
            name: own[along] if along else wrap(plan(near, on, by), kind)
            for name, kind, plan, own, along in zip(names, kinds, plans, near, passes, strict=True)
        }
        edge = held[last][-1] if straight else held[last][-1, ::-1]
        total = wrap(s.sums + wrap(edge, SInt(14)), SInt(14))
        cover(total[0] > 5, "a sum is above 5")
        assert_(~on | (by != 5) | (total[-1] != 3), "no sum of 3 while it is on, by 5")
        return state(**after, late=x, turning=turning, sums=total), given(
            sums=s.sums, seen=held[0][view]
        )

    return array


def _kind(draw: Draw) -> Type:
    width = int(draw.choice([1, 3, 7, 8, 9, 12, 16, 20, 32, 40], p=[0.04, *[0.12] * 7, 0.1, 0.02]))
    return SInt(width) if draw.random() < 0.6 else UInt(width)


def _factor(draw: Draw) -> Type:
    width = int(draw.integers(4, 14))
    return SInt(width) if draw.random() < 0.7 else UInt(width - 1)


def _start(draw: Draw, kind: Type) -> int | None:
    choice = int(draw.integers(3))
    return (0, kind.form.high, None)[choice]


Near = list[tuple[Signal, Signal, Signal]]


def _plan(draw: Draw, count: int, *, multiplies: bool) -> Callable[[Near, Signal, Signal], Signal]:
    """An expression of what an element and its neighbours hold."""
    a, b, c = (_leaf(draw, count) for _ in range(3))
    choice, own, other = (int(draw.integers(end)) for end in (8, count, count))
    if multiplies:
        choice, own, other = int(draw.choice([0, 5, 6, 6])), own % 2, other % 2

    def made(near: Near, on: Signal, by: Signal) -> Signal:
        x, y, z = a(near), b(near), c(near)
        made_of: list[Callable[[], Signal]] = [
            lambda: x,
            lambda: x * y + z,
            lambda: mux(on, x, wrap(z, x.type.element)),
            lambda: x - y + by,
            lambda: mux(x < y, wrap(x, z.type.element), z),
            # A register as a factor as it is, and a sum that is wide.
            lambda: wrap(z, SInt(30)) + near[own][0] * near[own][1],
            lambda: wrap(z, SInt(30)) + near[other][2] * near[own][0],
            lambda: wrap(x * y, 16) + wrap(z >> 1, 9) + wrap(x, 5),
        ]
        return made_of[choice]()

    return made


def _leaf(draw: Draw, count: int) -> Callable[[Near], Signal]:
    number, place = int(draw.integers(count)), int(draw.integers(3))

    def found(near: Near) -> Signal:
        one = near[number][place]
        return wrap(one, SInt(one.width + 1))

    return found
