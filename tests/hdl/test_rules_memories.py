"""Rules of docs/hdl-semantics.md, chapter 13: memories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.hdl.rules import Program, free, lanes, outputs, refused, stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Bits,
    Bool,
    Memory,
    Module,
    Signal,
    State,
    Struct,
    Type,
    UInt,
    const,
    instance,
    ir,
    mem,
    module,
    of,
    vmap,
)
from zhufeng.hdl.interpret import interpret

DEPTH = 6
CYCLES = 200
START = (10, 11, 12, 13)
DRAW = np.random.default_rng(13)
AT, TO = DRAW.integers(0, 8, (2, CYCLES)).tolist()
X, Y = DRAW.integers(0, 16, (2, CYCLES)).tolist()
ON, ALSO = DRAW.integers(0, 2, (2, CYCLES)).tolist()
MASK = DRAW.integers(0, 4, CYCLES).tolist()


class Reads(Struct):
    """What stands at two read ports."""

    one: Signal = of(UInt(4))
    two: Signal = of(UInt(4))


def of_memory(f: Program, *kinds: Type, **options: Any) -> Module[Any, ..., Any]:
    """A module around a memory of six numbers, with a step of its handle and the inputs."""
    cells = mem(UInt(4), DEPTH, **{"initial": START, "writes": 0, **options})

    class Cells(State):
        m: Memory = cells

    def step(s: Cells, *given: Signal) -> tuple[Cells, Any]:
        after, out = f(s.m, *given)
        return Cells(after), out

    return stepped(Cells, step, *kinds)


def at(cells: list[int], place: int) -> int:
    """What an address reads."""
    return cells[place] if place < len(cells) else 0


def written(cells: list[int], place: int, value: int) -> list[int]:
    """The cells after a write."""
    return [value if n == place else old for n, old in enumerate(cells)]


def test_rule_13_1_an_asynchronous_read_sees_the_start_of_the_cycle() -> None:
    def program(m: Memory, a: Signal, b: Signal, x: Signal) -> tuple[Memory, Reads]:
        m = m.write(a, x)
        m, one = m.read(a)
        m, two = m.read(b)
        return m, Reads(one, two)

    held = of_memory(program, UInt(3), UInt(3), UInt(4), reads=("async", "async"), writes=1)
    found, cells = outputs(held, x0=AT, x1=TO, x2=X), [*START, 0, 0]
    for cycle in range(CYCLES):
        place, other, value = AT[cycle], TO[cycle], X[cycle]
        assert (found["one"][cycle], found["two"][cycle]) == (at(cells, place), at(cells, other))
        cells = written(cells, place, value)


def test_rule_13_2_a_synchronous_port_gives_what_the_last_cycle_asked_for_and_holds_it() -> None:
    def program(m: Memory, a: Signal, b: Signal, x: Signal, on: Signal) -> tuple[Memory, Reads]:
        m, one = m.read(a)
        m, two = m.read(b, on)
        return m.write(a, x), Reads(one, two)

    kinds = (UInt(3), UInt(3), UInt(4), Bool)
    held = of_memory(program, *kinds, reads=("sync", "sync"), writes=1)
    found, cells = outputs(held, x0=AT, x1=TO, x2=X, x3=ON), [*START, 0, 0]
    one: int | None = None
    two: int | None = None
    for cycle in range(CYCLES):
        assert one in {None, found["one"][cycle]}
        assert two in {None, found["two"][cycle]}
        one = at(cells, AT[cycle])
        two = at(cells, TO[cycle]) if ON[cycle] else two
        cells = written(cells, AT[cycle], X[cycle])
    assert "no enable: the port is asynchronous" in refused(
        of_memory, lambda m, a, on: m.read(a, on), UInt(3), Bool, reads=("async",)
    )


def test_rule_13_2_a_port_that_has_not_read_gives_anything() -> None:
    held = of_memory(lambda m, a, on: m.read(a, on), UInt(3), Bool, reads=("sync",))
    starts = {outputs(held, x0=[0], x1=[0], seed=seed)["out"][0] for seed in range(16)}
    assert len(starts) > 1
    for seed in range(4):
        found = outputs(held, x0=[0, 0, 0], x1=[0, 0, 0], seed=seed)["out"]
        assert len(set(found)) == 1


def test_rule_13_3_of_two_writes_to_one_address_the_later_port_wins() -> None:
    def program(
        m: Memory, places: Signal, values: Signal, enables: Signal
    ) -> tuple[Memory, Signal]:
        m = m.write(places[0], values[0], enables[0])
        m = m.write(places[1], values[1], enables[1])
        return m.read(places[0])

    kinds = (UInt(3).array(2), UInt(4).array(2), Bool.array(2))
    held = of_memory(program, *kinds, reads=("async",), writes=2)
    places = [(a % 3, b % 3) for a, b in zip(AT, TO, strict=True)]
    values, enables = list(zip(X, Y, strict=True)), list(zip(ON, ALSO, strict=True))
    found, cells = outputs(held, x0=places, x1=values, x2=enables), [*START, 0, 0]
    for cycle in range(CYCLES):
        assert found["out"][cycle] == at(cells, places[cycle][0])
        for place, value, on in zip(places[cycle], values[cycle], enables[cycle], strict=True):
            cells = written(cells, place, value) if on else cells


def test_rule_13_4_a_mask_has_a_bit_for_each_group_of_bits() -> None:
    def program(m: Memory, a: Signal, x: Signal, mask: Signal, on: Signal) -> tuple[Memory, Signal]:
        m = m.write(a, x, on, mask)
        return m.read(a)

    kinds = (UInt(3), UInt(4), Bits(2), Bool)
    held = of_memory(program, *kinds, reads=("async",), writes=1, byte_enable=2)
    found, cells = outputs(held, x0=AT, x1=X, x2=MASK, x3=ON), [*START, 0, 0]
    for cycle in range(CYCLES):
        old = at(cells, AT[cycle])
        assert found["out"][cycle] == old
        bits = (3 if MASK[cycle] & 1 else 0) | (12 if MASK[cycle] & 2 else 0)
        if ON[cycle]:
            cells = written(cells, AT[cycle], old & ~bits | X[cycle] & bits)
    unfit: tuple[tuple[str, Program, dict[str, Any]], ...] = (
        ("expected: a mask", lambda m, a: (m.write(a, 1), a), {"byte_enable": 2}),
        ("expected: no mask", lambda m, a: (m.write(a, 1, mask=a), a), {}),
        ("expected: Bits(2)", lambda m, a: (m.write(a, 1, mask=a), a), {"byte_enable": 2}),
    )
    for told, write, options in unfit:
        assert told in refused(of_memory, write, UInt(2), reads=(), writes=1, **options)
    for group in (0, 3, 5, 8, -1):
        assert "a byte_enable that divides 4" in refused(mem, UInt(4), 4, byte_enable=group)


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_rule_13_5_a_transparent_read_sees_the_writes_of_its_cycle(kind: str) -> None:
    def program(  # noqa: PLR0917 (ports)
        m: Memory, a: Signal, b: Signal, x: Signal, y: Signal, mask: Signal, on: Signal
    ) -> tuple[Memory, Signal]:
        m, out = m.read(a, on) if kind == "sync" else m.read(a)
        m = m.write(a, x, on, mask)
        return m.write(b, y, ~on | (a == b), ~mask), out

    kinds = (UInt(3), UInt(3), UInt(4), UInt(4), Bits(2), Bool)
    options = {"reads": (kind,), "writes": 2, "byte_enable": 2, "transparent": True}
    held = of_memory(program, *kinds, **options)
    inputs = {"x0": AT, "x1": TO, "x2": X, "x3": Y, "x4": MASK, "x5": ON}
    found, cells = outputs(held, **inputs)["out"], [*START, 0, 0]
    port: int | None = None
    for cycle in range(CYCLES):
        place, other, on = AT[cycle], TO[cycle], ON[cycle]
        bits = (3 if MASK[cycle] & 1 else 0) | (12 if MASK[cycle] & 2 else 0)
        if on:
            cells = written(cells, place, at(cells, place) & ~bits | X[cycle] & bits)
        if not on or place == other:
            cells = written(cells, other, at(cells, other) & bits | Y[cycle] & ~bits & 15)
        if kind == "async":
            assert found[cycle] == at(cells, place)
        else:
            assert port in {None, found[cycle]}
            port = at(cells, place) if on else port


def test_rule_13_6_out_of_range_nothing_is_written_and_0_is_read() -> None:
    def program(m: Memory, a: Signal, x: Signal) -> tuple[Memory, Signal]:
        m = m.write(a, x)
        return m.read(a)

    held = of_memory(program, UInt(5), UInt(4), reads=("async",), writes=1)
    found = outputs(held, x0=[0, 0, 6, 6, 31, 31, 0], x1=[5, 5, 7, 7, 7, 7, 0])["out"]
    assert found == [10, 5, 0, 0, 0, 0, 5]
    narrow = of_memory(program, UInt(1), UInt(4), reads=("async",), writes=1)
    assert outputs(narrow, x0=[0, 1, 0], x1=[1, 2, 3])["out"] == [10, 11, 1]
    for place, told in ((6, "expected: 0 to 5"), (-1, "at least 0"), (1.0, "at least 0")):
        assert told in refused(of_memory, lambda m, a=place: m.read(a), reads=("async",))
    for kind in (Bits(3), Bool, UInt(3).array(2)):
        told = refused(of_memory, lambda m, a: m.read(a), kind, reads=("async",))
        assert "the address of m" in told
    constant = of_memory(lambda m: m.read(np.int64(3)), reads=("async",))
    assert free(constant, 1)["out"] == [13]


def test_rule_13_7_a_memory_starts_with_what_it_is_given_then_zeros_and_is_never_reset() -> None:
    held = of_memory(lambda m, a: m.read(a), UInt(3), reads=("async",))
    assert outputs(held, x0=range(8))["out"] == [10, 11, 12, 13, 0, 0, 0, 0]
    assert outputs(held, x0=range(8), reset=[1] * 8, seed=5)["out"][:6] == [10, 11, 12, 13, 0, 0]
    empty = of_memory(lambda m, a: m.read(a), UInt(3), reads=("async",), initial=[])
    assert outputs(empty, x0=range(8))["out"] == [0] * 8

    def program(m: Memory, a: Signal, x: Signal) -> tuple[Memory, Signal]:
        m = m.write(a, x)
        return m.read(a)

    counts = of_memory(program, UInt(3), UInt(4), reads=("async",), writes=1)
    assert outputs(counts, x0=[0, 0], x1=[7, 7], reset=[1, 1])["out"] == [10, 7]
    loose = of_memory(lambda m, a: m.read(a), UInt(3), reads=("async",), initial=None)
    one, two = (outputs(loose, x0=range(8), seed=seed)["out"] for seed in (1, 2))
    assert one != two
    assert one == outputs(loose, x0=range(8), seed=1)["out"]
    for initial in (range(7), [16], [1.0], "1", [[1]]):
        told = refused(mem, UInt(4), 6, initial=initial)
        assert "at most 6 numbers from 0 to 15" in told


def test_zeros_follow_what_a_text_of_the_ir_gives_a_memory() -> None:
    module = ir.parse_ir("""module m {
  input at : u3
  mem cells : u4 x 6 [5, 9] read %at
  %at = input["at"] : u3
  %now = read["cells", 0] : u4
  output out = %now
}""")
    run = interpret(module, {"at": np.arange(8)[:, None]})
    assert run.outputs["out"][:, 0].tolist() == [5, 9, 0, 0, 0, 0, 0, 0]


def test_rule_13_8_each_port_is_used_once_and_the_last_handle_is_stored() -> None:
    programs: dict[str, Program] = {
        "2 read ports used": lambda m, a: m.write(a, 1).read(a),
        "1 write ports used": lambda m, a: (m.read(a)[0].read(a)[0], a),
        "at most 2 in a cycle": lambda m, a: m.read(a)[0].read(a)[0].read(a),
        "at most 1 in a cycle": lambda m, a: (m.write(a, 1).write(a, 1), a),
        "as the last read or write returned it": lambda m, a: (m.read(a), m.read(a)),
        "came:     int": lambda m, a: (3, a),
        "came:     tuple": lambda m, a: (m.read(a), a),
        "an index of a memory": lambda m, a: (m, m[a]),
    }
    for told, program in programs.items():
        assert told in refused(of_memory, program, UInt(2), reads=("async",) * 2, writes=1)

    class Two(State):
        a: Memory = mem(UInt(4), 4, reads=())
        b: Memory = mem(UInt(4), 4, reads=())

    def crossed(s: Two, x: Signal) -> tuple[Two, Signal]:
        return Two(a=s.b.write(0, x), b=s.a.write(0, x)), x

    assert "came:     s.b" in refused(stepped, Two, crossed, UInt(4))


class Inner(State):
    """A register file."""

    cells: Memory = mem(UInt(4), 4, reads=("sync",), initial=[1, 2, 3, 4])


@module(Inner, a=UInt(2), x=UInt(4))
def inner(s: Inner, a: Signal, x: Signal) -> tuple[Inner, Signal]:
    """Reads, then writes."""
    cells, out = s.cells.read(a)
    return Inner(cells.write(a, x)), out


def test_rule_13_9_banks_are_an_array_of_memories() -> None:
    def one(m: Memory, a: Signal, x: Signal) -> tuple[Memory, Signal]:
        m = m.write(a, x)
        return m.read(a)

    class Banks(State):
        cells: Memory = mem(UInt(4), 3, reads=("async",), initial=[7], banks=(2, 2))

    def program(s: Banks, a: Signal, x: Signal) -> tuple[Banks, Signal]:
        cells, out = vmap(vmap(one))(s.cells, a, x)
        return Banks(cells), out

    held = stepped(Banks, program, UInt(2).array(2, 2), UInt(4).array(2, 2))
    places, values = DRAW.integers(0, 4, (50, 2, 2)), DRAW.integers(0, 16, (50, 2, 2))
    found = outputs(held, x0=places, x1=values)["out"]
    cells = {place: [7, 0, 0] for place in np.ndindex(2, 2)}
    for cycle in range(50):
        for place, bank in cells.items():
            address = int(places[cycle][place])
            assert found[cycle][place[0]][place[1]] == at(bank, address)
            cells[place] = written(bank, address, int(values[cycle][place]))

    class Single(State):
        cells: Memory = mem(UInt(4), 3, reads=("async",), writes=0)

    two = UInt(2).array(2)
    told = refused(stepped, Single, lambda s, a: vmap(s.cells.read)(a), two)
    assert "one memory, is used once for each of 2" in told
    assert "expected: one memory" in refused(stepped, Banks, lambda s, a: s.cells.read(a), UInt(2))
    told = refused(stepped, Banks, lambda s, a: vmap(one, (1, 0, 0))(s.cells, a, a), two)
    assert "expected: axis 0 of a memory" in told


def test_rule_13_10_a_memory_of_a_held_instance_holds_its_contents_and_its_ports() -> None:
    class Outer(State):
        inside: Inner = instance(inner)

    def program(s: Outer, a: Signal, x: Signal, on: Signal) -> tuple[Outer, Signal]:
        inside, out = inner.when(on)(s.inside, a, x)
        return Outer(inside), out

    held = stepped(Outer, program, UInt(2), UInt(4), Bool)
    places = [place % 4 for place in AT]
    run = interpret(held.ir, lanes(x0=places, x1=X, x2=ON), reset=ALSO)
    cells, port = [1, 2, 3, 4], None
    for cycle in range(CYCLES):
        assert port in {None, run.outputs["out"][cycle, 0]}
        if ON[cycle]:
            port, cells = cells[places[cycle]], written(cells, places[cycle], X[cycle])


def test_rule_13_11_a_memory_is_of_single_elements() -> None:
    unfit: dict[str, Callable[[], object]] = {
        "a single element": lambda: mem(UInt(4).array(2), 4),
        "a depth of at least 1": lambda: mem(UInt(4), 0),
        "reads such as": lambda: mem(UInt(4), 4, reads=any_value("later")),
        "at least 0 writes": lambda: mem(UInt(4), 4, writes=-1),
        "axes of at least one element": lambda: mem(UInt(4), 4, banks=(0,)),
        "expected: a type": lambda: mem(any_value(Reads), 4),
    }
    for told, act in unfit.items():
        assert told in refused(act)
    packed = of_memory(
        lambda m, x: (m.write(0, hdl.wrap(hdl.pack(x), UInt(4))), const(Bool, 1)),
        UInt(2).array(2),
        reads=(),
        writes=1,
    )
    assert outputs(packed, x0=[[1, 2]])["out"] == [1]


def any_value(value: Any) -> Any:
    """A value that the type checker does not know."""
    return value
