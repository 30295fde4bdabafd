"""Rules of docs/hdl-semantics.md, chapters 14, 16 and 17: wires, claims, errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hdl.rules import computed, free, lanes, made, outputs, refused, refuses, stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Bits,
    Bool,
    HdlError,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    assert_,
    assume,
    connect,
    const,
    cover,
    fold,
    function,
    instance,
    ir,
    mem,
    module,
    of,
    reg,
    vmap,
    wire,
    wrap,
)
from zhufeng.hdl.interpret import interpret

HERE = Path(__file__).name


class Two(Struct):
    """Two signals."""

    a: Signal = of(UInt(4))
    b: Signal = of(UInt(4))


class Count(State):
    """A number."""

    n: Signal = reg(UInt(4), reset=0)


@function(a=UInt(4), b=UInt(4))
def crossed(a: Signal, b: Signal) -> Two:
    """Each output follows from one input."""
    return Two(a=wrap(b + 1, 4), b=~a)


# Chapter 14: wires.


def test_rule_14_1_a_wire_is_connected_exactly_once_to_a_value_of_its_type() -> None:
    def before(x: Signal) -> Signal:
        w: Signal = wire(UInt(5))
        doubled = w + w
        connect(w, x + 1)
        return doubled

    assert computed(before, UInt(4)).found == [2 * (x + 1) for x in range(16)]

    def twice(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        connect(w, x)
        connect(w, x)
        return w

    def never(x: Signal) -> Signal:
        wire(UInt(4))
        return x

    def itself(_: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        v: Signal = wire(UInt(4))
        connect(w, v)
        connect(v, w)
        return w

    def other_type(x: Signal) -> Signal:
        w: Signal = wire(UInt(3))
        connect(w, x)
        return w

    def no_wire(x: Signal) -> Signal:
        connect(x, x)
        return x

    known = {
        twice: "came:     a wire that is",
        never: "a wire that is never connected",
        itself: "wires that are connected to one another alone",
        other_type: "expected: UInt(3)",
        no_wire: "came:     no wire",
    }
    for program, told in known.items():
        text = refuses(program, UInt(4))
        assert told in text
        assert f"{HERE}:" in text


def test_rule_14_2_a_struct_of_wires_is_connected_as_a_whole() -> None:
    def whole(x: Signal) -> Signal:
        two: Two = wire(Two.array(2))
        out = two.a[0] + two.b[1]
        connect(two, hdl.stack(Two(x, ~x), Two(~x, x)))
        return out

    assert computed(whole, UInt(4)).found == [2 * x for x in range(16)]

    def parts(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        connect(w[0:2], x[0:2])
        return w

    assert "came:     no wire" in refuses(parts, UInt(4))
    assert "expected: Two" in refuses(lambda x: connect(wire(Two), (x, x)), UInt(4))


def test_rule_14_3_a_value_that_follows_from_itself_within_a_cycle_is_an_error() -> None:
    class Ram(State):
        m: Memory = mem(UInt(4), 16, reads=("async",), writes=0)

    def plain(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        turned = x ^ w
        connect(w, ~turned)
        return turned

    def through_a_call(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        two = crossed(w, x)
        connect(w, two.b)
        return two.a

    def through_a_fold(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        last, _ = fold(lambda c, one: (c ^ one, None), w, hdl.stack(x, x))
        connect(w, last)
        return last

    def through_an_array(x: Signal) -> Signal:
        w: Signal = wire(UInt(4).array(2))
        connect(w, hdl.stack(x, w[0]))
        return w

    def through_a_memory(s: Ram) -> tuple[Ram, Signal]:
        w: Signal = wire(UInt(4))
        m, out = s.m.read(w)
        connect(w, out)
        return Ram(m), out

    for program in (plain, through_a_call, through_a_fold, through_an_array):
        told = refuses(program, UInt(4))
        assert "traced: a value follows from itself within a cycle" in told
        assert f" ({HERE}:" in told
        assert " <- " in told
    assert "turned (test_rules_graph.py:" in refuses(plain, UInt(4))
    assert "follows from itself" in refused(stepped, Ram, through_a_memory)


def test_rule_14_4_a_cycle_that_no_port_closes_is_legal() -> None:
    def out_and_in_again(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        two = crossed(a=w, b=x)
        connect(w, two.a)
        return two.b

    assert computed(out_and_in_again, UInt(4)).found == [15 - (x + 1) % 16 for x in range(16)]
    assert ir.port_graph(crossed.ir) == {"a": frozenset({"b"}), "b": frozenset({"a"})}

    @module(Count, by=UInt(4))
    def count(s: Count, by: Signal) -> tuple[Count, Signal]:
        return Count(wrap(s.n + by, 4)), s.n

    class Outer(State):
        inner: Count = instance(count)
        ram: Memory = mem(UInt(4), 16, reads=("sync",), initial=[3])

    def own_enable(s: Outer) -> tuple[Outer, Signal]:
        on: Signal = wire(Bool)
        inner, n = count.when(on)(s.inner, const(UInt(4), 1))
        connect(on, n != 5)
        address: Signal = wire(UInt(4))
        ram, read = s.ram.read(address)
        connect(address, wrap(read + 1, 4))
        return Outer(inner, ram.write(address, read)), n

    held = stepped(Outer, own_enable)
    assert free(held, 8)["out"] == [0, 1, 2, 3, 4, 5, 5, 5]


def test_rule_14_5_a_wire_is_of_the_function_the_vmap_and_the_link_that_made_it() -> None:
    def of_each(x: Signal) -> Signal:
        def one(a: Signal) -> Signal:
            w: Signal = wire(UInt(4))
            out = w ^ 1
            connect(w, a)
            return out

        return vmap(one)(x)

    assert outputs(made(of_each, UInt(4).array(3)), x0=[[1, 2, 3]])["out"] == [[0, 3, 2]]

    def across(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))
        vmap(lambda a: connect(w, a))(x)
        return w

    assert "a wire that is made within the same vmap" in refuses(across, UInt(4).array(3))

    def across_fold(x: Signal) -> Signal:
        w: Signal = wire(UInt(4))

        def link(c: Signal, one: Signal) -> tuple[Signal, None]:
            connect(w, one)
            return c, None

        return fold(link, x[0], x)[0]

    assert "came:     no wire" in refuses(across_fold, UInt(4).array(3))

    def in_a_link(x: Signal) -> Signal:
        def link(c: Signal, one: Signal) -> tuple[Signal, None]:
            w: Signal = wire(UInt(4))
            out = w ^ c
            connect(w, one)
            return out, None

        return fold(link, x[0], x[1:])[0]

    assert outputs(made(in_a_link, UInt(4).array(3)), x0=[[1, 2, 4]])["out"] == [7]


# Chapter 16: claims.


def test_rule_16_1_a_claim_is_judged_in_every_cycle_without_reset_and_with_enable() -> None:
    @module(Count, x=UInt(4))
    def checked(s: Count, x: Signal) -> tuple[Count, Signal]:
        assert_(x < 8, "low")
        assume(x != 0, "some")
        cover(x == 3, "three")
        return s, s.n

    class Outer(State):
        inner: Count = instance(checked)

    @module(Outer, x=UInt(4), on=Bool)
    def outer(s: Outer, x: Signal, on: Signal) -> tuple[Outer, Signal]:
        inner, out = checked.when(on)(s.inner, x)
        return Outer(inner), out

    draw = np.random.default_rng(3)
    x, on = draw.integers(0, 16, (60, 3)), draw.integers(0, 2, (60, 3))
    reset = draw.integers(0, 2, 60).tolist()
    run = interpret(outer.ir, {"x": x, "on": on}, reset=reset)
    judged = (on == 1) & (np.array(reset) == 0)[:, None]
    for text, kind, failed in (("low", "assert", x >= 8), ("some", "assume", x == 0)):
        found = {(one.cycle, one.lane) for one in run.failures if one.text == text}
        assert found == set(zip(*map(np.ndarray.tolist, np.nonzero(failed & judged)), strict=True))
        assert {one.kind for one in run.failures if one.text == text} == {kind}
    assert all(one.where.startswith(HERE) for one in run.failures)
    assert sum(run.covered.values()) == int(((x == 3) & judged).sum())
    for kind_ in (UInt(1), UInt(4)):
        assert "expected: Bool" in refuses(lambda a: assert_(a, "x"), kind_)


def test_rule_16_2_a_claim_of_an_array_or_in_a_vmap_is_one_of_each_element() -> None:
    def of_array(x: Signal) -> Signal:
        assert_(x != 0, "array")
        return x

    def in_vmap(x: Signal) -> Signal:
        def one(a: Signal) -> Signal:
            assert_(a != 0, "vmap")
            cover(a == 1, "ones")
            return a

        return vmap(one)(x)

    x = [[1, 1, 1], [1, 0, 1], [0, 0, 0]]
    for program in (of_array, in_vmap):
        run = interpret(made(program, UInt(4).array(3)).ir, lanes(x0=x))
        assert Counter(one.cycle for one in run.failures) == {1: 1, 2: 1}
    assert sum(run.covered.values()) == 5


def test_rule_16_3_a_claim_in_a_link_of_a_fold_is_one_of_each_link() -> None:
    def program(x: Signal) -> Signal:
        def link(c: Signal, one: Signal) -> tuple[Signal, None]:
            assert_(one >= c, "ascending")
            return one, None

        return fold(link, x[0], x)[0]

    x = [[1, 2, 3], [3, 2, 1], [2, 3, 1]]
    run = interpret(made(program, UInt(4).array(3)).ir, lanes(x0=x))
    assert {one.cycle for one in run.failures} == {1, 2}
    assert len({(one.cycle, one.path) for one in run.failures}) == 3


# Chapter 17: errors.


def test_rule_17_1_an_error_names_the_users_line_and_what_to_do() -> None:
    def line_of(f: Callable[..., object]) -> int:
        return f.__code__.co_firstlineno + 1

    def wide(x: Signal) -> object:
        return Two(x, x)

    def masked(x: Signal) -> object:
        return x & 32

    def unlike(x: Signal) -> object:
        return hdl.stack(x, hdl.as_bits(x))

    for program in (wide, masked, unlike):
        with pytest.raises(HdlError) as caught:
            made(program, UInt(5))
        assert caught.value.where.startswith(f"{__file__}:{line_of(program)}: ")
        assert all((caught.value.expected, caught.value.came, caught.value.do))


def test_rule_17_2_what_python_can_say_itself_it_says() -> None:
    programs: tuple[tuple[Callable[[Any], object], type[Exception]], ...] = (
        (lambda x: x.widht, AttributeError),
        (any_mux, TypeError),
        (lambda x: {0: x}[x], KeyError),
    )
    for program, kind in programs:
        with pytest.raises(kind):
            made(program, UInt(4))


any_mux: Any = hdl.mux


Fix = tuple[tuple[Any, ...], Callable[..., object], str, Callable[..., object]]
FIXES: tuple[Fix, ...] = (
    ((UInt(4), UInt(5)), lambda x, y: x & y, "wrap(x, 4)", lambda x, y: x & wrap(y, 4)),
    ((UInt(4), SInt(4)), lambda x, y: x | y, "as_uint(x)", lambda x, y: x | hdl.as_uint(y)),
    ((UInt(4), Bits(5)), lambda x, y: x ^ y, "wrap(x, UInt(4))", lambda x, y: x ^ wrap(y, UInt(4))),
    ((Bool, UInt(4)), lambda x, y: x & y, "x != 0", lambda x, y: x & (y != 0)),
    ((Bits(4),), lambda x: x + 1, "as_uint(x)", lambda x: hdl.as_uint(x) + 1),
    ((Bool,), lambda x: x << 1, "as_uint(x)", lambda x: hdl.as_uint(x) << 1),
    ((Bool,), lambda x: wrap(x, 2), "wrap(x, UInt(2))", lambda x: wrap(x, UInt(2))),
    ((UInt(8),), lambda x: x[7:0], "write x[0:8]", lambda x: x[0:8]),
    (
        (UInt(8),),
        lambda x: x[::-1],
        "pack(unpack(Bool.array(8), x)[...])",
        lambda x: hdl.pack(hdl.unpack(Bool.array(8), x)[::-1]),
    ),
    (
        (UInt(4), UInt(2)),
        lambda x, n: x << n,
        "shift_left(x, amount, width=...)",
        lambda x, n: hdl.shift_left(x, n, width=7),
    ),
    (
        (UInt(3),),
        lambda n: 1 << n,
        "shift_left(const(UInt(8), 1), amount, width=8)",
        lambda n: hdl.shift_left(const(UInt(8), 1), n, width=8),
    ),
    (
        (SInt(4),),
        abs,
        "mux(x < 0, -x, wrap(x, x.width + 1))",
        lambda x: hdl.mux(x < 0, -x, wrap(x, x.width + 1)),
    ),
    (
        (UInt(4),),
        lambda x: x % 4,
        "as_uint(x[0:n])",
        lambda x: hdl.as_uint(x[0:2]) + (x >> 2),
    ),
    (
        (UInt(4).array(3), UInt(4)),
        lambda x, y: x.__setitem__(0, y),
        "put(x, i, value)",
        lambda x, y: hdl.put(x, 0, y),
    ),
    (
        (UInt(4).array(3), UInt(1).array(2)),
        lambda x, i: x[i],
        "vmap over the indices",
        lambda x, i: vmap(lambda one: x[one])(i),
    ),
    (
        (Two, Two),
        lambda p, q: p == q,
        "pack(a) == pack(b)",
        lambda p, q: hdl.pack(p) == hdl.pack(q),
    ),
    ((UInt(4),), lambda x: hdl.join(x, x), "stack(...)", lambda x: hdl.stack(x, x)),
    ((UInt(4), UInt(4)), lambda x, y: x < y < 3, "joined with &", lambda x, y: (x < y) & (y < 3)),
)


@pytest.mark.parametrize("fix", FIXES, ids=lambda fix: fix[2])
def test_rule_17_3_what_an_error_says_to_do_works(fix: Fix) -> None:
    kinds, wrong, do, right = fix
    assert do in refuses(wrong, *kinds)
    made(right, *kinds)
