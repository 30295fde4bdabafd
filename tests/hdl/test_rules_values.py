"""Rules of docs/hdl-semantics.md, chapters 1 and 2: types, and what is Python's."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.hdl.rules import (
    computed,
    constant_of,
    free,
    kind_of,
    made,
    outputs,
    refused,
    refuses,
    stepped,
)
from zhufeng import hdl
from zhufeng.hdl import (
    Bits,
    Bool,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    Type,
    UInt,
    const,
    function,
    mem,
    module,
    of,
    reg,
)
from zhufeng.hdl.verilog import to_verilog


class Point(Struct):
    """A struct of two kinds of signals."""

    x: Signal = of(SInt(4))
    on: Signal = of(Bool)


class Line(Struct):
    """A struct in a struct, and an array in one."""

    start: Point = of(Point)
    through: Signal = of(UInt(3).array(2))


class Held(State):
    """A number and a bit."""

    n: Signal = reg(UInt(4), reset=0)
    on: Signal = reg(Bool, reset=1)


class Nibble(Struct):
    """A single number."""

    n: Signal = of(UInt(4))


# As somebody sees it who has no type checker.
nibble: Any = Nibble


# Chapter 1: types.


def test_rule_1_1_a_type_is_a_kind_and_a_width() -> None:
    known: tuple[tuple[Type, int, int], ...] = (
        (UInt(3), 0, 7),
        (SInt(3), -4, 3),
        (Bits(3), 0, 7),
        (Bool, 0, 1),
        (SInt(1), -1, 0),
        (UInt(64), 0, 2**64 - 1),
    )
    for kind, low, high in known:
        assert (kind.low, kind.high) == (low, high)
    assert UInt(3) == UInt(3)
    assert len({UInt(1), Bits(1), SInt(1), Bool}) == 4
    unfit: tuple[Any, ...] = (-1, 1.5, "8", None)
    for width in unfit:
        assert "expected: a width of at least 0" in refused(UInt, width)


def test_rule_1_2_the_first_axis_of_an_array_is_the_outer_one() -> None:
    assert SInt(8).array(2, 3).shape == (2, 3)
    assert UInt(4).array(3).array(2) == UInt(4).array(2, 3)
    assert UInt(4).array() == UInt(4)
    assert "axes of at least one element" in refused(lambda: UInt(4).array(2, 0))
    assert constant_of(lambda: const(UInt(4).array(2, 3), range(6))) == [[0, 1, 2], [3, 4, 5]]


def test_rule_1_3_a_struct_is_made_of_each_of_its_fields_once() -> None:
    assert computed(lambda x: Point(on=x == 0, x=x).x, SInt(4)).found == list(range(-8, 8))
    assert computed(lambda x: Point(x, x == 0).on, SInt(4)).found == [n == 0 for n in range(-8, 8)]
    point: Any = Point
    programs: tuple[Callable[[Signal], object], ...] = (
        point,
        lambda x: point(x, 1, 1),
        lambda x: point(x, x=x),
        lambda x: point(x, off=1),
    )
    for program in programs:
        assert "expected: each field once: x, on" in refuses(program, SInt(4))


def test_rule_1_4_an_array_of_structs_has_its_axes_before_those_of_each_signal() -> None:
    @function(lines=Line.array(2))
    def second(lines: Line) -> Line:
        assert (lines.start.x.type, lines.through.type) == (SInt(4).array(2), UInt(3).array(2, 2))
        first, last = lines
        assert (type(first), len(lines)) == (Line, 2)
        return last

    found = outputs(
        second,
        lines_start_x=[[-8, 7]],
        lines_start_on=[[0, 1]],
        lines_through=[[[1, 2], [3, 4]]],
    )
    assert found == {"start_x": [7], "start_on": [1], "through": [[3, 4]]}
    assert Line.array(3).array(2) == Line.array(2, 3)
    assert "expected: an array of structs" in refuses(list, Point)


def test_rule_1_5_structs_and_states_never_change() -> None:
    def assigned(s: Held) -> tuple[Held, Signal]:
        s.n = const(UInt(4), 3)
        return s, s.n

    assert "do:       write replace(x, n=...)" in refused(stepped, Held, assigned)
    counter = stepped(Held, lambda s: (hdl.replace(s, n=hdl.wrap(s.n + 1, 4)), s.n))
    assert free(counter, 3) == {"out": [0, 1, 2]}
    changes: tuple[dict[str, int], ...] = ({"n": 16}, {"m": 1}, {"on": 2})
    for change in changes:

        def changed(s: Held, change: dict[str, int] = change) -> Held:
            return hdl.replace(s, **change)

        assert "expected" in refused(stepped, Held, changed)
    assert "put(x, i, value)" in refuses(lambda a: a.__setitem__(0, 1), UInt(2).array(3))


def test_rule_1_6_there_is_no_x_and_no_z() -> None:
    class Any3(State):
        r: Signal = reg(SInt(3), reset=None)

    itself = stepped(Any3, lambda s: (s, s.r == +s.r))
    inside = stepped(Any3, lambda s: (s, (s.r >= -4) & (s.r <= 3)))
    value = stepped(Any3, lambda s: (s, s.r))
    seen = set()
    for seed in range(16):
        assert free(itself, 2, seed=seed) == free(inside, 2, seed=seed) == {"out": [1, 1]}
        seen |= set(free(value, 2, seed=seed)["out"])
    assert len(seen) > 1


def test_rule_1_7_what_has_no_bits_is_0_and_is_absent_from_verilog() -> None:
    zero = (UInt(0), SInt(0), Bits(0))
    assert all((kind.low, kind.high) == (0, 0) for kind in zero)
    assert computed(lambda a, b: a + b, UInt(0), UInt(2)).found == [0, 1, 2, 3]
    assert computed(lambda a, b: a - b, UInt(0), UInt(0)) == (SInt(1), [0], [(0, 0)])
    assert computed(lambda a: -a, UInt(0))[:2] == (SInt(1), [0])
    assert computed(lambda a, b: a * b, SInt(0), UInt(2))[:2] == (SInt(3), [0, 0, 0, 0])
    assert computed(lambda a, b: a < b, SInt(0), SInt(2)).found == [0, 0, 0, 1]
    assert computed(lambda a, b: a == b, Bits(0), Bits(0)).found == [1]
    assert computed(lambda a, b: hdl.cat(a, b, a), Bits(0), UInt(2))[:2] == (Bits(2), [0, 1, 2, 3])
    assert computed(lambda a: hdl.saturate(a, SInt(0)), SInt(3)).found == [0] * 8
    assert computed(lambda a: hdl.wrap(a, SInt(4)), SInt(0))[:2] == (SInt(4), [0])
    assert computed(lambda a: hdl.pack(hdl.unpack(UInt(0).array(3), a)), Bits(0)).kind == Bits(0)
    assert computed(lambda a, n: a[n], UInt(0), UInt(1)).found == [0, 0]


def test_rule_1_7_state_and_ports_without_bits() -> None:
    class Empty(State):
        r: Signal = reg(UInt(0), reset=0)
        nothing: Memory = mem(Bits(0), 2, reads=("sync",), initial=[0])
        only: Memory = mem(UInt(2), 3, reads=("async",), initial=[1, 2, 3])

    class Out(Struct):
        none: Signal = of(Bits(0))
        at_0: Signal = of(UInt(2))

    @module(Empty, a=UInt(0), x=UInt(2))
    def program(s: Empty, a: Signal, x: Signal) -> tuple[Empty, Out]:
        nothing, none = s.nothing.read(x)
        only, at_0 = s.only.read(a)
        after = Empty(a, nothing.write(x, hdl.as_bits(s.r)), only.write(a, x))
        return after, Out(none, at_0)

    assert outputs(program, a=[0, 0, 0], x=[3, 2, 1]) == {"none": [0] * 3, "at_0": [1, 3, 2]}
    names = [port.name for port in to_verilog(program.ir).ports]
    assert names == ["x", "at_0"]


def test_rule_1_8_where_a_type_is_asked_for_only_that_type_will_do() -> None:
    class Cells(State):
        ram: Memory = mem(UInt(4), 4, reads=())

    @function(a=UInt(4))
    def callee(a: Signal) -> Signal:
        return a

    array = UInt(4).array(2)
    for kind in (UInt(5), UInt(3), SInt(4), Bits(4), UInt(4).array(1)):
        programs: tuple[Callable[..., object], ...] = (
            Nibble,
            callee,
            lambda x: hdl.connect(hdl.wire(UInt(4)), x),
            lambda x: hdl.put(const(array, 0), 0, x),
            lambda x: hdl.shift_in(x, const(array, 0)),
        )
        for program in programs:
            assert f"came:     {kind}" in refuses(program, kind)
        came = f"came:     {kind}"
        assert came in refused(stepped, Cells, lambda s, x: s.ram.write(0, x), kind)
        assert came in refused(stepped, Held, lambda s, x: hdl.replace(s, n=x), kind)


# Chapter 2: what is Python's.


@pytest.mark.parametrize("number", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_rule_2_1_an_int_is_one_of_pythons_or_of_numpys(number: Any) -> None:
    programs: tuple[Callable[[Signal], Signal], ...] = (
        lambda x: x + number,
        lambda x: number - x,
        lambda x: x & number,
        lambda x: number ^ x,
        lambda x: number < x,
        lambda x: x << number,
        lambda x: x >> number,
        lambda x: x[number],
        lambda x: hdl.mux(x == number, number, x),
        lambda x: hdl.switch(x, {1: number}, x),
        lambda x: const(UInt(4), number),
        lambda x: hdl.wrap(x, number),
        lambda x: hdl.shift_left(x, number, 4),
    )
    known = [program(3) for program in _ON_INTS]
    for program, f in zip(programs, known, strict=True):
        kind, found, given = computed(program, UInt(4))
        assert found == [kind.form.wrap(int(f(x))) for (x,) in given]


_ON_INTS: tuple[Callable[[int], Callable[[int], int]], ...] = (
    lambda n: lambda x: x + n,
    lambda n: lambda x: n - x,
    lambda n: lambda x: x & n,
    lambda n: lambda x: n ^ x,
    lambda n: lambda x: n < x,
    lambda n: lambda x: x << n,
    lambda n: lambda x: x >> n,
    lambda n: lambda x: x >> n & 1,
    lambda n: lambda x: n if x == n else x,
    lambda n: lambda x: n if x == 1 else x,
    lambda n: lambda x: n,
    lambda n: lambda x: x,
    lambda n: lambda x: x << n,
)


@pytest.mark.parametrize("other", [1.0, "1", None, np.ones(2), np.float32(1), [1]])
def test_rule_2_1_nothing_else_is_an_int(other: Any) -> None:
    programs: tuple[Callable[[Signal], object], ...] = (
        lambda x: x + other,
        lambda x: x == other,
        lambda x: x | other,
        lambda x: x << other,
        lambda x: hdl.mux(x == 0, x, other),
        lambda x: const(UInt(4), other),
        lambda _: nibble(other),
    )
    for program in programs:
        assert "expected" in refuses(program, UInt(4))


def test_rule_2_2_an_int_takes_the_type_that_is_asked_for_and_must_fit() -> None:
    assert kind_of(lambda x: hdl.mux(x, const(SInt(5), 1), -16), Bool) == SInt(5)
    assert kind_of(lambda x: x & 15, UInt(4)) == UInt(4)
    programs: tuple[Callable[[Any], object], ...] = (
        lambda x: hdl.mux(x == 0, x, 16),
        lambda x: hdl.mux(x == 0, -1, x),
        lambda x: x & 16,
        lambda x: x ^ -1,
        lambda x: x == 16,
        lambda x: x >= -1,
        lambda x: hdl.switch(x, {16: x}, x),
        lambda x: hdl.stack(x, 16),
        lambda x: hdl.put(hdl.stack(x), 0, 16),
        lambda _: nibble(16),
        lambda _: made(lambda y: y, UInt(4))(16),
        lambda _: hdl.connect(hdl.wire(UInt(4)), 16),
        lambda x: hdl.shift_in(16, hdl.stack(x)),
    )
    for program in programs:
        assert "0 to 15" in refuses(program, UInt(4))
    for kind, unfit in ((Bits(4), -1), (Bool, 2), (SInt(4), 8)):
        for number in (unfit, np.int64(unfit)):
            program = _choosing(number)
            assert f"{kind}: {kind.low} to {kind.high}" in refuses(program, kind)


def _choosing(number: Any) -> Callable[[Signal], Signal]:
    return lambda x: hdl.mux(const(Bool, 1), x, number)


def test_rule_2_2_an_int_stands_for_all_elements_of_an_array() -> None:
    assert constant_of(lambda: hdl.pack(const(UInt(4).array(3), 5))) == 0x555
    assert constant_of(lambda: hdl.mux(const(Bool, 0), const(UInt(4).array(2), [1, 2]), 7)) == [
        7,
        7,
    ]
    assert constant_of(lambda: hdl.stack(const(UInt(4).array(2), [1, 2]), 3)) == [[1, 2], [3, 3]]
    rows = lambda: hdl.put(const(UInt(4).array(2, 2), 1), 1, 9)  # noqa: E731
    assert constant_of(rows) == [[1, 1], [9, 9]]


def test_rule_2_3_an_int_in_arithmetic_has_its_least_width() -> None:
    known = {0: UInt(0), 1: UInt(1), 5: UInt(3), 8: UInt(4), -1: SInt(1), -2: SInt(2), -8: SInt(4)}
    for number, least in known.items():
        for kind in (UInt(3), SInt(5)):
            like = kind_of(lambda x, y: x + y, kind, least)
            assert kind_of(lambda x, number=number: x + number, kind) == like
            product = kind_of(lambda x, y: x * y, kind, least)
            assert kind_of(lambda x, number=number: number * x, kind) == product
    for program in (lambda x: x + True, lambda x: False * x):
        assert "bool beside" in refuses(program, UInt(4))


def test_rule_2_4_true_and_false_are_1_and_0_where_a_type_is_asked_for() -> None:
    assert computed(lambda x: hdl.mux(x, False, x), Bool).found == [0, 0]
    assert computed(lambda x: x ^ True, Bool).found == [1, 0]
    assert computed(lambda x: x == False, Bool).found == [1, 0]  # noqa: E712
    assert computed(lambda x: hdl.switch(x, {True: const(UInt(2), 2)}, 0), Bool).found == [0, 2]


def test_rule_2_5_a_constant_is_of_one_number_or_of_all_elements() -> None:
    rows = [[1, 2, 3], [4, 5, 6]]
    alike: tuple[Any, ...] = (rows, np.array(rows), tuple(map(tuple, rows)), range(1, 7))
    for data in alike:
        assert constant_of(const, UInt(3).array(2, 3), data) == rows
    assert constant_of(lambda: const(SInt(3).array(2, 2), -4)) == [[-4, -4], [-4, -4]]
    unfit: tuple[Any, ...] = (
        *([1, 2], [[1, 2, 3], [4]], [[1, 2], [3, 4], [5, 6]], [], [0, 1, 2, 3, 4, 8]),
        *(8, -1, 1.0, "1", None, np.ones((2, 3)), [1.5] * 6),
    )
    for data in unfit:
        told = refused(constant_of, const, UInt(3).array(2, 3), data)
        assert "expected: numbers from 0 to 7: one, or of the shape [2, 3]" in told


def test_rule_2_6_what_python_asks_of_its_own_values_is_refused_at_its_line() -> None:
    def chosen(x: Signal) -> Signal:
        if x == 0:
            return x
        return ~x

    def looped(x: Signal) -> Signal:
        while x:
            x = x >> 1
        return x

    truths: tuple[Callable[[Any], object], ...] = (
        chosen,
        looped,
        lambda x: x and x,
        lambda x: x or x,
        lambda x: not x,
        lambda x: x in (1, 2),
        lambda x: 1 < x < 3,
        lambda x: [n for n in range(3) if x == n],
        lambda x: max(x, x),
    )
    for program in truths:
        told = refuses(program, UInt(4))
        assert f"{__file__}:" in told
        assert "Python asks whether" in told
    asked: tuple[Callable[[Any], object], ...] = (
        *(int, range, float, bin, len, list, abs, np.sum, np.array),
        lambda x: [1, 2][x],
        lambda x: x[0:x],
        lambda x: x // 2,
        lambda x: x % 2,
        lambda x: x / 2,
        lambda x: x**2,
        lambda x: 1 << x,
        lambda x: divmod(x, 2),
        lambda x: x @ x,
        lambda x: np.where(x == 0, x, x),
        lambda x: x.__setitem__(0, 1),
    )
    for program in asked:
        assert "expected" in refuses(program, UInt(4))
    of_structs: tuple[Callable[[Any, Any], object], ...] = (
        *(operator.eq, operator.ne, operator.add, operator.and_, operator.lt),
        lambda p, _: not p,
        lambda p, q: p and q,
    )
    for of_two in of_structs:
        assert "expected" in refuses(of_two, Point, Point)
