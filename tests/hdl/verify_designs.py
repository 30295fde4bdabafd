"""Designs with and without bugs, to be verified."""

from __future__ import annotations

from typing import Any

from zhufeng.hdl import (
    Bool,
    Memory,
    Module,
    Signal,
    State,
    Struct,
    UInt,
    as_uint,
    assert_,
    assume,
    const,
    cover,
    join,
    mem,
    module,
    mux,
    of,
    put,
    reg,
    reshape,
    wrap,
)


class FifoOut(Struct):
    """What a queue gives."""

    first: Signal = of(UInt(8))
    valid: Signal = of(Bool)
    ready: Signal = of(Bool)


def fifo(depth: int = 4, *, late: int = 0, wraps: bool = True) -> Module[Any, ..., FifoOut]:
    """A queue that is full with `depth` items, or `late` more; its place to write begins again."""
    place, count = UInt((depth - 1).bit_length()), UInt(depth.bit_length() + 1)

    class Fifo(State):
        cells: Memory = mem(UInt(8), depth, reads=("async",))
        head: Signal = reg(place, reset=0)
        tail: Signal = reg(place, reset=0)
        level: Signal = reg(count, reset=0)

    def after(at: Signal, *, wraps: bool = True) -> Signal:
        further = wrap(at + 1, place)
        return mux(at == depth - 1, const(place, 0), further) if wraps else further

    @module(Fifo, push=Bool, data=UInt(8), pop=Bool)
    def fifo(s: Fifo, push: Signal, data: Signal, pop: Signal) -> tuple[Fifo, FifoOut]:
        ready, valid = s.level != depth + late, s.level != 0
        comes, goes = push & ready, pop & valid
        cells, first = s.cells.read(s.head)
        assert_(s.level <= depth, "it holds no more than it has cells")
        cover(~ready, "full")
        cover(comes & goes, "one comes as one goes")
        level = wrap(s.level + as_uint(comes) - as_uint(goes), count)
        held = Fifo(
            cells=cells.write(s.tail, data, comes),
            head=mux(goes, after(s.head), s.head),
            tail=mux(comes, after(s.tail, wraps=wraps), s.tail),
            level=level,
        )
        return held, FifoOut(first, valid, ready)

    return fifo


def model(depth: int = 4) -> Module[Any, ..., Signal]:
    """What a queue should do: a row of cells in which everything moves up when one goes."""

    class Model(State):
        items: Signal = reg(UInt(8).array(depth), reset=0)
        level: Signal = reg(UInt(depth.bit_length()), reset=0)

    @module(Model, push=Bool, data=UInt(8), pop=Bool, first=UInt(8), valid=Bool, ready=Bool)
    def model(  # noqa: PLR0917
        s: Model,
        push: Signal,
        data: Signal,
        pop: Signal,
        first: Signal,
        valid: Signal,
        ready: Signal,
    ) -> tuple[Model, Signal]:
        right = ~valid | (first == s.items[0])
        assert_(right, "items leave in the order in which they came")
        assert_(valid == (s.level != 0), "it is valid while it holds an item")
        goes, comes = pop & valid, push & ready
        moved = wrap(s.items, 8)
        up = join(s.items[1:], reshape(const(UInt(8), 0), (1,)))
        moved = mux(goes, up, s.items)
        level = wrap(s.level - as_uint(goes), UInt(depth.bit_length()))
        items = mux(comes, put(moved, level, data), moved)
        return Model(items=items, level=wrap(level + as_uint(comes), depth.bit_length())), right

    return model


class Count(State):
    """A number."""

    n: Signal = reg(UInt(4), reset=0)


@module(Count, on=Bool, step=UInt(4))
def assuming(s: Count, on: Signal, step: Signal) -> tuple[Count, Signal]:
    """A counter of steps of at most 3, as is assumed, that never stands at 13 if they are kept."""
    assume(step <= 3, "small steps")
    assume(~on | (s.n + step <= 12), "nothing beyond 12")
    assert_(s.n <= 12, "at most 12")
    cover(s.n == 12, "all of 12")
    cover(step == 9, "a step that is assumed away")
    return Count(n=mux(on, wrap(s.n + step, 4), s.n)), s.n


def ring(stop: int) -> Module[Any, ..., Signal]:
    """Counts from 0 to `stop` and begins again."""

    @module(Count)
    def ring(s: Count) -> tuple[Count, Signal]:
        return Count(n=mux(s.n == stop, const(UInt(4), 0), wrap(s.n + 1, 4))), s.n == 2

    return ring
