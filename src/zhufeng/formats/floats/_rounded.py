"""The one rounding: to nearest, ties to even, and packed."""

from __future__ import annotations

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._shifts import jammed, left_jammed
from zhufeng.hdl import (
    Bits,
    Signal,
    SInt,
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
    """A finite number as bits, rounded to nearest, ties to even (rules 5.5 and 5.6).

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
    top = fmt.precision + 2  # A bit that rounds, and one for all below it.
    if normal:
        significand = jammed(significand, top)
    above = const(UInt(0), 0) if normal else leading_zeros(significand)
    highest = 0 if normal else significand.width
    field = exponent - above
    if subnormals:
        room = min(fmt.precision + 1, max(0, 1 - within[0]))
        amount = _places(exponent, above, field, within, highest, room)
    else:
        room, amount = 0, above
    zeros = const(Bits(max(0, top - room - significand.width)), 0)
    # Zeros on top: a shift to the right is one to the left by fewer places.
    wide = as_uint(cat(const(Bits(room), 0), as_bits(significand), zeros))
    bits = left_jammed(wide, amount, top)
    up = bits[1] & (bits[0] | bits[2])
    if subnormals:
        # Without a hidden bit the field is 0, and a carry out of the fraction makes it 1.
        high = UInt(max(within[-1].bit_length(), fmt.exponent))
        found = mux(bits[-1], wrap(field, high), 0)
        magnitude = as_uint(cat(found, bits[2:-1])) + wrap(up, UInt(1))
    else:
        high = SInt(max(field.width, fmt.exponent + 1))
        magnitude = as_sint(cat(wrap(field, high), bits[2:-1])) + wrap(up, UInt(1))
    packed = cat(sign, _limited(fmt, as_bits(magnitude), within, saturate=saturate))
    if subnormals:
        return packed
    small = (magnitude < (1 << fmt.fraction)) | ~bits[-1]
    return mux(small, 0, packed)


def _places(
    exponent: Signal, above: Signal, field: Signal, within: range, highest: int, room: int
) -> Signal:
    """How far a number is shifted to the left, `room` zeros standing above it.

    Its highest 1 comes to the top, but its exponent not below the lowest.
    """
    if within[0] > highest:
        return above
    limit = exponent + (room - 1)
    if within[0] + room < 1:
        limit = mux(limit < 0, 0, limit)
    kind = UInt((highest + room).bit_length())
    return mux(field > 0, wrap(above + room, kind), wrap(limit, kind))


def _limited(fmt: FloatFormat, magnitude: Signal, within: range, *, saturate: bool) -> Signal:
    """Exponent field and fraction of a number; of one that is too large, what stands for it."""
    width = fmt.bits - 1
    fits = magnitude[0:width]
    field = fits[fmt.fraction :]
    if within[-1] < fmt.largest_bits >> fmt.fraction:
        return fits
    above = any_bit(magnitude[width:])
    if fmt.special != "none":
        above |= all_bits(field if fmt.special == "ieee" else fits)
    return mux(above, fmt.overflow_bits(saturate=saturate), fits)
