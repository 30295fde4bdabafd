"""Sums and products, each rounded once."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._named import named
from zhufeng.formats.floats._rounded import rounded
from zhufeng.formats.floats._shifts import right_jammed
from zhufeng.formats.floats._specials import chosen
from zhufeng.formats.floats._unpacked import unpacked
from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    UInt,
    as_bits,
    as_uint,
    cat,
    const,
    mux,
    wrap,
)

Binary = Function[[Signal, Signal], Signal]
"""Of two numbers, Bits(fmt.bits) each, one."""


@cache
def add(fmt: FloatFormat) -> Binary:
    """The function a + b (rule 5.8).

    Args:
        fmt: of operands and result.
    """

    def step(a: Signal, b: Signal) -> Signal:
        return _sum(fmt, a, b)

    return named(f"{fmt.name}_add", step, a=Bits(fmt.bits), b=Bits(fmt.bits))


@cache
def subtract(fmt: FloatFormat) -> Binary:
    """The function a - b: a + b with the sign of b turned over (rule 5.8).

    Args:
        fmt: of operands and result.
    """

    def step(a: Signal, b: Signal) -> Signal:
        return _sum(fmt, a, cat(~b[-1], b[:-1]))

    return named(f"{fmt.name}_subtract", step, a=Bits(fmt.bits), b=Bits(fmt.bits))


def _sum(fmt: FloatFormat, a: Signal, b: Signal) -> Signal:
    # Magnitudes stand in the order of their bits, infinity and then NaN last.
    swap = as_uint(a[:-1]) < as_uint(b[:-1])
    large, small = (unpacked(fmt, bits) for bits in (mux(swap, b, a), mux(swap, a, b)))
    minus = large.sign ^ small.sign
    cancels = minus & (a[:-1] == b[:-1])
    # Below the last place one bit that rounds, one more as the first may become the last place,
    # and one for all below: where there are more of them, the difference is near the larger number.
    below = const(Bits(3), 0)
    distance = wrap(large.exponent - small.exponent, UInt(fmt.exponent))
    aligned = right_jammed(as_uint(cat(small.significand, below)), distance)
    total = plus_or_minus(as_uint(cat(large.significand, below)), aligned, minus)
    sign = large.sign & ~cancels
    finite = rounded(
        fmt,
        sign,
        large.exponent + 1,
        as_uint(total),
        exponents=range(2, (1 << fmt.exponent) + 1),
    )
    return chosen(
        fmt,
        finite,
        sign=sign,
        is_inf=large.is_inf,
        is_nan=large.is_nan | (large.is_inf & cancels),
    )


def plus_or_minus(a: Signal, b: Signal, minus: Signal) -> Signal:
    """a + b, or a - b where `minus` is, by one adder.

    Args:
        a: a UInt.
        b: a UInt as wide.
        minus: a Bool.

    Returns:
        Bits, one more than of a: the number modulo 2^bits.
    """
    zero, one = const(Bits(1), 0), const(Bits(1), 1)
    turned = mux(minus, ~b, b)
    # a - b = a + ~b + 1; the 1 comes as a carry out of a place below.
    sums = as_uint(cat(zero, as_bits(a), one)) + as_uint(cat(minus, as_bits(turned), minus))
    return sums[1 : a.width + 2]


@cache
def multiply(fmt: FloatFormat) -> Binary:
    """The function a·b (rule 5.8).

    Args:
        fmt: of operands and result.
    """
    return named(
        f"{fmt.name}_multiply",
        lambda a, b: _product(fmt, a, b),
        a=Bits(fmt.bits),
        b=Bits(fmt.bits),
    )


def _product(fmt: FloatFormat, a_bits: Signal, b_bits: Signal) -> Signal:
    a, b = unpacked(fmt, a_bits), unpacked(fmt, b_bits)
    sign = a.sign ^ b.sign
    lowest = 3 - fmt.bias
    highest = lowest + 2 * ((1 << fmt.exponent) - 2)
    finite = rounded(
        fmt,
        sign,
        a.exponent + b.exponent + (1 - fmt.bias),
        a.significand * b.significand,
        exponents=range(lowest, highest + 1),
    )
    return chosen(
        fmt,
        finite,
        sign=sign,
        is_inf=a.is_inf | b.is_inf,
        is_nan=a.is_nan | b.is_nan | (a.is_inf & b.is_zero) | (a.is_zero & b.is_inf),
    )
