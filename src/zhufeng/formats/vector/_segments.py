"""Which stretch of which function each row of a table stands for, and the exact values there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial

from zhufeng.formats.vector._interpolate import PLACE, VALUE_BITS

POINT = 60
"""Bits after the point of a number that stands for a real one."""
OCTAVE_BITS = (5, 5, 4, 4, 3, 2, 2, 1, 1)
"""Bits of the index within octave j of log2, from j = 1 on; 0 in later ones."""
_ROUNDING = Fraction(1, 1 << 25)  # half a unit of the last place of what is between 1/2 and 1
_WORK = 120  # bits after the point while a logarithm is computed


@dataclass(frozen=True)
class Segment:
    """A row's stretch: of what c0 - c1 t + c2 t^2 should be the value, for t from 0 to 1."""

    bits: int
    """That t has, its upper ones: no t in between is ever asked for."""
    value: Callable[[Fraction], int]
    """Of t, in units of 2^-POINT, rounded down."""
    mirrored: bool = False
    """Whether 2 - 2^-27 minus the value is what is wanted."""


def segments(table: str) -> list[Segment]:
    """Of each row of the table of that name, in order."""
    return list(_SEGMENTS[table]())


def _reciprocal() -> Iterator[Segment]:
    for at, step in _halved_from(Fraction(13, 8)):
        yield _plain(step, lambda x: (x.denominator << POINT) // x.numerator, at)


def _rsqrt() -> Iterator[Segment]:
    for at, step in _halved_from(Fraction(5, 4)):
        for parity in (1, 2):
            yield _plain(step, partial(_root, parity), at)


def _root(parity: int, x: Fraction) -> int:
    return math.isqrt((x.denominator << 2 * POINT) // (x.numerator * parity))


def _halved_from(coarse: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """Where segments of 1 to 2 begin and how long they are: 2^-7, 2^-6 from `coarse` on."""
    at = Fraction(1)
    while at < 2:
        step = Fraction(1, 128 if at < coarse else 64)
        yield at, step
        at += step


def _exp2() -> Iterator[Segment]:
    for i in range(64):
        yield _plain(Fraction(1, 64), _power, Fraction(i, 64), PLACE.width)


def _plain(
    step: Fraction, function: Callable[[Fraction], int], at: Fraction, bits: int | None = None
) -> Segment:
    """What is rounded by leaving bits out: half a unit of the last place is in it."""
    half = int(_ROUNDING * (1 << POINT))
    own = 23 + step.numerator.bit_length() - step.denominator.bit_length() if bits is None else bits
    return Segment(own, lambda t: function(at + step * t) + half)


def _power(y: Fraction) -> int:
    """2^-y, by the roots of 1/2 whose product it is."""
    found, left = 1 << _WORK, y
    for j, root in enumerate(_roots(), 1):
        if left >= Fraction(1, 1 << j):
            left -= Fraction(1, 1 << j)
            found = found * root >> _WORK
    assert left == 0, "y has as many bits as there are roots"
    return found >> (_WORK - POINT)


@cache
def _roots() -> list[int]:
    """2^-1/2, 2^-1/4, ..."""
    found = [math.isqrt(1 << (2 * _WORK - 1))]
    while len(found) < PLACE.width + 6:
        found.append(math.isqrt(found[-1] << _WORK))
    return found


def _log2_above() -> Iterator[Segment]:
    """Of 1 + 2^-(j+1) (1 + r), times 2^j and mirrored."""
    for j in range(1, 23):
        width = min(_index_bits(j), 22 - j)
        for i in range(1 << width):
            yield Segment(22 - j - width, partial(_above, j, width, i), mirrored=True)


def _above(j: int, width: int, i: int, t: Fraction) -> int:
    f = (1 + (i + t) / (1 << width)) / (2 << j)
    return (2 << POINT) - (1 << (POINT - VALUE_BITS)) - _logarithm(f, j)


def _log2_below() -> Iterator[Segment]:
    """Of 1 - 2^-(j+1) (2 - r), times -2^j."""
    for j in range(2, 25):
        width = _index_bits(j)
        for i in range(1 << width):
            yield Segment(max(0, 23 - j - width), partial(_below, j, width, i))


def _below(j: int, width: int, i: int, t: Fraction) -> int:
    f = (2 - (i + t) / (1 << width)) / (2 << j)
    return -_logarithm(-f, j)


def _index_bits(j: int) -> int:
    return OCTAVE_BITS[j - 1] if j <= len(OCTAVE_BITS) else 0


def _logarithm(f: Fraction, j: int) -> int:
    """log2(1 + f) times 2^j: the logarithm of 2 is twice the area tangent of 1/3."""
    z = f / (2 + f)
    return (_area_tangent(z) << (POINT + j)) // _area_tangent(Fraction(1, 3))


def _area_tangent(z: Fraction) -> int:
    """The inverse of the hyperbolic tangent, by its series."""
    found, power = 0, (z.numerator << _WORK) // z.denominator
    square = power * power >> _WORK
    for odd in range(1, _WORK, 2):
        if not power:
            break
        found += power // odd
        power = power * square >> _WORK
    return found


_SEGMENTS: dict[str, Callable[[], Iterator[Segment]]] = {
    "exp2": _exp2,
    "log2_above": _log2_above,
    "log2_below": _log2_below,
    "reciprocal": _reciprocal,
    "rsqrt": _rsqrt,
}
