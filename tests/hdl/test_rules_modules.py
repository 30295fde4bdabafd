"""Rules of docs/hdl-semantics.md, chapters 10 to 12: modules, state, instances."""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.hdl.rules import free, lanes, outputs, refused, refuses, stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Bool,
    Function,
    Memory,
    Module,
    Signal,
    State,
    Struct,
    Type,
    UInt,
    assert_,
    const,
    function,
    inline,
    instance,
    ir,
    mem,
    module,
    mux,
    of,
    reg,
    vmap,
    wrap,
)
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.verilog import to_verilog


class Count(State):
    """A number that goes up."""

    n: Signal = reg(UInt(4), reset=3)


@module(Count, by=UInt(4))
def count(s: Count, by: Signal) -> tuple[Count, Signal]:
    """Adds what comes in."""
    return Count(n=wrap(s.n + by, 4)), s.n


class Two(Struct):
    """Two signals."""

    a: Signal = of(UInt(4))
    b: Signal = of(Bool)


class Nested(Struct):
    """A struct beside a signal."""

    two: Two = of(Two)
    c: Signal = of(UInt(2))


class Nothing(Struct):
    """No signal."""


# Chapter 10: modules.


def test_rule_10_1_a_function_is_traced_once_with_an_input_for_each_type() -> None:
    calls: list[str] = []

    @function(a=UInt(4))
    def noted(a: Signal, more: int = 2) -> Signal:
        calls.append("traced")
        return a + more

    assert outputs(noted, a=[1, 2, 3])["out"] == [3, 4, 5]
    assert calls == ["traced"]
    unfit: tuple[tuple[Callable[..., Any], dict[str, Type]], ...] = (
        (lambda: 1, {"a": UInt(4)}),
        (lambda a, b: a, {}),
        (lambda a, b, c: a, {"a": UInt(4)}),
        (lambda a: a, {"a": UInt(4), "b": UInt(4)}),
    )
    for f, types in unfit:
        f.__name__ = "called"
        assert "the arguments of called" in refused(function(**types), f)
        assert "the arguments of called" in refused(module(Count, **types), f)
    assert "the name of a module" in refused(function(a=UInt(4)), lambda a: a)


def test_rule_10_2_a_call_gives_each_input_once_by_position_or_name() -> None:
    @function(a=UInt(4), b=UInt(2))
    def less(a: Signal, b: Signal) -> Signal:
        return a - b

    any_less: Any = less
    three_less: Callable[..., Signal] = any_less

    @function(a=UInt(4), b=UInt(2))
    def calls(a: Signal, b: Signal) -> Signal:
        return hdl.stack(less(a, b), less(b=b, a=a), less(a, b=b), three_less(b=3, a=1))

    assert outputs(calls, a=[9], b=[2])["out"] == [[7, 7, 7, -2]]
    programs: tuple[Callable[[Signal, Signal], object], ...] = (
        lambda a, _: any_less(a),
        lambda a, b: any_less(a, b, a),
        lambda a, b: any_less(a, b, a=a),
        lambda a, b: any_less(a, c=b),
    )
    for program in programs:
        assert "expected: a, b" in refuses(program, UInt(4), UInt(2))


def test_rule_10_3_ports_are_called_as_arguments_and_fields() -> None:
    @function(x=Nested, y=UInt(1))
    def through(x: Nested, y: Signal) -> Nested:
        del y
        return x

    assert list(through.ir.inputs) == ["x_two_a", "x_two_b", "x_c", "y"]
    assert list(through.ir.outputs) == ["two_a", "two_b", "c"]
    assert list(count.ir.outputs) == ["out"]

    def two_of_one_name() -> object:
        class Clash(Struct):
            two: Two = of(Two)
            two_a: Signal = of(UInt(4))

        return Clash

    assert "two signals that are called so" in refused(two_of_one_name)

    def clashing(x: Two, x_a: Signal) -> Signal:
        del x
        return x_a

    assert "expected: names that differ" in refused(function(x=Two, x_a=UInt(1)), clashing)
    assert stepped(Count, lambda s: (s, Nothing())).ir.outputs == {}
    for what in (None, 3, (1, 2), [1], {"x": 1}, UInt(3), object()):
        assert "expected: a signal or a Struct" in refuses(lambda _, what=what: what, UInt(4))


def test_rule_10_4_a_module_without_state_is_called_any_number_of_times() -> None:
    @function(a=UInt(4))
    def next_one(a: Signal) -> Signal:
        return wrap(a + 1, 4)

    @function(a=UInt(4))
    def thrice(a: Signal) -> Signal:
        return next_one(next_one(next_one(a)))

    assert outputs(thrice, a=range(16))["out"] == [(n + 3) % 16 for n in range(16)]
    assert list(thrice.ir.instances) == ["next_one", "next_one_1", "next_one_2"]


def test_rule_10_5_a_value_belongs_to_the_module_under_trace() -> None:
    kept: list[Any] = []

    @function(a=UInt(4))
    def keeps(a: Signal) -> Signal:
        kept.append(a)
        return a

    del keeps
    assert "UInt(4) of keeps is used in traced" in refuses(lambda a: a + kept[0], UInt(4))
    assert "UInt(4) of keeps is used in traced" in refuses(lambda _: kept[0], UInt(4))
    assert "hardware outside a module" in refused(lambda: kept[0] + 1)
    assert "hardware outside a module" in refused(const, UInt(4), 1)

    def inner(a: Signal) -> Signal:
        @function(b=UInt(4))
        def closes_over(b: Signal) -> Signal:
            return a ^ b

        return closes_over(a)

    assert "give it to the module as an input" in refuses(inner, UInt(4))


def adds(amount: int, name: str = "adds") -> Function[..., Signal]:
    """A generator: the module of an amount."""

    def step(a: Signal) -> Signal:
        return wrap(a + amount, 4)

    step.__name__ = name
    return function(a=UInt(4))(step)


def test_rule_10_6_equal_modules_share_a_file_and_unequal_ones_get_a_number() -> None:
    @function(a=UInt(4))
    def top(a: Signal) -> Signal:
        return adds(2)(adds(1)(adds(1)(adds(1, "other")(a))))

    files = to_verilog(top.ir).files
    assert sorted(files) == ["adds.sv", "adds__2.sv", "other.sv", "top.sv"]
    assert outputs(top, a=[0, 14])["out"] == [5, 3]


def test_rule_10_6_a_number_is_not_one_that_another_module_has() -> None:
    three = [adds(1), adds(2), adds(5, "adds__2")]

    @function(x=UInt(4))
    def top(x: Signal) -> Signal:
        return hdl.stack(*(one(x) for one in three))

    assert outputs(top, x=[3]) == {"out": [[4, 5, 8]]}
    assert len(to_verilog(top.ir).files) == 4
    again = ir.parse_ir(ir.print_ir(top.ir))
    run = interpret(again, lanes(x=[3]))
    assert run.outputs["out"].tolist() == [[[4, 5, 8]]]
    assert ir.print_ir(again) == ir.print_ir(top.ir)


def test_rule_10_7_verilog_keeps_the_users_names() -> None:
    class Held(State):
        total: Signal = reg(UInt(8), reset=0)
        out: Signal = reg(UInt(8), reset=0)
        first: Count = instance(count)

    @module(Held, wire=UInt(8), clk=Bool, out=UInt(8), shown=UInt(1))
    def shown(
        s: Held, wire: Signal, clk: Signal, out: Signal, shown: Signal
    ) -> tuple[Held, Signal]:
        masked = mux(clk, wire, out)
        twice = wrap(masked + masked, 8)
        größe = twice ^ 1  # noqa: PLC2401 (a name that Verilog does not have)
        first, _ = count(s.first, const(UInt(4), 1))
        return Held(twice, größe ^ wrap(shown, 8), first), s.total

    made = to_verilog(shown.ir)
    text = made.files["shown.sv"]
    assert [port.name for port in made.ports] == ["wire_", "clk_", "out", "shown_", "out_out"]
    for name in ("masked", "total", "count first"):
        assert name in text
    assert text.isascii()
    assert "größe" in refused(function(größe=UInt(1)), adds(1).step)


def test_a_trace_leaves_a_profiler_as_it_was() -> None:
    def doubled(n: int) -> int:
        return 2 * n

    profiler = cProfile.Profile()
    with profiler:
        traced = adds(1)
        assert doubled(2) == 4
    assert sys.getprofile() is None
    assert "doubled" in {name for _, _, name in pstats.Stats(profiler).stats}  # type: ignore[attr-defined]
    assert ir.print_ir(traced.ir) == ir.print_ir(adds(1).ir)


def test_rule_10_8_inline_is_the_function_itself_in_the_callers_module() -> None:
    class Both(State):
        a: Signal = reg(UInt(4), reset=0)
        b: Signal = reg(UInt(4), reset=7)

    class Out(Struct):
        a: Signal = of(UInt(4))
        b: Signal = of(UInt(4))

    step = inline(count)

    @module(Both)
    def twice(s: Both) -> tuple[Both, Out]:
        one, a = step(Count(n=s.a), const(UInt(4), 1))
        one, _ = step(one, const(UInt(4), 1))
        other, b = step(Count(n=s.b), a)
        return Both(a=one.n, b=other.n), Out(a, b)

    found = free(twice, 4)
    assert found == {"a": [0, 2, 4, 6], "b": [7, 7, 9, 13]}
    assert not twice.ir.instances


# Chapter 11: clock, registers, reset.


def test_rule_11_1_all_registers_take_their_next_value_at_once() -> None:
    class Pair(State):
        a: Signal = reg(UInt(4), reset=1)
        b: Signal = reg(UInt(4), reset=2)

    swapped = stepped(Pair, lambda s: (Pair(a=s.b, b=s.a), Two(s.a, s.b == 1)))
    assert free(swapped, 4) == {"a": [1, 2, 1, 2], "b": [0, 1, 0, 1]}


def run_of(held: Module[Any, ..., Any], reset: Sequence[int], **options: Any) -> list[list[int]]:
    """The output of each lane of a module that counts by 1, [lanes][cycles]."""
    one = np.ones((len(reset), 4), int)
    given = dict.fromkeys(held.ir.inputs, one)
    run = interpret(held.ir, given, cycles=len(reset), reset=reset, **options)
    return [list(map(int, lane)) for lane in run.outputs["out"].T]


def test_rule_11_2_reset_is_synchronous_and_holds_the_reset_value() -> None:
    reset = [0, 1, 1, 0, 0, 1, 0]
    for lane in run_of(count, reset):
        assert lane[1] == (lane[0] + 1) % 16
        assert lane[2:] == [3, 3, 4, 5, 3]
    text = to_verilog(count.ir).files["count.sv"]
    assert "input  logic rst" in text
    assert "always_ff @(posedge clk)" in text


def test_rule_11_3_a_register_without_reset_starts_with_anything_and_ignores_it() -> None:
    class Free(State):
        n: Signal = reg(UInt(16), reset=None)

    held = stepped(Free, lambda s, by: (Free(n=wrap(s.n + by, 16)), s.n), UInt(1))
    found = run_of(held, [0, 1, 1, 0])
    starts = [lane[0] for lane in found]
    assert len(set(starts)) == 4
    assert all(lane == [(lane[0] + n) % 2**16 for n in range(4)] for lane in found)
    assert found == run_of(held, [0, 0, 0, 0], seed=0)
    assert found != run_of(held, [0, 1, 1, 0], seed=1)


def test_rule_11_4_before_the_first_reset_everything_is_anything() -> None:
    assert outputs(count, by=[1, 1, 1])["out"] == [3, 4, 5]
    starts = {run_of(count, [0], seed=seed)[0][0] for seed in range(8)}
    assert len(starts) > 1
    assert run_of(count, [1, 0])[0][1] == 3


def test_rule_11_5_a_reset_is_one_number_or_one_for_each_element() -> None:
    class Rows(State):
        same: Signal = reg(UInt(3).array(2, 2), reset=5)
        rows: Signal = reg(UInt(3).array(2, 2), reset=[[1, 2], [3, 4]])
        flat: Signal = reg(UInt(3).array(2, 2), reset=[1, 2, 3, 4])
        numpy: Signal = reg(UInt(3).array(2, 2), reset=np.array([[1, 2], [3, 4]]))

    held = stepped(Rows, lambda s: (s, hdl.stack(s.same, s.rows, s.flat, s.numpy)))
    assert free(held, 1)["out"] == [[[[5, 5], [5, 5]], *[[[1, 2], [3, 4]]] * 3]]
    unfit: tuple[Any, ...] = (8, -1, [1, 2], [[1, 2], [3, 8]], 1.0, "1")
    for data in unfit:
        assert "the reset of a register" in refused(
            lambda data=data: reg(UInt(3).array(2, 2), reset=data)
        )


def test_rule_11_6_a_step_returns_its_whole_next_state_and_its_outputs() -> None:
    class Pair(State):
        a: Signal = reg(UInt(4), reset=1)
        b: Signal = reg(UInt(4), reset=2)

    any_pair: Any = Pair
    results: tuple[Callable[[Pair], object], ...] = (
        lambda s: s.a,
        lambda s: Pair(s.a, s.b),
        lambda s: (s.a, Pair(s.a, s.b)),
        lambda s: (Pair(s.a, s.b), s.a, s.b),
        lambda s: (Count(s.a), s.a),
        lambda _: None,
        lambda _: (Pair, 1),
    )
    for result in results:
        assert "expected: (Pair(...), outputs)" in refused(stepped, Pair, result)
    for given in ({}, {"a": 1}, {"a": 1, "b": 2, "c": 3}):
        told = refused(lambda given=given: stepped(Pair, lambda s: (any_pair(**given), s.a)))
        assert "expected: each field once: a, b" in told
    wide = refused(stepped, Pair, lambda s: (Pair(s.a + 1, s.b), s.a))
    assert "Pair.a\n  expected: UInt(4)\n  came:     UInt(5)" in wide
    arrays = refused(stepped, Pair, lambda s: (vmap(lambda _: s)(const(UInt(1).array(3), 0)), s.a))
    assert "came:     UInt(4).array(3)" in arrays


def test_rule_11_7_a_state_is_of_registers_memories_and_instances() -> None:
    def declares(**fields: Any) -> Callable[[], type]:
        return lambda: type("Wrong", (State,), fields)

    for fields in ({"n": UInt(4)}, {"n": of(UInt(4))}, {"fields_": reg(UInt(4), reset=0)}):
        assert "Wrong." in refused(declares(**fields))

    class Bare(State):
        n: Signal

    assert "an annotation alone" in refused(stepped, Bare, lambda s: (s, s.n))
    for state in (UInt(4), Two, Count.__init__, None):
        assert "the class of its state" in refused(module, state)


# Chapter 12: instances.


class Parent(State):
    """Two counters."""

    left: Count = instance(count)
    right: Count = instance(count)


def test_rule_12_1_an_instance_is_a_field_and_what_its_call_gives_goes_back_there() -> None:
    def both(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, a = count(s.left, by)
        right, b = count(s.right, a)
        return Parent(left=left, right=right), b

    held = stepped(Parent, both, UInt(4))
    assert outputs(held, x0=[1, 1, 1, 1])["out"] == [3, 6, 10, 15]
    assert list(held.ir.instances) == ["left", "right"]

    def crossed(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, a = count(s.left, by)
        right, _ = count(s.right, by)
        return Parent(left=right, right=left), a

    def dropped(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        _, a = count(s.left, by)
        return s, a

    def elsewhere(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        _, a = count(Count(by), by)
        return s, a

    known = {
        crossed: "came:     s.right",
        dropped: "came:     its state of before the call",
        elsewhere: "declare a field with instance(count)",
    }
    for program, told in known.items():
        assert told in refused(stepped, Parent, program, UInt(4))


def test_rule_12_2_an_instance_is_called_at_most_once() -> None:
    def twice(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, _ = count(s.left, by)
        left, a = count(left, by)
        return Parent(left, s.right), a

    def again(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, _ = count(s.left, by)
        _, a = count(s.left, by)
        return Parent(left, s.right), a

    for program in (twice, again):
        assert "left is called twice in a cycle" in refused(stepped, Parent, program, UInt(4))

    def once(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, a = count(s.left, by)
        return Parent(left, s.right), a

    held = stepped(Parent, once, UInt(4))
    assert list(held.ir.instances) == ["left"]
    assert "right" not in to_verilog(held.ir).files["traced.sv"]


def test_rule_12_1_a_field_may_be_called_as_a_function_that_is_called() -> None:
    class Alike(State):
        adds: Signal = reg(UInt(4), reset=0)
        count: Count = instance(count)
        cells: Memory = mem(UInt(4), 2, reads=["async"], initial=[6, 7])

    cells, link = adds(1, "cells"), adds(2, "count")

    @module(Alike)
    def top(s: Alike) -> tuple[Alike, Signal]:
        def adds(c: Signal, y: Signal) -> tuple[Signal, None]:
            return wrap(c + y, 4), None

        folded, _ = hdl.fold(adds, s.adds, const(UInt(4).array(2), [1, 2]))
        given = link(folded)
        after, counted = count(s.count, given)
        memory, first = s.cells.read(0)
        stored = memory.write(1, cells(first))
        return Alike(folded, after, stored), hdl.stack(given, counted, cells(first))

    assert free(top, 3)["out"] == [[5, 3, 7], [8, 8, 7], [11, 0, 7]]
    assert not {"adds", "count", "cells"} & {*top.ir.folds}
    assert set(top.ir.instances) == {"count", "count_1", "cells_1", "cells_2"}


def test_rule_12_3_an_array_of_instances_is_called_by_vmap() -> None:
    class Rows(State):
        cells: Count = instance(count, 2, 3)

    def all_of(s: Rows, by: Signal) -> tuple[Rows, Signal]:
        cells, out = vmap(vmap(count))(s.cells, by)
        return Rows(cells), out

    held = stepped(Rows, all_of, UInt(4).array(2, 3))
    by = np.arange(6).reshape(1, 2, 3).repeat(3, 0)
    assert np.array_equal(outputs(held, x0=by)["out"], [(3 + n * by[0]) % 16 for n in range(3)])

    def one_for_all(s: Parent, by: Signal) -> tuple[Parent, Signal]:
        left, out = vmap(count, in_axes=(None, 0))(s.left, by)
        return Parent(left, s.right), out

    def direct(s: Rows, by: Signal) -> tuple[Rows, Signal]:
        cells, out = count(s.cells, by)
        return Rows(cells), out

    assert "is called once for each of 3" in refused(stepped, Parent, one_for_all, UInt(4).array(3))
    assert "write vmap(count)" in refused(stepped, Rows, direct, UInt(4))


class Ram(State):
    """A memory and its sum."""

    cells: Memory = mem(UInt(4), 4, reads=("sync",), initial=[])
    writes: Signal = reg(UInt(4), reset=0)


class RamOut(Struct):
    """What it has read, and how often it was written."""

    read: Signal = of(UInt(4))
    writes: Signal = of(UInt(4))


@module(Ram, at=UInt(2), data=UInt(4))
def ram(s: Ram, at: Signal, data: Signal) -> tuple[Ram, RamOut]:
    """Reads and writes at one place."""
    assert_(data != 15, "no 15")
    cells, read = s.cells.read(at)
    return Ram(cells.write(at, data), wrap(s.writes + 1, 4)), RamOut(read, s.writes)


class Around(State):
    """A module with a memory in a module."""

    inside: Ram = instance(ram)


@module(Around, at=UInt(2), data=UInt(4), on=Bool)
def around(s: Around, at: Signal, data: Signal, on: Signal) -> tuple[Around, RamOut]:
    """Holds it while `on` is 0."""
    inside, out = ram.when(on)(s.inside, at, data)
    return Around(inside), out


class Outermost(State):
    """And that in another."""

    inside: Around = instance(around)


def test_rule_12_4_without_its_enable_nothing_in_an_instance_changes() -> None:
    @module(Outermost, at=UInt(2), data=UInt(4), on=Bool, all_on=Bool)
    def outermost(
        s: Outermost, at: Signal, data: Signal, on: Signal, all_on: Signal
    ) -> tuple[Outermost, RamOut]:
        inside, out = around.when(all_on)(s.inside, at, data, on)
        return Outermost(inside), out

    draw = np.random.default_rng(5)
    at, data = draw.integers(0, 4, 200), draw.integers(0, 16, 200)
    on, all_on = draw.integers(0, 2, (2, 200))
    run = interpret(outermost.ir, lanes(at=at, data=data, on=on, all_on=all_on))
    cells, read, writes, failures = [0] * 4, None, 0, []
    for cycle in range(200):
        assert run.outputs["writes"][cycle, 0] == writes % 16
        assert read is None or run.outputs["read"][cycle, 0] == read
        if on[cycle] and all_on[cycle]:
            read, cells[at[cycle]] = cells[at[cycle]], int(data[cycle])
            writes += 1
            failures += [cycle] if data[cycle] == 15 else []
    assert [failure.cycle for failure in run.failures] == failures
    assert "expected: Bool" in refused(
        stepped, Around, lambda s, a, x: ram.when(a)(s.inside, a, x), UInt(2), UInt(4)
    )


def test_rule_12_5_reset_goes_before_enable() -> None:
    class Outer(State):
        inner: Count = instance(count)

    def held(s: Outer, on: Signal) -> tuple[Outer, Signal]:
        inner, n = count.when(on)(s.inner, const(UInt(4), 1))
        return Outer(inner), n

    on = [1, 1, 0, 0, 1, 0]
    found = outputs(stepped(Outer, held, Bool), x0=on, reset=[1, 0, 1, 0, 0, 0])["out"]
    assert found[1:] == [3, 4, 3, 3, 4]


def test_rule_12_6_nobody_looks_into_an_instance() -> None:
    programs: dict[Callable[[Any], object], str] = {
        lambda s: (s, s.left.n): "came:     a look into its state",
        lambda s: (s, s.left[0]): "an index of the state of an instance",
        lambda s: (s, mux(const(Bool, 1), s.left, s.right)): "came:     the state of an instance",
        lambda s: (s, s.left): "came:     the state of an instance",
    }
    for look, told in programs.items():
        assert told in refused(stepped, Parent, look)
    for what in (adds(1), UInt(4), Count, None):
        assert "expected: a module" in refused(instance, what)
