"""The interpolator that all four functions share: c0 - c1 t + c2 t^2 in fixed point.

Products are made as an array multiplier makes them, row by row, and of each row the columns that
are far below the result are left out: they would be more than a quarter of the transistors. The
coefficients are chosen for what is computed here (`_fit.py`), so that the mean of what is left out
costs nothing.

The form is that of the special function units of graphics processors: S. F. Oberman, M. Y. Siu, "A
high-performance area-efficient multifunction interpolator", ARITH-17, 2005; J.-A. Piñeiro, S. F.
Oberman, J.-M. Muller, J. D. Bruguera, "High-speed function approximation using a minimax quadratic
interpolator", IEEE Transactions on Computers 54(3), 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from zhufeng.hdl import Function, Signal, UInt, as_uint, cat, const, function, mux, wrap

VALUE = UInt(28)
"""In units of 2^-27, as c0."""
SLOPE = UInt(24)
"""c1, in units of 2^-24."""
BEND = UInt(13)
"""c2, in units of 2^-25."""
PLACE = UInt(19)
"""t, in units of 2^-19: where in its segment a number stands."""
VALUE_BITS: Final = 27
SLOPE_BITS: Final = 24
BEND_BITS: Final = 25
"""After the point."""

_SUM_BITS: Final = 29  # after the point, of what is added up
_SQUARED: Final = 14  # upper bits of t that are squared, and bits of the square
_SQUARE_ROOM: Final = 2  # more bits after the point while a square is added up


def cut_product(x: Signal, y: Signal, cut: int) -> Signal:
    """The sum over the bits j of y that are 1 of floor(x * 2^j / 2^cut)."""
    rows = ((x << j) >> cut for j in range(y.width))
    return _chosen([wrap(row, x.width + j - cut) for j, row in enumerate(rows)], y)


def cut_square(x: Signal, cut: int) -> Signal:
    """About x * x / 2^cut: the sum of floor(row / 2^cut).

    Row j, for each bit j of x that is 1, is 4^j and twice 2^j times each higher bit: a pair of bits
    is multiplied once, not twice.
    """
    rows = []
    for j in range(x.width):
        one = const(UInt(2), 1)
        row = as_uint(cat(x[j + 1 :], one)) if j + 1 < x.width else one
        rows.append(wrap((row << 2 * j) >> cut, x.width + 1 + j - cut))
    return _chosen(rows, x)


def _chosen(rows: Sequence[Signal], by: Signal) -> Signal:
    """The sum of those whose bit is 1."""
    kept = [mux(by[j], row, 0) for j, row in enumerate(rows) if row.width]
    found = kept[0]
    for row in kept[1:]:
        found = found + row
    return found


@cache
def interpolate() -> Function[[Signal, Signal, Signal, Signal], Signal]:
    """The value c0 - c1 t + c2 t^2, rounded down (rule 6.4): ``c0``, ``c1``, ``c2`` and ``t``."""

    @function(c0=VALUE, c1=SLOPE, c2=BEND, t=PLACE)
    def interpolate(c0: Signal, c1: Signal, c2: Signal, t: Signal) -> Signal:
        upper = as_uint(t[PLACE.width - _SQUARED :])
        square = cut_square(upper, _SQUARED - _SQUARE_ROOM)
        square = wrap(square >> _SQUARE_ROOM, _SQUARED)
        slope = cut_product(c1, t, SLOPE_BITS + PLACE.width - _SUM_BITS)
        bend = cut_product(c2, square, BEND_BITS + _SQUARED - _SUM_BITS)
        room = _SUM_BITS - VALUE_BITS
        return wrap(((c0 << room) + bend - slope) >> room, VALUE)

    return interpolate
