"""The fused multiply-add: a·b + c, rounded once."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._arithmetic import plus_or_minus
from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._named import named
from zhufeng.formats.floats._rounded import rounded
from zhufeng.formats.floats._shifts import right_jammed
from zhufeng.formats.floats._specials import chosen
from zhufeng.formats.floats._unpacked import Unpacked, unpacked
from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    UInt,
    any_bit,
    as_uint,
    cat,
    const,
    mux,
    wrap,
)

_BELOW = 3
"""Places below the product, as below the larger operand of a sum."""
_BETWEEN = 2
"""Places between the product and an addend that is so large that of the product only its sign and
that it is not 0 matter: the addend's last place, halved by a cancellation, and what rounds it."""


@cache
def fma(fmt: FloatFormat) -> Function[[Signal, Signal, Signal], Signal]:
    """The function a·b + c, rounded once (rule 5.9).

    Args:
        fmt: of operands and result.
    """
    bits = Bits(fmt.bits)
    return named(
        f"{fmt.name}_fma",
        lambda a, b, c: _fused(fmt, *(unpacked(fmt, one) for one in (a, b, c))),
        a=bits,
        b=bits,
        c=bits,
    )


def _fused(fmt: FloatFormat, a: Unpacked, b: Unpacked, c: Unpacked) -> Signal:
    """The addend starts above the product and is shifted to its place beside it."""
    sign = a.sign ^ b.sign
    minus = sign ^ c.sign
    above = fmt.precision + _BETWEEN
    width = above + 2 * fmt.precision + _BELOW
    product = cat(const(Bits(above), 0), a.significand * b.significand, const(Bits(_BELOW), 0))
    scale = a.exponent + b.exponent + (above + 1 - fmt.bias)
    distance = scale - c.exponent
    zero = a.is_zero | b.is_zero
    stays = zero | (distance < 0)
    exponent = mux(stays, wrap(c.exponent, scale.type), scale)
    addend = as_uint(cat(c.significand, const(Bits(width - fmt.precision), 0)))
    total = plus_or_minus(right_jammed(addend, mux(zero, 0, distance)), as_uint(product), minus)
    # An addend that has lost bits stands below those of the product, and the difference is below 0.
    negative = minus & total[-1]
    turned = as_uint(mux(negative, ~total, total))
    magnitude = wrap(turned + wrap(negative, UInt(1)), width)
    negative_sum = mux(negative, sign, c.sign) & (any_bit(magnitude) | ~minus)
    highest = 2 * ((1 << fmt.exponent) - 1) + above + 1 - fmt.bias
    finite = rounded(fmt, negative_sum, exponent, magnitude, exponents=range(1, highest + 1))
    infinite_product = a.is_inf | b.is_inf
    return chosen(
        fmt,
        finite,
        sign=mux(c.is_inf, c.sign, sign),
        is_inf=infinite_product | c.is_inf,
        is_nan=a.is_nan | b.is_nan | c.is_nan | (infinite_product & (zero | (c.is_inf & minus))),
    )
