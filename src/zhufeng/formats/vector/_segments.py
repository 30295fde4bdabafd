"""Which stretch of which function a row of a table stands for, and exact values there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from itertools import accumulate
from typing import Final

from zhufeng.formats.vector._interpolate import PLACE, VALUE_BITS

POINT: Final = 60
"""Bits after the point of a number that stands for a real one."""
OCTAVE_BITS: Final = (5, 5, 4, 4, 3, 2, 2, 1, 1)
"""Bits of the index within octave j of log2, from j = 1 on; later ones have a row each."""
OCTAVE_ROWS: Final = tuple(accumulate((1 << bits for bits in OCTAVE_BITS), initial=0))
"""The first row of each of these octaves, and that of the one after them."""

_HALF: Final = 1 << (POINT - 25)  # a unit of the last place between 1/2 and 1
_WORK: Final = 120  # bits after the point on the way to an exact value
_LAST_ABOVE, _LAST_BELOW = 22, 24  # octaves


@dataclass(frozen=True)
class Segment:
    """A row's stretch: what c0 - c1 t + c2 t^2 should be for t from 0 to below 1."""

    bits: int
    """That t has, its upper ones: no t in between is asked for."""
    value: Callable[[Fraction], int]
    """Of t, in units of 2^-POINT, rounded down."""
    mirrored: bool = False
    """Whether 2 - 2^-27 less the value is what is used."""


def segments(table: str) -> list[Segment]:
    """Of each row of the table of that name, in order."""
    return list(_SEGMENTS[table]())


def _exp2() -> Iterator[Segment]:
    for i in range(64):
        yield _rounding(_power, Fraction(i, 64), Fraction(1, 64), PLACE.width)


def _reciprocal() -> Iterator[Segment]:
    for at, step, bits in _stretches(Fraction(13, 8)):
        yield _rounding(_inverse, at, step, bits)


def _rsqrt() -> Iterator[Segment]:
    for at, step, bits in _stretches(Fraction(5, 4)):
        for times in (1, 2):
            yield _rounding(partial(_inverse_root, times), at, step, bits)


def _stretches(coarse: Fraction) -> Iterator[tuple[Fraction, Fraction, int]]:
    """From 1 to 2: where they begin, how long they are, bits of a fraction in one of them."""
    for start, end, index in ((Fraction(1), coarse, 7), (coarse, Fraction(2), 6)):
        for i in range(int((end - start) * (1 << index))):
            step = Fraction(1, 1 << index)
            yield start + i * step, step, 23 - index


def _rounding(
    function: Callable[[Fraction], int], at: Fraction, step: Fraction, bits: int
) -> Segment:
    """Half a unit of the last place is in the value: bits are left out to round it."""
    return Segment(bits, lambda t: function(at + step * t) + _HALF)


def _inverse(x: Fraction) -> int:
    return (x.denominator << POINT) // x.numerator


def _inverse_root(times: int, x: Fraction) -> int:
    return math.isqrt((x.denominator << 2 * POINT) // (x.numerator * times))


def _power(y: Fraction) -> int:
    """2^-y: the product of 2^-1/2, 2^-1/4, ... for the bits of y."""
    found = 1 << _WORK
    for root, bit in zip(
        _roots(), f"{int(y * (1 << len(_roots()))):0{len(_roots())}b}", strict=True
    ):
        if bit == "1":
            found = found * root >> _WORK
    return found >> (_WORK - POINT)


@cache
def _roots() -> list[int]:
    """2^-1/2, 2^-1/4, ... for as many bits as an argument of exp2 has after the point."""
    found = [math.isqrt(1 << (2 * _WORK - 1))]
    while len(found) < PLACE.width + 6:
        found.append(math.isqrt(found[-1] << _WORK))
    return found


def _log2_above() -> Iterator[Segment]:
    """Octave j is of the arguments 1 + 2^-(j+1) (1 + r), r from 0 to below 1."""
    for j in range(1, _LAST_ABOVE + 1):
        width = _index_bits(j)
        for i in range(1 << width):
            yield Segment(_LAST_ABOVE - j - width, partial(_above, j, width, i), mirrored=True)


def _above(j: int, width: int, i: int, t: Fraction) -> int:
    f = (1 + (i + t) / (1 << width)) / (2 << j)
    return (2 << POINT) - (1 << (POINT - VALUE_BITS)) - _logarithm(f, j)


def _log2_below() -> Iterator[Segment]:
    """Octave j is of the arguments 1 - 2^-(j+1) (2 - r), r from 0 to below 1."""
    for j in range(2, _LAST_BELOW + 1):
        width = _index_bits(j)
        for i in range(1 << width):
            yield Segment(max(0, _LAST_BELOW - 1 - j - width), partial(_below, j, width, i))


def _below(j: int, width: int, i: int, t: Fraction) -> int:
    f = (2 - (i + t) / (1 << width)) / (2 << j)
    return -_logarithm(-f, j)


def _index_bits(j: int) -> int:
    return OCTAVE_BITS[j - 1] if j <= len(OCTAVE_BITS) else 0


def _logarithm(f: Fraction, j: int) -> int:
    """log2(1 + f) times 2^j; ln(1 + f) is twice the inverse hyperbolic tangent of f / (2 + f)."""
    return (_artanh(f / (2 + f)) << (POINT + j)) // _artanh(Fraction(1, 3))


def _artanh(z: Fraction) -> int:
    """By its series, in units of 2^-_WORK."""
    power = (z.numerator << _WORK) // z.denominator
    square = power * power >> _WORK
    found, odd = 0, 1
    # A power below 0 is rounded down and never becomes 0.
    while abs(power) > 1:
        found += power // odd
        power = power * square >> _WORK
        odd += 2
    return found


_SEGMENTS: Final[dict[str, Callable[[], Iterator[Segment]]]] = {
    "exp2": _exp2,
    "log2_above": _log2_above,
    "log2_below": _log2_below,
    "reciprocal": _reciprocal,
    "rsqrt": _rsqrt,
}
