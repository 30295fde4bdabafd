"""What the four functions have in common around the interpolator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from zhufeng.formats.vector._coefficients import Row
from zhufeng.formats.vector._interpolate import BEND, SLOPE, VALUE, VALUE_BITS
from zhufeng.hdl import (
    Bits,
    Bool,
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

FP32, FIELD = Bits(32), UInt(8)
BIAS: Final = 127
FRACTION: Final = 23
_BELOW: Final = VALUE_BITS - FRACTION - 1  # bits of a value below the last place of its fraction


class Coefficients(Struct):
    """Of a row."""

    c0: Signal = of(VALUE)
    c1: Signal = of(SLOPE)
    c2: Signal = of(BEND)


class Answer(Struct):
    """A result before it is packed. The first of these that is true counts."""

    nan: Signal = of(Bool)
    infinite: Signal = of(Bool)
    zero: Signal = of(Bool)
    negative: Signal = of(Bool)
    field: Signal = of(FIELD)
    fraction: Signal = of(Bits(FRACTION))


@dataclass(frozen=True)
class Reduced:
    """What a function asks of the interpolator, and what it makes of the answer."""

    table: str
    index: Signal
    """Of the row."""
    place: Signal
    """t."""
    finish: Callable[[Signal], Answer]
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


def scaled(
    field: Signal, value: Signal, *, nan: Signal, infinite: Signal, zero: Signal, negative: Signal
) -> Answer:
    """A value from 1/2 to 1 times a power of two.

    Half a unit of the last place is in the value: leaving bits out rounds it. What would be
    subnormal is a zero.

    Args:
        field: the exponent field of what is below 1.
        value: of the interpolator.
        nan: the result is none, whatever the value.
        infinite: it is an infinity.
        zero: it is a zero.
        negative: its sign.
    """
    whole = field + as_uint(value[VALUE_BITS])
    return Answer(
        nan=nan,
        infinite=infinite,
        zero=zero | (whole <= 0),
        negative=negative,
        field=wrap(whole, FIELD),
        fraction=value[_BELOW : _BELOW + FRACTION],
    )


def packed(answer: Answer) -> Signal:
    """As an fp32."""
    special = answer.nan | answer.infinite
    field = mux(special, const(FIELD, 255), mux(answer.zero, 0, answer.field))
    quiet = const(Bits(FRACTION), 1 << FRACTION - 1)
    fraction = mux(special | answer.zero, const(Bits(FRACTION), 0), answer.fraction)
    return cat(answer.negative & ~answer.nan, as_bits(field), mux(answer.nan, quiet, fraction))
