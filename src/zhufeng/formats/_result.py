"""A number and an exponent, rounded once to fp32 (rule 4.6).

`zhufeng.formats.floats.rounded` would do as well, but with numbers above a word: here exponents
have more bits than those of fp32. Where products are compiled, that takes half as long again.
"""

from __future__ import annotations

from zhufeng.hdl import (
    Bits,
    Signal,
    SInt,
    UInt,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    leading_zeros,
    mux,
    shift_left,
    wrap,
)

_FRACTION, _BIAS, _SPECIAL = 23, 127, 255
_NAN, _INFINITY = 0x7FC00000, 0x7F800000
_FIELD = SInt(13)


def to_fp32(number: Signal, exponent: Signal, poison: Signal) -> Signal:
    """number·2^exponent as the bits of an fp32: to nearest, ties to even.

    From 2^128 on it is an infinity, below 2^-126 it is +0, with poison the quiet NaN.

    Args:
        number: signed, of 26 bits at least.
        exponent: signed, of 12 bits at most.
        poison: a Bool.
    """
    width = number.width
    negative = number < 0
    magnitude = as_uint(wrap(mux(negative, -number, wrap(number, width + 1)), width))
    above = leading_zeros(magnitude)
    # The highest 1 on top: 24 bits to keep, one that rounds, and those that break a tie.
    whole = as_bits(shift_left(magnitude, above, width))
    kept, half = whole[width - _FRACTION - 1 : width], whole[width - _FRACTION - 2]
    up = half & (any_bit(whole[0 : width - _FRACTION - 2]) | kept[0])
    rounded = as_uint(kept) + wrap(up, UInt(1))
    carried = rounded[_FRACTION + 1]
    field = wrap(exponent - above, _FIELD) + (width - 1 + _BIAS) + wrap(carried, UInt(1))
    fraction = mux(carried, as_bits(rounded)[1 : _FRACTION + 1], as_bits(rounded)[0:_FRACTION])
    sign = wrap(negative, Bits(1))
    normal = cat(sign, as_bits(wrap(field, UInt(8))), fraction)
    infinite = cat(sign, const(Bits(31), _INFINITY))
    none = (field <= 0) | ~whole[width - 1]
    finite = mux(none, 0, mux(field >= _SPECIAL, infinite, normal))
    return mux(poison, _NAN, finite)
