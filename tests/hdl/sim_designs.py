"""Designs to be simulated: with state that nothing sets, claims, a memory, wide values."""

from __future__ import annotations

from typing import Any

from zhufeng.hdl import (
    Bits,
    Bool,
    Memory,
    Module,
    Signal,
    State,
    Struct,
    UInt,
    as_bits,
    assert_,
    cat,
    cover,
    instance,
    join,
    mem,
    module,
    mux,
    of,
    reg,
    vmap,
    wrap,
)


class Cell(State):
    """Holds a number."""

    sum: Signal = reg(UInt(12), reset=3)
    loose: Signal = reg(UInt(7), reset=None)


@module(Cell, x=UInt(8), on=Bool)
def cell(s: Cell, x: Signal, on: Signal) -> tuple[Cell, Signal]:
    """Adds up, and holds the last number."""
    assert_(wrap(s.sum, 6) != 13, "never 13 above a multiple of 64")
    cover(on & (x == 0), "nothing added")
    after = Cell(sum=mux(on, wrap(s.sum + x, 12), s.sum), loose=mux(on, wrap(x, 7), s.loose))
    return after, s.sum


class Out(Struct):
    """What a bank shows."""

    sums: Signal = of(UInt(12).array(3))
    read: Signal = of(UInt(8))
    wide: Signal = of(Bits(84))


class Bank(State):
    """Cells in a row, a memory, a shift register wider than a word."""

    cells: Cell = instance(cell, 3)
    table: Memory = mem(UInt(8), 16, reads=["sync"])
    tail: Signal = reg(Bits(84), reset=None)


@module(Bank, x=UInt(8).array(3), on=Bool, at=UInt(4))
def bank(s: Bank, x: Signal, on: Signal, at: Signal) -> tuple[Bank, Out]:
    """All of it."""
    cells, sums = vmap(cell, in_axes=(0, 0, None))(s.cells, x, on)
    table, read = s.table.read(at)
    after = Bank(
        cells=cells,
        table=table.write(wrap(x[1], 4), x[0], on),
        tail=cat(s.tail[0:72], as_bits(sums[0])),
    )
    return after, Out(sums=sums, read=read, wide=s.tail)


class Count(State):
    """A counter."""

    n: Signal = reg(UInt(8), reset=0)


def counter(step: int) -> Module[Any, [Signal], Signal]:
    """A counter by `step`."""

    @module(Count, on=Bool)
    def counting(s: Count, on: Signal) -> tuple[Count, Signal]:
        return Count(n=mux(on, wrap(s.n + step, 8), s.n)), s.n

    return counting


class Cells(State):
    """Numbers in a ring, each of which looks at both neighbours."""

    x: Signal = reg(UInt(7).array(40), reset=0)


@module(Cells, push=UInt(7).array(40))
def ring(s: Cells, push: Signal) -> tuple[Cells, Signal]:
    """Neither order of the cells lets a new number take an old one's place at once."""
    left, right = join(s.x[39:], s.x[:39]), join(s.x[1:], s.x[:1])
    after = vmap(lambda a, b, c, d: wrap(a + b + c + d, 7))(left, right, s.x, push)
    return Cells(x=after), s.x
