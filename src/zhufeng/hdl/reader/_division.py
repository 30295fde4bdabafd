"""Division: a chain of subtractions, one for each bit of the dividend.

Verilog divides towards zero, and the remainder has the dividend's sign (IEEE 1800-2017, 11.4.3); by
0 it gives x, which is 0 here. Yosys has quotients that are rounded down beside these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from zhufeng.hdl.ir import BIT, Fold, Form, Let, Module
from zhufeng.hdl.reader._builder import Builder


@dataclass(frozen=True)
class Division:
    """What is divided by what: values without sign, read with it where `signed`."""

    dividend: str
    width: int
    divisor: str
    divisor_width: int
    signed: bool
    floor: bool
    """Whether the quotient is rounded down and the remainder has the divisor's sign."""


def divided(of: Division, build: Builder, folds: dict[str, Fold], name: str) -> tuple[str, str]:
    """The quotient and the remainder, each two bits wider than the wider operand, signed.

    Args:
        of: the operands.
        build: takes the values.
        folds: takes the chain, under `name`.
        name: free among the parts of the module.
    """
    form = Form(max(of.width, of.divisor_width) + 2, signed=True)
    a_low, b_low = (
        _negative(of.dividend, of.width, of, build),
        _negative(of.divisor, of.divisor_width, of, build),
    )
    a = _magnitude(of.dividend, of.width, a_low, build)
    b = _magnitude(of.divisor, of.divisor_width, b_low, build)
    folds[name] = _chain(a, of.width, b, of.divisor_width, build)
    flipped = Form(1, shape=(of.width,))
    digits = build.make("port", flipped, data=(name, "digit"))
    lowest_first = build.make("slice", flipped, digits, data=(0, of.width - 1, -1))
    quotient = build.wrap(build.make("pack", Form(of.width), lowest_first), form)
    rest = build.wrap(build.make("port", Form(of.divisor_width), data=(name, "left")), form)
    zero = build.constant(0, form)
    if of.signed:
        differ = build.make("xor", BIT, a_low, b_low)
        rest = build.mux(a_low, build.make("sub", form, zero, rest), rest, form)
        quotient = build.mux(differ, build.make("sub", form, zero, quotient), quotient, form)
        if of.floor:
            quotient, rest = _floored(quotient, rest, differ, of, build)
    none = build.make("eq", BIT, of.divisor, build.constant(0, Form(of.divisor_width)))
    return build.mux(none, zero, quotient, form), build.mux(none, zero, rest, form)


def _floored(
    quotient: str, rest: str, differ: str, of: Division, build: Builder
) -> tuple[str, str]:
    form = build.lets[quotient].form
    some = build.make("any", BIT, rest)
    down = build.make("and", BIT, differ, some)
    divisor = build.wrap(of.divisor, Form(of.divisor_width, signed=True))
    lower = build.make("sub", form, quotient, build.constant(1, Form(1)))
    higher = build.make("add", form, rest, divisor)
    return build.mux(down, lower, quotient, form), build.mux(down, higher, rest, form)


def _negative(value: str, width: int, of: Division, build: Builder) -> str:
    if not of.signed:
        return build.constant(0, BIT)
    return build.make("bits", BIT, value, data=(width - 1,))


def _magnitude(value: str, width: int, negative: str, build: Builder) -> str:
    form = Form(width)
    opposite = build.make("sub", form, build.constant(0, form), value)
    return build.mux(negative, opposite, value, form)


def _chain(a: str, width: int, b: str, divisor_width: int, build: Builder) -> Fold:
    bits = Form(1, shape=(width,))
    lowest_first = build.make("unpack", bits, a)
    digits = build.make("slice", bits, lowest_first, data=(0, width - 1, -1))
    inputs = {"left": build.constant(0, Form(divisor_width)), "divisor": b, "digit": digits}
    return Fold(
        _link(divisor_width),
        inputs,
        width,
        (("left", "left"),),
        frozenset({"digit"}),
        (),
        build.where,
    )


@cache
def _link(width: int) -> Module:
    """One step of long division: the next digit below what is left, and the divisor taken off."""
    word, wider = Form(width), Form(width + 1)
    lets = {
        "left": Let("input", word, (), ("left",)),
        "divisor": Let("input", word, (), ("divisor",)),
        "digit": Let("input", BIT, (), ("digit",)),
        "longer": Let("cat", wider, ("left", "digit")),
        "fits": Let("le", BIT, ("divisor", "longer")),
        "less": Let("sub", wider, ("longer", "divisor")),
        "chosen": Let("mux", wider, ("fits", "less", "longer")),
        "after": Let("wrap", word, ("chosen",)),
    }
    inputs = {"left": word, "divisor": word, "digit": BIT}
    return Module(f"divide_{width}", inputs, {"left": "after", "digit": "fits"}, lets)
