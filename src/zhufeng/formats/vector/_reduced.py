"""What the four functions have in common around the interpolator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from zhufeng.formats.vector._coefficients import Row
from zhufeng.formats.vector._interpolate import BEND, SLOPE, VALUE, VALUE_BITS
from zhufeng.hdl import (
    Bits,
    Signal,
    Struct,
    UInt,
    all_bits,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    mux,
    of,
    wrap,
)

FP32, BODY = Bits(32), Bits(31)
"""With and without the sign."""
NAN: Final = 0x7FC0_0000
INFINITY: Final = 0x7F80_0000
BIAS: Final = 127
FRACTION: Final = 23
_BELOW: Final = VALUE_BITS - FRACTION - 1  # bits of a value below the last place of its fraction


class Coefficients(Struct):
    """Of a row."""

    c0: Signal = of(VALUE)
    c1: Signal = of(SLOPE)
    c2: Signal = of(BEND)


@dataclass(frozen=True)
class Reduced:
    """What a function asks of the interpolator, and what it makes of the answer."""

    table: str
    index: Signal
    """Of the row."""
    place: Signal
    """t."""
    finish: Callable[[Signal], Signal]
    """From the value to the result."""


class Number:
    """An fp32 taken apart. What has the exponent field 0 is a zero."""

    def __init__(self, x: Signal) -> None:
        top = all_bits(x[FRACTION:31])
        self.negative, self.field, self.fraction = x[31], as_uint(x[FRACTION:31]), x[:FRACTION]
        self.zero = ~any_bit(x[FRACTION:31])
        self.nan, self.infinite = top & any_bit(self.fraction), top & ~any_bit(self.fraction)


def looked_up(rows: Sequence[Row], index: Signal) -> Coefficients:
    """The row of that number."""
    columns = zip(*rows, strict=True)
    kinds = zip((VALUE, SLOPE, BEND), columns, strict=True)
    return Coefficients(*(const(kind.array(len(one)), one)[index] for kind, one in kinds))


def packed(field: Signal, value: Signal) -> Signal:
    """The body of a value from 1/2 to 1; `field` is the exponent field of what is below 1.

    Half a unit of the last place is in the value: leaving bits out rounds it. What would be
    subnormal is 0.
    """
    whole = field + as_uint(value[VALUE_BITS])
    body = cat(as_bits(wrap(whole, UInt(8))), value[_BELOW : _BELOW + FRACTION])
    return mux(whole <= 0, const(BODY, 0), body)


def number_or_nan(nan: Signal, negative: Signal, body: Signal) -> Signal:
    """A result."""
    return mux(nan, const(FP32, NAN), cat(negative, body))
