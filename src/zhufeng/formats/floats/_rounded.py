"""The one rounding: to nearest, ties to even, and packed."""

from __future__ import annotations

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._shifts import jammed, left_jammed
from zhufeng.formats.floats._specials import infinite
from zhufeng.hdl import (
    Bits,
    Signal,
    UInt,
    all_bits,
    any_bit,
    as_bits,
    as_sint,
    as_uint,
    cat,
    const,
    leading_zeros,
    mux,
    wrap,
)

_BEYOND = 2
"""Bits behind those that are kept: one that rounds, and one for all below it."""


def rounded(
    fmt: FloatFormat,
    sign: Signal,
    exponent: Signal,
    significand: Signal,
    *,
    exponents: range | None = None,
    normal: bool = False,
    saturate: bool = False,
    subnormals: bool = True,
) -> Signal:
    """A finite number as bits, rounded to nearest, ties to even (rules 5.3, 5.4, 5.16 and 5.17).

    The number is (-1)^sign·significand·2^(exponent - bias - (w - 1)), w the significand's width:
    `exponent` is what the exponent field would be if the highest bit were the hidden one. Of a
    significand that has lost something, the lowest bit must be jammed, and its highest 1 must
    stand at least fraction + 2 places above it, or the last place of subnormal numbers two.

    Args:
        fmt: of the result.
        sign: a Bool; zero keeps it.
        exponent: a UInt or SInt.
        significand: a UInt.
        exponents: the numbers that `exponent` can be, where its type has more: it saves hardware.
        normal: whether the significand's highest bit is 1 wherever the exponent is above 1. There
            is nothing to normalise then, and the lowest bit may be jammed at any place.
        saturate: whether what is too large becomes the largest number.
        subnormals: whether the result may be one. Otherwise it is rounded to the full precision,
            and +0 where it is below the smallest normal number after that, as zero is.

    Returns:
        Bits(fmt.bits).
    """
    within = exponents or range(exponent.type.low, exponent.type.high + 1)
    if normal:
        significand = jammed(significand, fmt.precision + _BEYOND)
    above = const(UInt(0), 0) if normal else leading_zeros(significand)
    field = exponent - above
    if subnormals:
        bits = _aligned(
            fmt, significand, exponent=exponent, above=above, field=field, within=within
        )
    else:
        bits = _shifted(fmt, significand, 0, above)
    up = as_uint(bits[1] & (bits[0] | bits[2]))
    overflow = infinite(fmt, sign, saturate=saturate)
    if subnormals:
        # Without a hidden bit the field is 0, and a carry out of the fraction makes it 1.
        high = UInt(max(within[-1].bit_length(), fmt.exponent))
        magnitude = as_uint(cat(mux(bits[-1], wrap(field, high), 0), bits[2:-1])) + up
        return _limited(fmt, sign, as_bits(magnitude), overflow, within)
    signed = as_sint(cat(wrap(field, max(field.width, fmt.exponent + 1)), bits[2:-1])) + up
    small = (signed < (1 << fmt.fraction)) | ~bits[-1]
    return mux(small, 0, _limited(fmt, sign, as_bits(signed), overflow, within))


def _aligned(
    fmt: FloatFormat,
    significand: Signal,
    *,
    exponent: Signal,
    above: Signal,
    field: Signal,
    within: range,
) -> Signal:
    """The upper bits, jammed: the highest 1 on top, but of a subnormal number below it."""
    highest = significand.width - 1 if above.width else 0
    if within[0] > highest:
        return _shifted(fmt, significand, 0, wrap(above, highest.bit_length()))
    # With zeros on top a shift to the right is one to the left by fewer places.
    room = min(fmt.precision + 1, max(0, 1 - within[0]))
    least = exponent + (room - 1)
    if within[0] + room < 1:
        least = mux(least < 0, 0, least)
    kind = UInt((highest + room).bit_length())
    amount = mux(field > 0, wrap(above + room, kind), wrap(least, kind))
    return _shifted(fmt, significand, room, amount)


def _shifted(fmt: FloatFormat, significand: Signal, room: int, amount: Signal) -> Signal:
    """The upper bits, jammed, of a significand that begins below some zeros."""
    width = fmt.precision + _BEYOND
    above = const(Bits(room), 0)
    below = const(Bits(max(0, width - room - significand.width)), 0)
    return left_jammed(as_uint(cat(above, as_bits(significand), below)), amount, width)


def _limited(
    fmt: FloatFormat, sign: Signal, magnitude: Signal, overflow: Signal, within: range
) -> Signal:
    """A sign before exponent field and fraction, or `overflow` where they are too large."""
    fits = magnitude[0 : fmt.bits - 1]
    if within[-1] < fmt.largest_bits >> fmt.fraction:
        return cat(sign, fits)
    above = any_bit(magnitude[fmt.bits - 1 :])
    if fmt.special != "none":
        above |= all_bits(fits[fmt.fraction :] if fmt.special == "ieee" else fits)
    return mux(above, overflow, cat(sign, fits))
