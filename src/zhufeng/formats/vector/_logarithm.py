"""log2. Near 1 it is as small as its argument is near to 1, and so are the segments there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zhufeng.formats.vector._interpolate import PLACE
from zhufeng.formats.vector._reduced import (
    BIAS,
    FIELD,
    FRACTION,
    Answer,
    Number,
    Reduced,
)
from zhufeng.formats.vector._segments import OCTAVE_BITS, OCTAVE_ROWS
from zhufeng.hdl import (
    Signal,
    UInt,
    any_bit,
    as_bits,
    as_sint,
    as_uint,
    cat,
    const,
    leading_zeros,
    mux,
    shift_left,
    switch,
    wrap,
)

_OCTAVE, _WIDTH, _ROW = UInt(5), UInt(3), UInt(8)
_WIDEST: Final = max(OCTAVE_BITS)
_REST: Final = FRACTION - 2  # bits of a fraction after the shortest run and the bit that ends it
_SUM: Final = 36  # bits of a logarithm
_AFTER: Final = 28  # of them after the point
_HIGHEST: Final = 9  # of a sum that is not 0 one of these upper bits is 1, or the one below them


@dataclass(frozen=True)
class _Argument:
    """x as 2^e (1 + f), f from -1/4 to below 1/2."""

    e: Signal
    below: Signal
    """f is below 0."""
    other: Signal
    """f is not 0."""
    octave: Signal
    """j - 1, where |f| is about 2^-(j+1) to 2^-j."""
    rest: Signal
    """The bits of the fraction after those that tell the octave."""


def log2_reduced(x: Signal) -> Reduced:
    """log2(x) = e + log2(1 + f); the value tells |log2(1 + f)| 2^j."""
    number = Number(x)
    argument = _argument(number)
    index, place = _asked(argument)

    def finish(value: Signal) -> Answer:
        magnitude, negative = _sum(argument, value)
        field, fraction = _rounded(magnitude, mux(argument.e == 0, argument.octave, 0))
        return Answer(
            nan=number.nan | (number.negative & ~number.zero),
            infinite=number.zero | number.infinite,
            zero=(argument.e == 0) & ~argument.other,
            negative=negative,
            field=field,
            fraction=fraction,
        )

    return Reduced("log2", index, place, finish)


def _argument(number: Number) -> _Argument:
    below = number.fraction[-1]
    # Zeros after 1.0, ones after 1.1, which is 0.11 here: how many there are tells the octave.
    tail = number.fraction[:-1]
    run = mux(below, ~tail, tail)
    length = leading_zeros(run)
    return _Argument(
        e=number.field + as_uint(below) - BIAS,
        below=below,
        other=below | any_bit(run),
        octave=wrap(length + as_uint(below), _OCTAVE),
        rest=shift_left(tail[:_REST], length, _REST),
    )


def _asked(argument: _Argument) -> tuple[Signal, Signal]:
    """The row and t: the octave's first row and some bits of the rest, and the bits after them."""
    octave, rest = argument.octave, argument.rest
    widths = {j: const(_WIDTH, width) for j, width in enumerate(OCTAVE_BITS)}
    width = switch(octave, widths, const(_WIDTH, 0))
    rows = {j: const(_ROW, row) for j, row in enumerate(OCTAVE_ROWS)}
    first = switch(octave, rows, wrap(octave + OCTAVE_ROWS[-1] + 1 - len(OCTAVE_ROWS), _ROW))
    upper = as_uint(rest[-_WIDEST:]) >> wrap(_WIDEST - width, _WIDTH)
    # An octave of n rows begins at a multiple of n.
    row = first | wrap(upper, _ROW)
    after = shift_left(rest, width, _REST)[_WIDEST:]
    place = as_uint(after) << (PLACE.width - after.width)
    return as_uint(cat(argument.below, as_bits(row))), place


def _sum(argument: _Argument, value: Signal) -> tuple[Signal, Signal]:
    """The magnitude of e + log2(1 + f), and whether it is negative.

    In units of 2^-28, and of 2^(1-j) times that where e is 0.
    """
    alone = argument.e == 0
    # Above 1 the value is 2 - 2^-27 less what is wanted: both tables then fall.
    scaled = mux(argument.other, mux(argument.below, value, ~value), 0)
    part = as_bits(scaled >> mux(alone, const(_OCTAVE, 0), argument.octave))
    negative = argument.e < 0
    ones = mux(negative, wrap(-argument.e, UInt(8)), wrap(argument.e, UInt(8)))
    minus = ~alone & (argument.below ^ negative)
    turned = as_sint(cat(minus, mux(minus, ~part, part)))
    found = (ones << _AFTER) + turned + as_uint(minus)
    return wrap(found, UInt(_SUM)), negative | (alone & argument.below)


def _rounded(magnitude: Signal, lower: Signal) -> tuple[Signal, Signal]:
    """Exponent field and fraction of a sum that is not 0, to nearest, ties upwards.

    Args:
        magnitude: the sum.
        lower: is taken from its exponent.
    """
    lead = leading_zeros(magnitude[-_HIGHEST:])
    moved = shift_left(as_bits(magnitude), lead, _SUM)
    half = _SUM - FRACTION - 2
    field = wrap(BIAS + _SUM - 1 - _AFTER - lead - lower, FIELD)
    # A carry out of the fraction is one to the exponent.
    body = as_uint(cat(as_bits(field), moved[half + 1 : -1])) + as_uint(moved[half])
    return as_uint(body[FRACTION : FRACTION + FIELD.width]), body[:FRACTION]
