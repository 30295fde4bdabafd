"""Printed Verilog where names meet, operands differ in width, and texts are long."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from tests.hdl.test_verilog import NEEDS_ICARUS, Simulator
from zhufeng.hdl import (
    Bool,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    assert_,
    const,
    fold,
    function,
    instance,
    ir,
    leading_zeros,
    mem,
    module,
    of,
    switch,
    wrap,
)
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import Case, icarus, lint, verilator
from zhufeng.hdl.verilog import WAIVERS, to_verilog


class Compared(Struct):
    """Comparisons of numbers that differ in width and sign, and what is indexed too widely."""

    less: Signal = of(Bool)
    least: Signal = of(Bool)
    same: Signal = of(Bool)
    element: Signal = of(UInt(4))
    bit: Signal = of(Bool)
    one: Signal = of(UInt(4))


@function(x=UInt(8), y=SInt(4), v=UInt(4).array(5))
def widths(x: Signal, y: Signal, v: Signal) -> Compared:
    """See `Compared`."""
    return Compared(x < y, y <= x, y == wrap(x, 3), v[x], x[x], v[0:1][x])


@function(x=UInt(4).array(3))
def loop_index(x: Signal) -> Signal:
    """A value called as the index of a loop would be."""

    def step(carry: Signal, one: Signal) -> tuple[Signal, None]:
        return wrap(carry + one, 4), None

    step_k = x ^ 1
    carry, _ = fold(step, x[0], step_k)
    return wrap(carry + step_k[1], 4)


@function(bit=UInt(3), k=UInt(3))
def bit_index(bit: Signal, k: Signal) -> Signal:
    """Inputs called as the index of a bit would be."""
    bit_ = leading_zeros(bit)
    return bit_ + leading_zeros(k)


@function(x=UInt(4).array(4, 3, 2), i=UInt(2))
def rows(x: Signal, i: Signal) -> Signal:
    """An array of arrays, indexed by a signal and then used element by element."""
    return x[i] ^ 1


@function(i=UInt(12))
def table(i: Signal) -> Signal:
    """A large constant."""
    return const(UInt(8).array(3000), [number * 7 % 256 for number in range(3000)])[i]


@function(i=UInt(6), x=UInt(8))
def cases(i: Signal, x: Signal) -> Signal:
    """A large choice."""
    return switch(i, {key: wrap(x + key, 8) for key in range(0, 60, 2)}, x)


@function(x=UInt(400))
def deep(x: Signal) -> Signal:
    """A chain of four hundred operations."""
    return reduce(lambda a, b: a ^ b, [x[place] for place in range(400)])


def shared_files() -> ir.Module:
    """Two memories whose modules and names are alike when put together."""

    class Inner(State):
        c: Memory = mem(UInt(4), 2, reads=["async"], writes=0, initial=[1, 2])

    @module(Inner, at=UInt(1))
    def a_b(s: Inner, at: Signal) -> tuple[Inner, Signal]:
        c, found = s.c.read(at)
        return Inner(c=c), found

    class Outer(State):
        b_c: Memory = mem(UInt(4), 2, reads=["async"], writes=0, initial=[3, 4])
        inner: Inner = instance(a_b)

    @module(Outer, at=UInt(1))
    def a(s: Outer, at: Signal) -> tuple[Outer, Signal]:
        b_c, found = s.b_c.read(at)
        inner, other = a_b(s.inner, at)
        return Outer(b_c=b_c, inner=inner), found + other

    return a.ir


def labels() -> ir.Module:
    """A value called as a claim is labelled."""

    class Held(State):
        x: Memory = mem(UInt(4), 2, reads=["async"], writes=0, initial=[1, 2])

    @module(Held, at=UInt(1))
    def labelled(s: Held, at: Signal) -> tuple[Held, Signal]:
        after, found = s.x.read(at)
        assert_0 = found != 0
        assert_(assert_0, "it holds")
        return Held(x=after), assert_0

    return labelled.ir


DESIGNS = {
    "widths": widths.ir,
    "loop_index": loop_index.ir,
    "bit_index": bit_index.ir,
    "rows": rows.ir,
    "table": table.ir,
    "cases": cases.ir,
    "deep": deep.ir,
    "shared_files": shared_files(),
    "labels": labels(),
}


@pytest.mark.parametrize(
    "simulator", [verilator, pytest.param(icarus, marks=NEEDS_ICARUS)], ids=["verilator", "icarus"]
)
def test_another_simulator_says_the_same(simulator: Simulator) -> None:
    draw, cycles = np.random.default_rng(11), 40
    cases = []
    for one in DESIGNS.values():
        inputs = {}
        for port, form in one.inputs.items():
            raw = draw.integers(0, 2, (cycles, form.size, form.width)).astype(object)
            numbers = [form.wrap(int(n)) for n in (raw << np.arange(form.width)).sum(2).flat]
            values = np.empty(len(numbers), object)
            values[:] = numbers
            inputs[port] = values.reshape(cycles, *form.shape)
        cases.append(Case(one, inputs))
    there = simulator(cases, [0] * cycles)
    for name, case, found in zip(DESIGNS, cases, there, strict=True):
        here = interpret(case.module, {port: one[:, None] for port, one in case.inputs.items()})
        for port, outputs in found.items():
            assert np.array_equal(here.outputs[port][:, 0], outputs), (name, port)


@pytest.mark.parametrize("name", DESIGNS)
def test_verilator_warns_of_nothing_but_what_is_waived(name: str) -> None:
    kinds = {line.partition(":")[0].removeprefix("%Warning-") for line in lint(DESIGNS[name])}
    assert kinds <= WAIVERS.keys()


def test_lines_are_short_enough_to_read() -> None:
    for one in DESIGNS.values():
        for text in to_verilog(one).files.values():
            assert max(map(len, text.splitlines())) < 200
