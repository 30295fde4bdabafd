"""Small designs that the tests simulate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zhufeng.hdl import (
    Bits,
    Bool,
    Function,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    as_bits,
    as_uint,
    assert_,
    cat,
    connect,
    const,
    fold,
    function,
    instance,
    ir,
    join,
    leading_zeros,
    mem,
    module,
    mux,
    of,
    pack,
    put,
    reg,
    saturate,
    shift_in,
    stack,
    switch,
    transpose,
    unpack,
    vmap,
    wire,
    wrap,
)


def systolic(n: int, bits: int = 8, acc_bits: int = 24) -> ir.Module:
    """Weights come in at the top, activations on the left, sums leave at the bottom."""

    class Pe(State):
        a: Signal = reg(SInt(bits), reset=0)
        w: Signal = reg(SInt(bits), reset=0)
        p: Signal = reg(SInt(acc_bits), reset=0)

    class PeOut(Struct):
        a: Signal = of(SInt(bits))
        w: Signal = of(SInt(bits))
        p: Signal = of(SInt(acc_bits))

    @module(Pe, a=SInt(bits), w=SInt(bits), p=SInt(acc_bits), load=Bool)
    def pe(s: Pe, a: Signal, w: Signal, p: Signal, load: Signal) -> tuple[Pe, PeOut]:
        product = a * s.w
        return (
            Pe(a=a, w=mux(load, w, s.w), p=wrap(p + product, acc_bits)),
            PeOut(s.a, s.w, s.p),
        )

    class Array(State):
        pes: Pe = instance(pe, n, n)

    row, column = vmap(pe, in_axes=(0, 0, 0, 0, None)), (0, 0, 0, 0, None)

    @module(Array, a=SInt(bits).array(n), w=SInt(bits).array(n), load=Bool)
    def array(s: Array, a: Signal, w: Signal, load: Signal) -> tuple[Array, Signal]:
        right, down = wire(SInt(bits).array(n, n)), wire(SInt(bits).array(n, n))
        below = wire(SInt(acc_bits).array(n, n))
        a_in, w_in = shift_in(a, right, axis=1), shift_in(w, down)
        p_in = shift_in(const(SInt(acc_bits).array(n), 0), below)
        pes, out = vmap(row, column)(s.pes, a_in, w_in, p_in, load)
        connect(right, out.a)
        connect(down, out.w)
        connect(below, out.p)
        return Array(pes=pes), out.p[-1]

    return array.ir


def crc32() -> ir.Module:
    """A byte a cycle; the remainder so far, as zlib has it, a cycle later."""

    class Crc(State):
        left: Signal = reg(Bits(32), reset=0xFFFF_FFFF)

    @module(Crc, data=Bits(8), valid=Bool)
    def crc(s: Crc, data: Signal, valid: Signal) -> tuple[Crc, Signal]:
        def step(left: Signal, bit: Signal) -> tuple[Signal, Signal]:
            odd = left[0] ^ bit
            shifted = left >> 1
            return mux(odd, shifted ^ 0xEDB8_8320, shifted), odd

        bits = vmap(lambda k: data[k])(const(UInt(3).array(8), range(8)))
        after, _ = fold(step, s.left, bits)
        return Crc(left=mux(valid, after, s.left)), ~s.left

    return crc.ir


def ram() -> ir.Module:
    """A memory with every kind of port."""

    class Ram(State):
        cells: Memory = mem(
            UInt(16), 6, reads=("sync", "async"), writes=2, byte_enable=8, initial=range(10, 16)
        )

    class Out(Struct):
        before: Signal = of(UInt(16))
        now: Signal = of(UInt(16))

    @module(Ram, at=UInt(3), to=UInt(3), x=UInt(16), y=UInt(16), mask=Bits(2), on=Bool)
    def store(  # noqa: PLR0917 (ports)
        s: Ram, at: Signal, to: Signal, x: Signal, y: Signal, mask: Signal, on: Signal
    ) -> tuple[Ram, Out]:
        cells, before = s.cells.read(at, on)
        cells, now = cells.read(to)
        cells = cells.write(to, x, on, mask)
        cells = cells.write(at, y, ~on, ~mask)
        return Ram(cells=cells), Out(before, now)

    return store.ir


class Stream(Struct):
    """What goes downstream."""

    valid: Signal = of(Bool)
    data: Signal = of(UInt(8))


class Both(Struct):
    """What a stage gives on both sides."""

    ready: Signal = of(Bool)
    out: Stream = of(Stream)


def _stage() -> Any:
    class Held(State):
        valid: Signal = reg(Bool, reset=0)
        data: Signal = reg(UInt(8), reset=0)

    @module(Held, given=Stream, ready=Bool)
    def stage(s: Held, given: Stream, ready: Signal) -> tuple[Held, Both]:
        free = ready | ~s.valid
        held = Held(
            valid=mux(free, given.valid, s.valid),
            data=mux(free, wrap(given.data + 1, 8), s.data),
        )
        return held, Both(free, Stream(s.valid, s.data))

    return stage


def elastic(count: int) -> ir.Module:
    """Stages in a row: valid goes one way and ready the other, within a cycle."""
    stage = _stage()
    fields = {f"stage{n}": instance(stage) for n in range(count)}
    held: Any = type("Row", (State,), fields)

    @module(held, given=Stream, ready=Bool)
    def row(s: Any, given: Stream, ready: Signal) -> tuple[Any, Both]:
        readies = [wire(Bool) for _ in range(count)]
        flowing, first, after = given, None, {}
        for n in range(count):
            open_ = readies[n + 1] if n + 1 < count else ready
            after[f"stage{n}"], both = stage(getattr(s, f"stage{n}"), flowing, open_)
            connect(readies[n], both.ready)
            flowing, first = both.out, both.ready if first is None else first
        assert first is not None
        return held(**after), Both(first, flowing)

    return row.ir


def enabled() -> ir.Module:
    """A counter in a counter: the inner one goes on every third cycle."""

    class Count(State):
        n: Signal = reg(UInt(4), reset=3)

    @module(Count)
    def count(s: Count) -> tuple[Count, Signal]:
        return Count(n=wrap(s.n + 1, 4)), s.n

    class Outer(State):
        third: Signal = reg(UInt(2), reset=0)
        inner: Count = instance(count)

    @module(Outer)
    def outer(s: Outer) -> tuple[Outer, Signal]:
        last = s.third == 2
        inner, n = count.when(last)(s.inner)
        return Outer(third=mux(last, const(UInt(2), 0), wrap(s.third + 1, 2)), inner=inner), n

    return outer.ir


def pair() -> Function[..., Signal]:
    """Two numbers side by side."""

    @function(x=UInt(4), y=UInt(4))
    def side_by_side(x: Signal, y: Signal) -> Signal:
        return as_bits(cat(x, y))

    return side_by_side


class Numbers(Struct):
    """What is computed of numbers with and without a sign."""

    less: Signal = of(Bool)
    shifted: Signal = of(SInt(6))
    nearest: Signal = of(UInt(4))
    taken: Signal = of(SInt(6))
    put: Signal = of(SInt(6).array(3))
    chosen: Signal = of(UInt(5))
    zeros: Signal = of(UInt(3))
    parts: Signal = of(Bits(6))
    mixed: Signal = of(SInt(13))


def numbers() -> ir.Module:
    """Operations whose operands differ in width and sign."""

    @function(a=SInt(6), b=UInt(5), v=SInt(6).array(3))
    def compute(a: Signal, b: Signal, v: Signal) -> Numbers:
        index = as_uint(b[0:3])
        return Numbers(
            less=a < b,
            shifted=a >> index,
            nearest=saturate(a - b, UInt(4)),
            taken=v[as_uint(b[0:2])],
            put=put(v[::-1], index, a),
            chosen=switch(index, {1: b, 4: wrap(b + 1, 5), 6: ~b}, 7),
            zeros=leading_zeros(a),
            parts=pack(join(unpack(UInt(2).array(1), b[3:5]), unpack(UInt(2).array(2), b[0:4]))),
            mixed=a * b - v[1],
        )

    return compute.ir


def nested() -> ir.Module:
    """Two instances with arrays, a chain and banks of memory, each held by its own enable."""

    class Inner(State):
        grid: Signal = reg(UInt(4).array(2, 3), reset=[[1, 2, 3], [4, 5, 6]])
        free: Signal = reg(UInt(4), reset=0)
        banks: Memory = mem(UInt(4), 4, reads=("sync",), banks=(2,), initial=[1, 2, 3, 4])

    class InnerOut(Struct):
        turned: Signal = of(UInt(4).array(3, 2))
        read: Signal = of(UInt(4).array(2))
        sum: Signal = of(UInt(4))

    @module(Inner, x=UInt(4).array(3), at=UInt(2))
    def inner(s: Inner, x: Signal, at: Signal) -> tuple[Inner, InnerOut]:
        def access(bank: Memory, data: Signal) -> tuple[Memory, Signal]:
            bank, found = bank.read(at)
            return bank.write(wrap(at + 1, 2), data), found

        def add(carry: Signal, one: Signal) -> tuple[Signal, Signal]:
            return wrap(carry + one + at, 4), carry

        carry, before = fold(add, s.free, x)
        banks, read = vmap(access)(s.banks, s.grid[:, 2])
        rows = join(stack(before), put(s.grid, as_uint(at[0:1]), x)[1:])
        assert_(wrap(carry, 5) < 16, "a sum")
        after = Inner(grid=mux(x[0] > 3, rows, s.grid[::-1]), free=carry, banks=banks)
        return after, InnerOut(transpose(s.grid), read, carry ^ const(UInt(4).array(2), [3, 9])[1])

    class Outer(State):
        inners: Inner = instance(inner, 2)

    @module(Outer, x=UInt(4).array(2, 3), at=UInt(2).array(2), on=Bool.array(2))
    def outer(s: Outer, x: Signal, at: Signal, on: Signal) -> tuple[Outer, InnerOut]:
        def one(state: Inner, x: Signal, at: Signal, on: Signal) -> tuple[Inner, InnerOut]:
            return inner.when(on)(state, x, at)

        inners, out = vmap(one)(s.inners, x, at, on)
        return Outer(inners=inners), out

    return outer.ir


ALL: Mapping[str, ir.Module] = {
    "systolic": systolic(4),
    "crc": crc32(),
    "ram": ram(),
    "elastic": elastic(4),
    "enabled": enabled(),
    "pair": pair().ir,
    "numbers": numbers(),
    "nested": nested(),
}
"""Each, by its name."""
