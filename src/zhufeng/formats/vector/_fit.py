"""How the tables were found: `python -m zhufeng.formats.vector._fit` prints them anew.

For each row: the parabola through three points of the function; whole numbers about its c1; for
each of those the c2 that makes up for most of what c1 was rounded by, and its neighbours; for each
pair the c0 that puts the errors in the middle between their bounds. What is kept is the triple
whose largest error is the smallest. So was it done by Piñeiro et al. (2005), but that errors here
are those of the interpolator itself, with all that it leaves out, at every point of the segment.

Values of functions are computed in whole numbers, and all else is exact or IEEE arithmetic: the
same tables come out on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.formats.vector._coefficients import TABLES, Row, text_of
from zhufeng.formats.vector._interpolate import (
    BEND_BITS,
    PLACE,
    SLOPE_BITS,
    VALUE,
    VALUE_BITS,
    interpolate,
)
from zhufeng.formats.vector._segments import POINT, Segment, segments
from zhufeng.hdl.compile import HostFunction, compile_function

_AROUND: Final = 2  # whole numbers to either side that are tried
_SAMPLE: Final = 500  # points at which all pairs of c1 and c2 are tried
_FINALISTS: Final = 6  # pairs that are tried at every point
_NODES: Final = 8
_WHOLE: Final = 1 << PLACE.width
_TWICE: Final = (1 << VALUE_BITS) + 8  # above 1 a unit of the last place is twice as large


def fitted(segment: Segment) -> Row:
    """The row with the smallest largest error."""
    places = np.arange(1 << segment.bits) << (PLACE.width - segment.bits)
    wanted = _wanted(segment, places)
    # An odd stride: low bits matter, as columns are left out.
    few = slice(None, None, len(places) // _SAMPLE | 1)
    pairs = np.array(list(_pairs(segment)))
    largest, _ = _errors(segment, pairs, places[few], wanted[few])
    pairs = pairs[np.argsort(largest, kind="stable")[:_FINALISTS]]
    largest, c0 = _errors(segment, pairs, places, wanted)
    best = int(largest.argmin())
    return Row(int(c0[best]), *map(int, pairs[best]))


def _errors(
    segment: Segment, pairs: NDArray[Any], places: NDArray[Any], wanted: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The largest error of each pair with the best c0, and that c0."""
    c1, c2 = pairs[:, :1], pairs[:, 1:]
    made = _interpolator()(c0=0, c1=c1, c2=c2, t=places)["out"].astype(np.int64)
    made -= (made >> (VALUE.width - 1)) << VALUE.width
    errors = made - wanted
    lowest, highest = errors.min(axis=1), errors.max(axis=1)
    c0 = np.rint((lowest + highest) / -2)
    value = (2 << VALUE_BITS) - wanted if segment.mirrored else wanted
    weight = np.where(value > _TWICE, 0.5, 1.0)
    return (np.abs(errors + c0[:, None]) * weight).max(axis=1), c0


def _wanted(segment: Segment, places: NDArray[Any]) -> NDArray[Any]:
    """The values at those t, of which there are 2^bits, in units of the interpolator's."""
    count = len(places)
    used = min(_NODES, count)
    nodes = [int(places[count * node // used]) for node in range(used)]
    exact = [Fraction(segment.value(Fraction(t, _WHOLE)), 1 << POINT) for t in nodes]
    # Newton's form: a polynomial of degree 7 is as exact here as a float64 can tell.
    for level in range(1, len(nodes)):
        for at in range(len(nodes) - 1, level - 1, -1):
            exact[at] = (exact[at] - exact[at - 1]) / (nodes[at] - nodes[at - level]) * _WHOLE
    t, found = places / _WHOLE, np.zeros(count)
    for node, difference in zip(reversed(nodes), reversed(exact), strict=True):
        found = found * (t - node / _WHOLE) + float(difference * (1 << VALUE_BITS))
    return found


def _pairs(segment: Segment) -> Iterator[tuple[int, int]]:
    """Of c1 and c2."""
    slope, bend = _parabola(segment)
    if not bend:
        yield round(slope), 0
        return
    for c1 in _about(slope):
        # A t in excess is best made up for by a t^2 that is missing.
        for c2 in _about(bend + (c1 - slope) * (1 << BEND_BITS - SLOPE_BITS)):
            yield c1, c2


def _about(number: Fraction) -> range:
    """Whole numbers from 0 on."""
    below = number // 1
    return range(max(0, below - _AROUND), below + 2 + _AROUND)


def _parabola(segment: Segment) -> tuple[Fraction, Fraction]:
    """c1 and c2, in their units, of that through the first, middle and last point."""
    last = Fraction((1 << segment.bits) - 1, 1 << segment.bits)
    if not last:
        return Fraction(0), Fraction(0)
    places = (Fraction(0), Fraction(1, 2), last)
    first, middle, end = (Fraction(segment.value(t), 1 << POINT) for t in places)
    if segment.bits == 1:
        return (first - middle) * 2 * (1 << SLOPE_BITS), Fraction(0)
    start = (middle - first) * 2
    bend = ((end - first) / last - start) / (last - Fraction(1, 2))
    slope = bend / 2 - start
    return slope * (1 << SLOPE_BITS), bend * (1 << BEND_BITS)


@cache
def _interpolator() -> HostFunction:
    return compile_function(interpolate().ir, 32)


def main() -> None:
    """Print all tables as they stand in `_coefficients.py`."""
    for table in TABLES:
        rows = [fitted(segment) for segment in segments(table)]
        sys.stdout.write(f'_{table.upper()} = """\n{text_of(rows)}\n"""\n')


if __name__ == "__main__":
    main()
