"""log2: near 1 the result is as small as the argument is near, so segments are as short there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zhufeng.formats.vector._interpolate import PLACE
from zhufeng.formats.vector._reduced import (
    BIAS,
    BODY,
    FRACTION,
    INFINITY,
    Number,
    Reduced,
    number_or_nan,
)
from zhufeng.formats.vector._segments import OCTAVE_BITS
from zhufeng.hdl import (
    Bits,
    Signal,
    SInt,
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

_OCTAVE = UInt(5)  # j - 1
_INDEX_BITS: Final = max(OCTAVE_BITS)
_REST: Final = FRACTION - 2  # bits of a fraction after the shortest run and the bit that ends it
_SUM: Final = 36  # bits of a logarithm: 8 before the point
_AFTER: Final = 28
_HIGHEST: Final = 10  # of them the first one that is 1 is among so many upper ones


@dataclass(frozen=True)
class _Argument:
    """x as 2^e (1 + f), f from -1/4 to below 1/2."""

    number: Number
    e: Signal
    below: Signal
    """f is below 0."""
    other: Signal
    """f is not 0."""
    octave: Signal
    """j - 1, where |f| is from about 2^-(j+1) to 2^-j."""
    rest: Signal
    """The bits of the fraction after those that tell the octave."""


def _argument(x: Signal) -> _Argument:
    number = Number(x)
    bits = number.fraction
    below = bits[FRACTION - 1]
    run = bits[: FRACTION - 1]
    run = mux(below, ~run, run)
    length = leading_zeros(run)
    return _Argument(
        number=number,
        e=number.field + as_uint(as_bits(below)) - BIAS,
        below=below,
        other=below | any_bit(run),
        octave=wrap(length + as_uint(as_bits(below)), _OCTAVE),
        rest=shift_left(bits[:_REST], length, _REST),
    )


def log2_reduced(x: Signal) -> Reduced:
    """log2(x) = e + log2(1 + f); the value is |log2(1 + f)| 2^j, or 2 - 2^-27 minus that."""
    argument = _argument(x)
    index, place = _asked(argument)

    def finish(value: Signal) -> Signal:
        number = argument.number
        magnitude, negative = _sum(argument, value)
        body = _rounded(magnitude, mux(argument.e == 0, argument.octave, 0))
        found = mux(number.zero | number.infinite, const(BODY, INFINITY), body)
        none = number.nan | (number.negative & ~number.zero)
        return number_or_nan(none, negative, found)

    return Reduced("log2", index, place, finish)


def _asked(argument: _Argument) -> tuple[Signal, Signal]:
    """The row's number and t."""
    octaves = range(len(OCTAVE_BITS))
    first = [sum(1 << bits for bits in OCTAVE_BITS[:j]) for j in range(len(OCTAVE_BITS) + 1)]
    kept = switch(
        argument.octave, dict(enumerate(const(UInt(3), b) for b in OCTAVE_BITS)), const(UInt(3), 0)
    )
    later = argument.octave + (first[-1] - len(OCTAVE_BITS))
    row_type = UInt(8)
    base = switch(
        argument.octave,
        {j: const(row_type, first[j]) for j in octaves},
        wrap(later, row_type),
    )
    upper = as_uint(argument.rest[_REST - _INDEX_BITS :])
    index = upper >> wrap(_INDEX_BITS - kept, UInt(3))
    row = base | wrap(index, row_type)
    moved = shift_left(argument.rest, kept, _REST)
    bits = _REST - _INDEX_BITS
    place = as_uint(moved[_REST - bits :]) << (PLACE.width - bits)
    return as_uint(cat(argument.below, as_bits(row))), place


def _sum(argument: _Argument, value: Signal) -> tuple[Signal, Signal]:
    """The magnitude of e + log2(1 + f), and whether it is below 0.

    In units of 2^-28; where e is 0, in units of 2^-28 / 2^(j - 1).
    """
    whole = argument.e == 0
    small = mux(argument.below, value, ~value)
    small = mux(argument.other, small, 0)
    small = small >> mux(whole, const(_OCTAVE, 0), argument.octave)
    negative = argument.e < 0
    subtract = ~whole & (argument.below ^ negative)
    ones = mux(negative, wrap(-argument.e, UInt(8)), wrap(argument.e, UInt(8)))
    turned = as_sint(cat(subtract, as_bits(mux(subtract, ~small, small))))
    found = (ones << _AFTER) + turned + as_uint(as_bits(subtract))
    return wrap(found, UInt(_SUM)), negative | (whole & argument.below)


def _rounded(magnitude: Signal, lower: Signal) -> Signal:
    """The body of a sum, rounded to nearest, ties up; `lower` is by how much its exponent is less."""
    lead = leading_zeros(magnitude[_SUM - _HIGHEST :])
    moved = shift_left(as_bits(magnitude), lead, _SUM)
    low = _SUM - 1 - FRACTION
    field = wrap(BIAS + _SUM - 1 - _AFTER - lead - lower, UInt(8))
    body = as_uint(cat(as_bits(field), moved[low:-1])) + as_uint(as_bits(moved[low - 1]))
    return mux(moved[-1], as_bits(wrap(body, 31)), const(BODY, 0))
