"""Chapter 6 of docs/formats.md in whole numbers of NumPy, and the functions as real numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.formats.vector import TABLES

Bits = NDArray[Any]
"""fp32 as uint32."""
Reals = NDArray[np.float64]

NAN, INFINITY = 0x7FC00000, 0x7F800000
SIGN = 1 << 31
OCTAVE_WIDTHS = (5, 5, 4, 4, 3, 2, 2, 1, 1)


def cut_product(x: Any, y: Any, n: int) -> Any:
    """Rule 6.4's x cut with y at n, of whole numbers from 0 on."""
    bits = range(int(np.max(y, initial=0)).bit_length())
    return sum((y >> j & 1) * (x * 2**j // 2**n) for j in bits)


def interpolated(c0: Any, c1: Any, c2: Any, t: Any) -> Any:
    """Rule 6.4's V."""
    s = t // 32
    rows = (4**j * (1 + 4 * (s // 2 ** (j + 1))) // 2**12 for j in range(14))
    q = sum((s >> j & 1) * row for j, row in enumerate(rows)) // 4
    return (4 * c0 + cut_product(c2, q, 10) - cut_product(c1, t, 14)) // 4


def looked_up(table: str, row: Any, t: Any) -> Any:
    """V of that row at t."""
    c0, c1, c2 = np.array(TABLES[table], np.int64)[row].T
    return interpolated(c0, c1, c2, t)


def exp2(x: Bits) -> Bits:
    """Rule 6.8."""
    negative, field, fraction = parts(x)
    # Magnitudes from 2^7 on overflow or underflow, those below 2^-27 are rounded to 0.
    places = np.clip(field - 125, -26, 8)
    doubled = (fraction + 2**23) * 2.0 ** (places + 1)
    v = np.where(field == 0, 0, (np.floor(doubled).astype(np.int64) + 1) // 2)
    opposite = np.where(negative, v, -v)
    n, y = opposite // 2**25, opposite % 2**25
    found = finite(0 * n, -n, looked_up("exp2", y // 2**19, y % 2**19))
    found = np.where(field >= 134, np.where(negative, 0, INFINITY), found)
    return with_nan(x, found, is_nan(x))


def reciprocal(x: Bits) -> Bits:
    """Rule 6.6."""
    negative, field, fraction = parts(x)
    fine = fraction < 5 * 2**20
    row = np.where(fine, fraction // 2**16, 40 + fraction // 2**17)
    t = np.where(fine, fraction % 2**16 * 8, fraction % 2**17 * 4)
    found = finite(negative, 127 - field, looked_up("reciprocal", row, t))
    found = np.where(field == 255, negative * SIGN, found)
    found = np.where(field == 0, negative * SIGN + INFINITY, found)
    return with_nan(x, found, is_nan(x))


def rsqrt(x: Bits) -> Bits:
    """Rule 6.7."""
    negative, field, fraction = parts(x)
    fine = fraction < 2**21
    half, odd = (field - 127) // 2, (field - 127) % 2
    row = 2 * np.where(fine, fraction // 2**16, 16 + fraction // 2**17) + odd
    t = np.where(fine, fraction % 2**16 * 8, fraction % 2**17 * 4)
    found = finite(0 * half, -half, looked_up("rsqrt", row, t))
    found = np.where(field == 255, 0, found)
    found = np.where(field == 0, negative * SIGN + INFINITY, found)
    return with_nan(x, found, is_nan(x) | ((negative == 1) & (field != 0)))


def log2(x: Bits) -> Bits:
    """Rules 6.9 and 6.10."""
    negative, field, fraction = parts(x)
    below = fraction >= 2**22
    e = field - 127 + below
    part, j = near_one(fraction)
    whole = np.where(below, e * 2**28 - part // 2 ** (j - 1), e * 2**28 + part // 2 ** (j - 1))
    small = np.where(below, -part, part)
    number = np.where(e == 0, small, whole)
    scale = np.where(e == 0, -27 - j, -28)
    found = nearest_away(number, scale)
    found = np.where(field == 0, SIGN + INFINITY, np.where(field == 255, INFINITY, found))
    return with_nan(x, found, is_nan(x) | ((negative == 1) & (field != 0)))


def near_one(fraction: Any) -> tuple[Any, Any]:
    """Rule 6.9: P and j of the numbers of that fraction, the upper half of them below 1."""
    below = fraction >= 2**22
    away = np.where(below, 2**23 - fraction, 2 * fraction)  # in units of 2^-24
    # Below 1 an octave has its upper end, above 1 its lower one.
    top = np.frexp(np.where(below, np.maximum(away - 1, 0.5), np.maximum(away, 1)))[1] - 1
    j = np.where(below & (away == 1), 24, 23 - top)
    width = np.array([*OCTAVE_WIDTHS, *[0] * 15])[j - 1]
    first = np.concatenate([[0], np.cumsum(2 ** np.array([*OCTAVE_WIDTHS, *[0] * 15]))])[j - 1]
    octave = 2 ** (23 - np.minimum(j, 23))
    r = np.where(below, 2 * octave - away, away - octave)  # of octave
    scaled = np.where(j == 24, 0, r * 2**width)
    row, t = first + scaled // octave, scaled % octave * 2**19 // octave
    above = looked_up("log2_above", np.where(below | (away == 0), 0, row), t)
    under = looked_up("log2_below", np.where(below, row - 32, 0), t)
    part = np.where(below, under, 2**28 - 1 - above)
    return np.where(away == 0, 0, part), j


def parts(x: Bits) -> tuple[Any, Any, Any]:
    """Sign, exponent field and fraction."""
    whole = x.astype(np.int64)
    return whole >> 31, whole >> 23 & 255, whole & 2**23 - 1


def is_nan(x: Bits) -> Any:
    """Of any payload."""
    return np.isnan(x.view(np.float32))


def with_nan(x: Bits, found: Any, nan: Any) -> Bits:
    """The one NaN."""
    return np.asarray(np.where(nan, NAN, found), np.uint32).reshape(x.shape)


def finite(negative: Any, exponent: Any, value: Any) -> Any:
    """floor(V / 8) / 2^24 times 2^exponent; what would be subnormal is 0."""
    kept = value // 8
    field = np.where(kept == 2**24, 127, 126) + exponent
    body = np.where(field < 1, 0, field * 2**23 + kept % 2**23)
    return negative * SIGN + body


def nearest_away(number: Any, scale: Any) -> Any:
    """number 2^scale rounded to 24 bits, ties away from 0."""
    magnitude = np.abs(number)
    bits = np.frexp(magnitude.astype(np.float64))[1]
    up = np.maximum(24 - bits, 0)
    down = np.maximum(bits - 24, 0)
    kept = (magnitude * 2**up + (2**down // 2)) // 2**down
    body = (scale + bits + 125) * 2**23 + kept
    return np.where(number == 0, 0, (number < 0) * SIGN + body)


REAL: dict[str, Callable[[Reals], Reals]] = {
    "exp2": np.exp2,
    "log2": np.log2,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
"""The functions in float64: for what is asked here, as good as exact."""


def places(y: Any) -> Reals:
    """The unit of the last place of real numbers: 2^(k - 23) from 2^k to below 2^(k + 1)."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.abs(y))[1] - 24))


def decimal_error(name: str, x: np.float32, got: np.float32) -> float:
    """In units of the last place, with 40 digits."""
    with localcontext() as context:
        context.prec = 40
        number = Decimal(float(x))
        y = {
            "exp2": lambda: Decimal(2) ** number,
            "log2": lambda: number.ln() / Decimal(2).ln(),
            "reciprocal": lambda: 1 / number,
            "rsqrt": lambda: 1 / number.sqrt(),
        }[name]()
        return float(abs(Decimal(float(got)) - y) / Decimal(float(places(float(y)))))


def binade(exponent: int, draw: np.random.Generator | None = None) -> Iterator[Bits]:
    """Numbers from 2^exponent to below twice that, in order: all, or one drawn of each ten."""
    first = (exponent + 127) << 23
    for start in range(first, first + 2**23, 2**20):
        step = np.arange(2**20) if draw is None else np.arange(0, 2**20 - 9, 10)
        drawn = 0 if draw is None else draw.integers(0, 10, len(step))
        yield (start + step + drawn).astype(np.uint32)


class Survey:
    """The results of a function for numbers in order."""

    def __init__(self, name: str) -> None:
        self.error, self.at, self.got = 0.0, np.float32(0), np.float32(0)
        """The largest error in units of the last place, where it is, and what was given there."""
        self.rises = self.falls = True
        self._real, self._last = REAL[name], np.array([], np.float32)

    def add(self, x: Bits, got: Bits) -> None:
        """Further numbers and results."""
        numbers, results = x.view(np.float32), got.view(np.float32)
        with np.errstate(under="ignore"):
            real = self._real(numbers.astype(np.float64))
        # What would be subnormal is 0.
        shown = np.abs(real) >= 2.0**-126
        errors = np.where(shown, np.abs(results - real) / places(np.where(shown, real, 1)), 0)
        at = int(errors.argmax())
        if not errors[at] <= self.error:
            self.error, self.at, self.got = float(errors[at]), numbers[at], results[at]
        steps = np.diff(np.concatenate([self._last, results]))
        self.rises &= bool(np.all(steps >= 0))
        self.falls &= bool(np.all(steps <= 0))
        self._last = results[-1:]
