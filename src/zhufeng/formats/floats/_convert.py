"""From one format to another."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._named import named
from zhufeng.formats.floats._rounded import rounded
from zhufeng.formats.floats._specials import chosen
from zhufeng.formats.floats._unpacked import unpacked
from zhufeng.hdl import Bits, Function, Signal, cat, const, mux

Unary = Function[[Signal], Signal]
"""Of one number, called x, another."""


@cache
def convert(source: FloatFormat, to: FloatFormat, *, saturate: bool = False) -> Unary:
    """The function from the bits of one format to those of another (rules 5.10 and 5.11).

    Args:
        source: of the operand.
        to: of the result.
        saturate: whether what is too large, infinities too, becomes the largest number.
    """
    tail = "_saturated" if saturate else ""
    return named(
        f"{source.name}_to_{to.name}{tail}",
        lambda x: _converted(source, to, x, saturate=saturate),
        x=Bits(source.bits),
    )


def _converted(source: FloatFormat, to: FloatFormat, x: Signal, *, saturate: bool) -> Signal:
    parts = unpacked(source, x)
    more = to.fraction - source.fraction
    alike = (source.exponent, source.special) == (to.exponent, to.special)
    if alike and more >= 0 and not saturate:
        # The longer fraction is all that differs, for infinities too.
        return mux(parts.is_nan, to.nan_bits, cat(x, const(Bits(more), 0)))
    shift = to.bias - source.bias
    finite = rounded(
        to,
        parts.sign,
        parts.exponent + shift,
        parts.significand,
        exponents=range(1 + shift, (1 << source.exponent) + shift),
        # Subnormal numbers become normal only where the lowest exponent is lower.
        normal=shift <= 0,
        saturate=saturate,
    )
    return chosen(
        to,
        finite,
        sign=parts.sign,
        is_inf=parts.is_inf,
        is_nan=parts.is_nan,
        saturate=saturate,
    )
