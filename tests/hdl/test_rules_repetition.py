"""Rules of docs/hdl-semantics.md, chapter 15: repetition in space."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.hdl.rules import Program, computed, constant_of, kind_of, made, outputs, refused, refuses
from zhufeng import hdl
from zhufeng.hdl import (
    Bits,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    const,
    fold,
    function,
    instance,
    ir,
    mem,
    module,
    of,
    reg,
    tree,
    vmap,
    wrap,
)
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.verilog import to_verilog

DRAW = np.random.default_rng(15)
GRID = DRAW.integers(0, 16, (3, 4))
ROW = DRAW.integers(0, 16, 4)
any_vmap: Any = vmap
any_fold: Any = fold
any_total: Any = hdl.total


def grid() -> Signal:
    """The numbers of GRID."""
    return const(UInt(4).array(3, 4), GRID)


def row() -> Signal:
    """The numbers of ROW."""
    return const(UInt(4).array(4), ROW)


class Point(Struct):
    """Two numbers."""

    x: Signal = of(UInt(4))
    y: Signal = of(UInt(4))


@function(a=UInt(4), b=UInt(4))
def less(a: Signal, b: Signal) -> Signal:
    """The difference."""
    return a - b


def test_rule_15_1_vmap_is_the_function_for_each_element_along_the_first_axis() -> None:
    def double(x: Signal) -> Signal:
        return x + x

    assert constant_of(lambda: vmap(double)(grid())) == (2 * GRID).tolist()
    assert constant_of(lambda: vmap(hdl.total)(grid())) == GRID.sum(1).tolist()
    assert constant_of(lambda: vmap(less)(row(), row()[::-1])) == (ROW - ROW[::-1]).tolist()
    pairs = constant_of(lambda: vmap(lambda a, b: (a + b, Point(a, b)))(row(), row())[1].y)
    assert pairs == ROW.tolist()
    outside = constant_of(lambda: vmap(lambda a: a + row()[0])(row()))
    assert outside == (ROW + ROW[0]).tolist()
    assert constant_of(lambda: vmap(lambda _: const(UInt(4), 5))(row())) == [5] * 4


def test_rule_15_2_in_axes_names_the_axis_of_each_argument() -> None:
    def less_of(*axes: Any) -> Any:
        return constant_of(lambda: vmap(lambda a, b: a - b, axes)(grid(), grid()))

    assert less_of(0, 0) == (GRID - GRID).tolist()
    assert constant_of(lambda: vmap(hdl.total, 1)(grid())) == GRID.sum(0).tolist()
    assert constant_of(lambda: vmap(hdl.total, -1)(grid())) == GRID.sum(0).tolist()
    by_row = constant_of(lambda: vmap(lambda a, b: a - b, [0, None])(grid(), row()))
    assert by_row == (GRID - ROW).tolist()
    assert constant_of(lambda: vmap(lambda a, n: a + n)(row(), 3)) == (ROW + 3).tolist()
    mixed = constant_of(lambda: vmap(lambda a, b: a - b, (1, 0))(grid(), row()))
    assert mixed == (GRID.T - ROW[:, None]).tolist()
    programs: dict[str, Program] = {
        "arrays of one length": vmap(less),
        "an array with an axis 2": lambda x, _: vmap(hdl.total, 2)(x),
        "an array with an axis -3": lambda x, _: vmap(hdl.total, -3)(x),
        "2 arguments, as in_axes has": lambda x, _: vmap(hdl.total, (0, 0))(x),
        "arguments by position": lambda x, y: any_vmap(less)(a=x, b=y),
        "came:     no array": lambda x, _: vmap(hdl.total, None)(x),
        "expected: signals": lambda x, _: vmap(lambda _: 3)(x),
        "came:     ndarray": lambda x, _: any_vmap(operator.add)(x, np.arange(4)),
    }
    for told, program in programs.items():
        assert told in refuses(program, UInt(4).array(4, 2), UInt(4).array(3, 2))


def test_rule_15_3_vmap_in_vmap_is_every_pair() -> None:
    def table() -> object:
        each = vmap(vmap(lambda a, b: a * b, (None, 0)), (0, None))
        return each(row(), row()[0:3])

    assert constant_of(table) == np.outer(ROW, ROW[:3]).tolist()
    deep = constant_of(lambda: vmap(vmap(vmap(lambda a: a + 1)))(const(UInt(4).array(2, 2, 2), 3)))
    assert deep == [[[4, 4], [4, 4]], [[4, 4], [4, 4]]]


def test_rule_15_4_a_call_in_a_vmap_is_an_array_of_instances() -> None:
    held = made(vmap(vmap(less, (0, None)), (0, 0)), *GRIDS)
    found = outputs(held, x0=[GRID], x1=[ROW[:3]])["out"][0]
    assert found == (GRID - ROW[:3, None]).tolist()
    (one,) = held.ir.instances.values()
    assert (one.module, one.shape) == (less.ir, (3, 4))


GRIDS = (UInt(4).array(3, 4), UInt(4).array(3))


def test_rule_15_5_an_element_leaves_a_vmap_by_return_alone() -> None:
    class Held(State):
        n: Signal = reg(UInt(4), reset=0)

    def kept(x: Signal) -> Signal:
        found: list[Signal] = []
        vmap(found.append)(x)
        return found[0]

    for use in (lambda a: a, lambda a: a + 1, lambda a: vmap(lambda b: a ^ b)(hdl.stack(1 * a))):
        program: Callable[[Signal], object] = use
        told = refuses(lambda x, program=program: program(kept(x)), UInt(4).array(3))
        assert "is used outside of its vmap" in told
    stored = refused(
        lambda: module(Held, x=UInt(4).array(3))(lambda_named(lambda s, x: (Held(kept(x)), s.n)))
    )
    assert "is used outside of its vmap" in stored


def lambda_named(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a state and an input x."""

    def step(s: Any, x: Signal) -> Any:
        return f(s, x)

    return step


def test_rule_15_6_fold_is_a_chain_that_hands_on_a_carry() -> None:
    for length in (1, 2, 3, 7):
        numbers = DRAW.integers(0, 16, length)
        carries = [1]
        for number in numbers.tolist():
            carries.append((carries[-1] * 3 + number) % 256)
        known = [carries[-1], *(before ^ 1 for before in carries[:-1])]
        assert constant_of(chained, numbers) == known


def chained(numbers: Any) -> Signal:
    """The last carry of a chain, then what stood beside each."""

    def link(carry: Signal, x: Signal) -> tuple[Signal, Signal]:
        return wrap(carry * 3 + x, 8), carry ^ 1

    elements = const(UInt(4).array(len(numbers)), numbers)
    last, seen = fold(link, const(UInt(8), 1), elements)
    return hdl.join(hdl.stack(last), seen)


class Carried(NamedTuple):
    """What a chain hands on."""

    point: Point
    steps: Signal


def test_rule_15_6_carry_and_elements_may_be_structs_and_tuples() -> None:
    def program(points: Point) -> Point:
        def link(carry: Carried, one: tuple[Point, Signal]) -> tuple[Carried, Point]:
            added = Point(carry.point.x ^ one[0].x, wrap(carry.point.y + one[1], 4))
            return Carried(added, wrap(carry.steps + 1, 4)), carry.point

        start = Carried(Point(const(UInt(4), 0), const(UInt(4), 0)), const(UInt(4), 7))
        last, before = fold(link, start, (points, points.y))
        return hdl.stack(last.point, before[1], Point(last.steps, last.steps))

    x, y = [3, 5, 9], [1, 2, 4]
    found = outputs(made(program, Point.array(3)), x0_x=[x], x0_y=[y])
    assert found == {"x": [[3 ^ 5 ^ 9, 3, 10]], "y": [[7, 1, 10]]}


def test_rule_15_6_a_chain_may_be_longer_than_pythons_stack() -> None:
    length = 1500
    bits = DRAW.integers(0, 2, (1, length))

    def program(x: Signal) -> Signal:
        count, _ = fold(lambda c, y: (wrap(c + y, 12), None), const(UInt(12), 0), x)
        return count

    run = interpret(made(program, UInt(1).array(length)).ir, {"x0": bits[:, None]})
    assert run.outputs["out"].tolist() == [[bits.sum()]]


def test_rule_15_7_the_carry_keeps_its_type_and_a_link_returns_a_pair() -> None:
    programs: dict[str, Callable[[Signal, Signal], Any]] = {
        "came:     UInt(5)": lambda c, x: (c + x, None),
        "came:     UInt(4)": lambda c, _: c,
        "came:     NoneType": lambda _, __: None,
        "came:     ((UInt(4), UInt(4)), NoneType)": lambda c, _: ((c, c), None),
        "what fold gives beside the carry": lambda c, _: (c, 3),
    }
    for told, link in programs.items():
        assert told in refuses(lambda x, link=link: any_fold(link, x[0], x), UInt(4).array(3))
    known: dict[str, Program] = {
        "what enters fold": lambda x: any_fold(lambda c, _: (c, c), 0, x),
        "the elements of fold": lambda x: any_fold(lambda c, _: (c, c), x[0], range(3)),
        "arrays of one length": lambda x: any_fold(lambda c, _: (c, c), x[0], x[0]),
    }
    for told, program in known.items():
        assert told in refuses(program, UInt(4).array(3))
    uneven = refuses(
        lambda x, y: any_fold(lambda c, _: (c, c), x[0], (x, y)), UInt(4).array(3), UInt(4).array(2)
    )
    assert "arrays of one length" in uneven


def test_rule_15_8_folds_vmaps_and_calls_nest() -> None:
    def hashed(carry: Signal, x: Signal) -> tuple[Signal, None]:
        return wrap(carry * 5 + less(x, hdl.wrap(carry, UInt(4))), SInt(8)), None

    def python(start: int, numbers: Sequence[int]) -> int:
        def link(carry: int, x: int) -> int:
            return SInt(8).form.wrap(carry * 5 + x - carry % 16)

        return functools.reduce(link, numbers, start)

    def start() -> Signal:
        return const(SInt(8), 1)

    rows = constant_of(lambda: vmap(lambda x: fold(hashed, start(), x)[0])(grid()))
    assert rows == [python(1, numbers) for numbers in GRID.tolist()]

    def outer(carry: Signal, numbers: Signal) -> tuple[Signal, Signal]:
        after, _ = fold(hashed, carry, numbers)
        return after, hdl.total(vmap(lambda x: x + numbers[0])(numbers))

    def nested() -> Signal:
        last, sums = fold(outer, start(), grid())
        return hdl.join(hdl.stack(last), hdl.wrap(sums, SInt(8)))

    sums = [SInt(8).form.wrap(int(numbers.sum() + 4 * numbers[0])) for numbers in GRID]
    assert constant_of(nested) == [python(1, GRID.reshape(-1).tolist()), *sums]


def test_rule_15_9_a_link_holds_no_state() -> None:
    class Count(State):
        n: Signal = reg(UInt(4), reset=0)

    @module(Count)
    def count(s: Count) -> tuple[Count, Signal]:
        return s, s.n

    class Held(State):
        inner: Count = instance(count)
        cells: Memory = mem(UInt(4), 4, reads=("async",))

    def calls(s: Any, x: Signal) -> Any:
        return s, fold(lambda c, _: (c, count(s.inner)[1]), x[0], x)[1]

    def reads(s: Any, x: Signal) -> Any:
        return s, fold(lambda c, _: (c, s.cells.read(0)[1]), x[0], x)[1]

    for program in (calls, reads):
        told = refused(module(Held, x=UInt(4).array(3)), lambda_named(program))
        assert "a link" in told

    def leaves(x: Signal) -> Signal:
        seen: list[Signal] = []

        def link(c: Signal, one: Signal) -> tuple[Signal, None]:
            seen.append(one)
            return c, None

        fold(link, x[0], x)
        return seen[0]

    assert "return it from the function that fold calls" in refuses(leaves, UInt(4).array(3))


def paired(numbers: Sequence[int], f: Callable[[int, int], int]) -> int:
    """The tree, on Python's integers."""
    found = list(numbers)
    while len(found) > 1:
        pairs = [f(a, b) for a, b in zip(found[::2], found[1::2], strict=False)]
        found = [*pairs, *found[len(pairs) * 2 :]]
    return found[0]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8, 13])
def test_rule_15_10_a_tree_joins_neighbours_and_hands_on_the_one_left_over(length: int) -> None:
    numbers = DRAW.integers(0, 16, length)

    def program() -> Signal:
        return tree(lambda a, b: a - b, const(UInt(4).array(length), numbers))

    found = constant_of(program)
    assert found == paired(numbers.tolist(), operator.sub)
    assert kind_of(lambda: hdl.total(const(UInt(4).array(8), 1))) == UInt(7)


@pytest.mark.parametrize("length", [1, 2, 3, 6, 7])
def test_rule_15_10_a_tree_joins_structs_and_tuples_as_wholes(length: int) -> None:
    numbers = DRAW.integers(0, 16, length)

    def best(a: Point, b: Point) -> Point:
        return hdl.mux(a.x < b.x, b, a)

    def of_structs(p: Point) -> Point:
        return tree(best, p)

    found = outputs(
        function(p=Point.array(length))(of_structs),
        p_x=[numbers],
        p_y=[np.arange(length)],
    )
    assert found == {"x": [numbers.max()], "y": [numbers.argmax()]}

    def of_tuples() -> Signal:
        x = const(UInt(4).array(length), numbers)
        most, sum_ = tree(
            lambda a, b: (hdl.mux(a[0] < b[0], b[0], a[0]), a[1] + b[1]),
            (x, x),
        )
        return hdl.stack(wrap(most, 12), wrap(sum_, 12))

    assert constant_of(of_tuples) == [numbers.max(), numbers.sum()]


def test_rule_15_10_what_is_left_over_must_fit_beside_the_results() -> None:
    for f in (lambda a, _: wrap(a, 2), operator.eq, hdl.cat):
        joined: Any = f
        told = refuses(lambda x, joined=joined: tree(joined, x), UInt(4).array(3))
        assert "a result that has every UInt(4)" in told
    assert computed(lambda x: tree(hdl.cat, hdl.stack(*[x] * 4)), Bits(1)).found == [0, 15]
    assert "expected: a signal" in refuses(lambda x: any_total([x, x]), UInt(4))
    assert "expected: arrays of one length" in refuses(hdl.total, UInt(4))


def test_rule_15_11_what_is_repeated_is_one_operation_whatever_the_size() -> None:
    def program(x: Signal) -> Signal:
        last, _ = fold(lambda c, y: (wrap(c + y, 4), None), x[0], vmap(lambda a: ~a)(x))
        return vmap(less, (0, None))(x, last)

    small, large = (made(program, UInt(4).array(size)).ir for size in (2, 64))
    assert ir.print_ir(small).count("\n") == ir.print_ir(large).count("\n")
    texts = [to_verilog(one).files["traced.sv"] for one in (small, large)]
    assert texts[0].count("\n") == texts[1].count("\n")
    assert texts[1].count("for (genvar") >= 2
