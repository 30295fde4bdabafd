"""The parts of a number."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.hdl import (
    Bool,
    Signal,
    Struct,
    UInt,
    all_bits,
    any_bit,
    as_uint,
    cat,
    const,
    of,
)


class Unpacked(Struct):
    """The parts of a number: (-1)^sign·significand·2^(exponent - bias - fraction) if finite."""

    sign: Signal = of(Bool)
    exponent: Signal
    """UInt: the exponent field, but 1 where that is 0."""
    significand: Signal
    """UInt: the hidden bit and the fraction; of a subnormal number the highest bit is 0."""
    is_zero: Signal = of(Bool)
    is_inf: Signal = of(Bool)
    is_nan: Signal = of(Bool)


@cache
def unpacked_type(fmt: FloatFormat) -> type[Unpacked]:
    """The struct that `unpacked` gives of a format."""

    class Parts(Unpacked):
        exponent: Signal = of(UInt(fmt.exponent))
        significand: Signal = of(UInt(fmt.precision))

    return Parts


def unpacked(fmt: FloatFormat, bits: Signal) -> Unpacked:
    """The parts of a number (rules 5.1 and 5.2).

    Args:
        fmt: its format.
        bits: Bits(fmt.bits), a single element.
    """
    fraction, field = bits[0 : fmt.fraction], bits[fmt.fraction : -1]
    normal, more = any_bit(field), any_bit(fraction)
    is_inf = is_nan = const(Bool, 0)
    if fmt.special == "ieee":
        top = all_bits(field)
        is_inf, is_nan = top & ~more, top & more
    elif fmt.special == "one nan":
        is_nan = all_bits(bits[:-1])
    return unpacked_type(fmt)(
        sign=bits[-1],
        # The place of subnormal numbers is that of the field 1, which one gate makes of 0.
        exponent=as_uint(cat(field[1:], field[0] | ~normal)),
        significand=as_uint(cat(normal, fraction)),
        is_zero=~normal & ~more,
        is_inf=is_inf,
        is_nan=is_nan,
    )
