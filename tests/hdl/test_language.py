"""Operators and functions on numbers, against Python's integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from zhufeng import hdl
from zhufeng.hdl import Bits, Bool, Signal, SInt, State, Type, UInt, function, ir, module, reg
from zhufeng.hdl.interpret import interpret

NUMBERS = (UInt(1), UInt(3), SInt(1), SInt(4), UInt(5), SInt(6))


def every(kinds: Sequence[Type]) -> list[np.ndarray[Any, Any]]:
    """All combinations of the values of types, a lane each, [1, lanes] for each type."""
    axes = [np.arange(kind.low, kind.high + 1) for kind in kinds]
    return [grid.reshape(1, -1) for grid in np.meshgrid(*axes, indexing="ij")]


def computed(
    f: Callable[..., Signal], *kinds: Type
) -> tuple[Type, list[int], list[tuple[int, ...]]]:
    """The type of `f`, its values for all arguments, and those arguments."""
    ports = {f"x{n}": kind for n, kind in enumerate(kinds)}
    seen: list[Type] = []

    def traced(**given: Signal) -> Signal:
        found = f(*given.values())
        seen.append(found.type)
        return found

    made = function(**ports)(traced)
    values = every(kinds)
    run = interpret(made.ir, dict(zip(ports, values, strict=True)))
    given = list(zip(*(v[0].tolist() for v in values), strict=True))
    return seen[0], run.outputs["out"][0].tolist(), given


@pytest.mark.parametrize("left", NUMBERS, ids=str)
@pytest.mark.parametrize("right", NUMBERS, ids=str)
def test_arithmetic_and_order_are_those_of_integers(left: Type, right: Type) -> None:
    operations: tuple[Callable[[Any, Any], Any], ...] = (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, b: a == b,
        lambda a, b: a != b,
    )
    for f in operations:
        kind, found, given = computed(f, left, right)
        assert found == [int(f(*arguments)) for arguments in given]
        assert all(kind.low <= value <= kind.high for value in found)


def test_widths_are_those_of_the_rules() -> None:
    def kind(f: Callable[..., Signal], *kinds: Type) -> Type:
        return computed(f, *kinds)[0]

    assert kind(lambda a, b: a + b, UInt(3), UInt(5)) == UInt(6)
    assert kind(lambda a, b: a - b, UInt(3), UInt(5)) == SInt(6)
    assert kind(lambda a, b: a + b, UInt(4), SInt(3)) == SInt(6)
    assert kind(lambda a, b: a * b, SInt(3), SInt(5)) == SInt(8)
    assert kind(lambda a: -a, UInt(3)) == SInt(4)
    assert kind(lambda a: a + 3, UInt(4)) == UInt(5)
    assert kind(lambda a: a << 3, SInt(4)) == SInt(7)
    assert kind(lambda a: a >> 3, SInt(4)) == SInt(4)
    assert kind(lambda a: hdl.total(hdl.stack(*[a] * 5)), UInt(4)) == UInt(7)
    assert kind(hdl.leading_zeros, Bits(4)) == UInt(3)


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_narrowing_is_what_its_name_says(kind: Type) -> None:
    for to in (UInt(2), SInt(2), UInt(7), SInt(7)):
        _, found, given = computed(lambda a, to=to: hdl.wrap(a, to), kind)
        assert found == [to.form.wrap(value) for (value,) in given]
        assert all((a - b) % (1 << to.width) == 0 for a, (b,) in zip(found, given, strict=True))
        _, found, given = computed(lambda a, to=to: hdl.saturate(a, to), kind)
        assert found == [min(max(value, to.low), to.high) for (value,) in given]


@pytest.mark.parametrize("kind", [UInt(4), SInt(4)], ids=str)
def test_shifts_round_down_and_go_on_for_ever(kind: Type) -> None:
    _, found, given = computed(lambda a, n: a >> n, kind, UInt(3))
    assert found == [value >> amount for value, amount in given]
    _, found, given = computed(lambda a, n: hdl.shift_left(a, n, 6), kind, UInt(3))
    wide = (SInt if kind.signed else UInt)(6)
    assert found == [wide.form.wrap(value << amount) for value, amount in given]
    _, found, given = computed(lambda a: a << 2, kind)
    assert found == [value * 4 for (value,) in given]


def test_bits_are_where_they_belong() -> None:
    def text(value: int, width: int) -> str:
        return f"{value & ((1 << width) - 1):0{width}b}"

    for f, known in (
        (lambda a: a[0:2], lambda t: int(t[-2:], 2)),
        (lambda a: a[3], lambda t: int(t[0])),
        (lambda a: a[-1], lambda t: int(t[0])),
        (lambda a: hdl.cat(a, a[0:1]), lambda t: int(t + t[-1], 2)),
        (lambda a: ~hdl.as_bits(a), lambda t: 15 - int(t, 2)),
        (hdl.all_bits, lambda t: int("0" not in t)),
        (hdl.any_bit, lambda t: int("1" in t)),
        (hdl.parity, lambda t: t.count("1") % 2),
        (hdl.leading_zeros, lambda t: len(t) - len(t.lstrip("0"))),
    ):
        for kind in (UInt(4), SInt(4), Bits(4)):
            _, found, given = computed(f, kind)
            assert found == [known(text(value, 4)) for (value,) in given]


def test_an_index_out_of_range_reads_nothing_and_writes_nothing() -> None:
    def read(i: Signal) -> Signal:
        return hdl.const(UInt(4).array(3), [5, 6, 7])[i]

    def write(i: Signal) -> Signal:
        return hdl.pack(hdl.put(hdl.const(UInt(4).array(3), [5, 6, 7]), i, 9))

    assert computed(read, UInt(3))[1] == [5, 6, 7, 0, 0, 0, 0, 0]
    assert computed(write, UInt(2))[1] == [0x769, 0x795, 0x965, 0x765]
    assert computed(lambda a, i: a[i], Bits(3), UInt(2))[1] == [
        (value >> place) & 1 for value in range(8) for place in range(4)
    ]


def test_choices() -> None:
    _, found, given = computed(hdl.mux, Bool, SInt(3), SInt(3))
    assert found == [a if c else b for c, a, b in given]
    _, found, _ = computed(lambda s: hdl.switch(s, {0: s, 2: 3, 1: 0}, 1), UInt(2))
    assert found == [0, 0, 3, 1]


def test_nested_vmap_is_every_pair() -> None:
    def table(a: Signal) -> Signal:
        each = hdl.vmap(hdl.vmap(lambda x, y: x * y, (None, 0)), (0, None))
        rows = hdl.stack(a, hdl.wrap(a + 1, 3))
        return hdl.pack(each(rows, hdl.stack(a, a, hdl.wrap(a + 2, 3))))

    _, found, given = computed(table, UInt(3))
    for value, (a,) in zip(found, given, strict=True):
        rows, columns = (a, (a + 1) % 8), (a, a, (a + 2) % 8)
        products = [x * y for x in rows for y in columns]
        assert value == sum(product << 6 * place for place, product in enumerate(products))


def test_a_value_that_follows_from_itself_is_told_with_its_lines() -> None:
    with pytest.raises(hdl.HdlError, match="follows from itself") as caught:

        @function(a=UInt(4))
        def loop(a: Signal) -> Signal:
            w: Signal = hdl.wire(UInt(4))
            turned = a ^ w
            hdl.connect(w, ~turned)
            return turned

    assert "turned (test_language.py:" in str(caught.value)


def test_errors_name_both_types_the_line_and_the_fix() -> None:
    with pytest.raises(hdl.HdlError) as caught:

        @function(a=UInt(4), b=UInt(5))
        def both(a: Signal, b: Signal) -> Signal:
            return a & b

    told = str(caught.value)
    assert "UInt(4) & UInt(5)" in told
    assert "wrap(x, 4)" in told
    assert "test_language.py:" in told
    with pytest.raises(hdl.HdlError, match="mux"):

        @function(a=Bool)
        def branches(a: Signal) -> Signal:
            return a or ~a

    class Held(State):
        x: Signal = reg(UInt(4), reset=0)

    with pytest.raises(
        hdl.HdlError, match=r"Held\.x\n  expected: UInt\(4\)\n  came:     UInt\(5\)"
    ):

        @module(Held)
        def grows(s: Held) -> tuple[Held, Signal]:
            return Held(x=s.x + 1), s.x


def test_the_checker_refuses_what_does_not_fit() -> None:
    text = 'module m {\n  input a : u4\n  %a = input["a"] : u4\n  %b = OP : u4\n  output o = %b\n}'
    for op in (
        "add(%a)",
        "and(%a, %c)",
        "bits[1](%a)",
        "nothing(%a)",
        'input["z"]',
        "mux(%a, %a, %a)",
    ):
        with pytest.raises(ir.IrError, match="m: "):
            ir.check(ir.parse_ir(text.replace("OP", op)))
    ir.check(ir.parse_ir(text.replace("OP", "add(%a, %a)")))
