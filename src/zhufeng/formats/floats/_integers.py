"""To and from integers."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._convert import Unary
from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._named import named
from zhufeng.formats.floats._rounded import rounded
from zhufeng.formats.floats._shifts import jammed, right_jammed
from zhufeng.formats.floats._unpacked import unpacked
from zhufeng.hdl import (
    Bits,
    Bool,
    Signal,
    Type,
    UInt,
    as_bits,
    as_sint,
    as_uint,
    cat,
    const,
    mux,
    saturate,
    wrap,
)


@cache
def from_int(kind: Type, to: FloatFormat) -> Unary:
    """The function from an integer x to the nearest number (rule 5.14).

    Args:
        kind: of the operand: a UInt or SInt.
        to: of the result.
    """
    place = to.bias + kind.width - 1

    def step(x: Signal) -> Signal:
        sign, magnitude = const(Bool, 0), x
        if kind.signed:
            sign = x < 0
            magnitude = as_uint(wrap(mux(sign, -x, wrap(x, kind.width + 1)), kind.width))
        exponent = const(UInt(place.bit_length()), place)
        return rounded(to, sign, exponent, magnitude, exponents=range(place, place + 1))

    return named(f"{_told(kind)}_to_{to.name}", step, x=kind)


@cache
def to_int(source: FloatFormat, kind: Type) -> Unary:
    """The function from a number x to the nearest integer (rule 5.15).

    Args:
        source: of the operand.
        kind: of the result: a UInt or SInt.
    """
    return named(
        f"{source.name}_to_{_told(kind)}",
        lambda x: _nearest(source, kind, x),
        x=Bits(source.bits),
    )


def _nearest(source: FloatFormat, kind: Type, x: Signal) -> Signal:
    parts = unpacked(source, x)
    # All places of an integer, then a bit that rounds, and one for all below it.
    width = kind.width + 2
    significand = as_bits(jammed(parts.significand, width))
    top = as_uint(cat(significand, const(Bits(width - significand.width), 0)))
    distance = (source.bias + kind.width - 1) - parts.exponent
    bits = right_jammed(top, distance)
    up = bits[1] & (bits[0] | bits[2])
    magnitude = wrap(bits[2:], kind.width + 1)
    # The negative of m + 1 is ~m, and that of m is ~m + 1: rounding and sign share an adder.
    number = as_sint(mux(parts.sign, ~magnitude, magnitude)) + as_uint(up ^ parts.sign)
    outside = mux(parts.sign, const(kind, kind.low), const(kind, kind.high))
    within = mux((distance < 0) | parts.is_inf, outside, saturate(number, kind))
    return mux(parts.is_nan, 0, within)


def _told(kind: Type) -> str:
    return f"{'int' if kind.signed else 'uint'}{kind.width}"
