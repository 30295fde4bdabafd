"""Of exp2, reciprocal and rsqrt: the row, t, and the exponent of the result."""

from __future__ import annotations

from typing import Final

from zhufeng.formats.vector._interpolate import PLACE
from zhufeng.formats.vector._reduced import (
    BIAS,
    FRACTION,
    Answer,
    Number,
    Reduced,
    scaled,
)
from zhufeng.hdl import Bits, Bool, Signal, UInt, as_bits, as_sint, as_uint, cat, const, mux, wrap

_POWER_BITS: Final = 25  # after the point, of the argument of exp2
_POWER_LIMIT: Final = 7  # from 2^7 on its result is 0 or infinite


def exp2_reduced(x: Signal) -> Reduced:
    """2^x = 2^-n 2^-y, where n + y = -x and y is from 0 to below 1.

    2^-y falls and is bent upwards, as the other functions are: no coefficient needs a sign.
    """
    number = Number(x)
    y, n = _opposite(number)

    def finish(value: Signal) -> Answer:
        beyond = number.field >= BIAS + _POWER_LIMIT
        return scaled(
            BIAS - 1 - n,
            value,
            nan=number.nan,
            infinite=beyond & ~number.negative,
            zero=beyond,
            negative=const(Bool, 0),
        )

    index, place = as_uint(y[PLACE.width :]), as_uint(y[: PLACE.width])
    return Reduced("exp2", index, place, finish)


def _opposite(number: Number) -> tuple[Signal, Signal]:
    """The fraction and the whole part of -x, rounded to 25 bits after the point, ties away."""
    width = _POWER_LIMIT + _POWER_BITS + 1
    largest = cat(const(Bits(1), 1), number.fraction, const(Bits(width - FRACTION - 1), 0))
    shifted = largest >> wrap(BIAS + _POWER_LIMIT - 1 - number.field, UInt(8))
    half, magnitude = shifted[0], shifted[1:]
    # Rounding and turning the sign round are one addition: -(m + 1) = ~m, and -m = ~m + 1.
    positive = ~number.negative
    turned = as_sint(cat(positive, mux(positive, ~magnitude, magnitude)))
    opposite = wrap(turned + as_uint(as_bits(half ^ positive)), width)
    return opposite[:_POWER_BITS], as_sint(opposite[_POWER_BITS:])


def reciprocal_reduced(x: Signal) -> Reduced:
    """The row is of the fraction; segments are of 2^-7, from 1 + 5/8 on of 2^-6."""
    number = Number(x)
    bits = number.fraction
    coarse = bits[22] & (bits[21] | bits[20])
    index = mux(coarse, wrap(as_uint(bits[17:]) + 40, 7), as_uint(bits[16:]))

    def finish(value: Signal) -> Answer:
        return scaled(
            2 * BIAS - 1 - number.field,
            value,
            nan=number.nan,
            infinite=number.zero,
            zero=number.infinite,
            negative=number.negative,
        )

    return Reduced("reciprocal", index, _place(bits, coarse), finish)


def rsqrt_reduced(x: Signal) -> Reduced:
    """Two rows for each stretch of the fraction: that of x as 4^n times 1 to 2, and 2 to 4.

    Segments are of 2^-7, from 1 + 1/4 on of 2^-6.
    """
    number = Number(x)
    bits = number.fraction
    coarse = bits[22] | bits[21]
    row = mux(coarse, wrap(as_uint(bits[17:]) + 16, 7), as_uint(bits[16:]))
    # The bias is odd: an even field is an odd exponent.
    index = as_uint(cat(as_bits(row), ~number.field[0]))

    def finish(value: Signal) -> Answer:
        return scaled(
            (3 * BIAS - 1) // 2 - ((number.field + 1) >> 1),
            value,
            nan=number.nan | (number.negative & ~number.zero),
            infinite=number.zero,
            zero=number.infinite,
            negative=number.negative,
        )

    return Reduced("rsqrt", index, _place(bits, coarse), finish)


def _place(fraction: Signal, coarse: Signal) -> Signal:
    """t in segments of 2^-7, or of 2^-6 where they are coarse."""
    long, short = (as_uint(fraction[:bits]) << (PLACE.width - bits) for bits in (17, 16))
    return mux(coarse, long, short)
