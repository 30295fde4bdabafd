"""What chapter 5 of docs/formats.md says, by NumPy, ml_dtypes, and Python's integers.

Nothing here knows of the hardware. Exact results that need more than the 53 bits of a float64 are
rounded to odd there: what is then rounded to at most 51 bits is what the exact number would be
(S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
rounding to odd", IEEE Transactions on Computers 57, 2008).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any, Final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from zhufeng.formats.floats import BF16, E2M1, E2M3, E3M2, E4M3, E5M2, FP16, FP32, FloatFormat

Bits = NDArray[Any]
Numbers = NDArray[np.float64]

DTYPES: Final[dict[FloatFormat, Any]] = {
    FP32: np.float32,
    FP16: np.float16,
    BF16: ml_dtypes.bfloat16,
    E5M2: ml_dtypes.float8_e5m2,
    E4M3: ml_dtypes.float8_e4m3fn,
    E3M2: ml_dtypes.float6_e3m2fn,
    E2M3: ml_dtypes.float6_e2m3fn,
    E2M1: ml_dtypes.float4_e2m1fn,
}
QUIET: Final = {FP32: 0x7FC00000, FP16: 0x7E00, BF16: 0x7FC0, E5M2: 0x7E, E4M3: 0x7F}
INFINITY: Final = {FP32: 0x7F800000, FP16: 0x7C00, BF16: 0x7F80, E5M2: 0x7C}
LARGEST: Final = {
    FP32: 0x7F7FFFFF,
    FP16: 0x7BFF,
    BF16: 0x7F7F,
    E5M2: 0x7B,
    E4M3: 0x7E,
    E3M2: 0x1F,
    E2M3: 0x1F,
    E2M1: 0x07,
}


def typed(fmt: FloatFormat, bits: Bits) -> NDArray[Any]:
    """Bits as numbers of the format's dtype."""
    dtype = np.dtype(DTYPES[fmt])
    return bits.astype(f"u{dtype.itemsize}").view(dtype)


def untyped(numbers: NDArray[Any]) -> Bits:
    """Numbers of some dtype as bits."""
    return numbers.view(f"u{numbers.dtype.itemsize}")


def values(fmt: FloatFormat, bits: Bits) -> Numbers:
    """Bits as the float64 that they are."""
    with np.errstate(invalid="ignore"):  # NumPy tells of signalling NaNs.
        return typed(fmt, bits).astype(np.float32).astype(np.float64)


def canonical(fmt: FloatFormat, numbers: NDArray[Any]) -> Bits:
    """Results of the format's dtype as bits, each NaN as that of rule 5.5."""
    bits = untyped(numbers)
    if fmt not in QUIET:
        return bits
    with np.errstate(invalid="ignore"):
        unknown = np.isnan(numbers.astype(np.float32))
    return np.where(unknown, bits.dtype.type(QUIET[fmt]), bits)


@cache
def steps(fmt: FloatFormat) -> Numbers:
    """The finite numbers from 0 up, and the one that would follow the largest."""
    found = values(fmt, np.arange(LARGEST[fmt] + 1, dtype=np.uint32))
    return np.append(found, 2 * found[-1] - found[-2])


def nearest(fmt: FloatFormat, exact: Numbers, *, saturate: bool = False) -> Bits:
    """Numbers rounded to a format, as bits: found among all of its numbers.

    Args:
        fmt: the format.
        exact: exact, or rounded to odd.
        saturate: whether what is too large becomes the largest number.
    """
    if fmt == FP32:
        return _nearest_fp32(exact, saturate=saturate)
    known, magnitude = steps(fmt), np.abs(exact)
    low = np.clip(np.searchsorted(known, magnitude, side="right") - 1, 0, len(known) - 2)
    middle = (known[low] + known[low + 1]) / 2
    place = low + ((magnitude > middle) | ((magnitude == middle) & (low % 2 == 1)))
    sign = np.signbit(exact).astype(np.int64) << (fmt.bits - 1)
    beyond = LARGEST[fmt] if saturate else INFINITY.get(fmt, LARGEST[fmt])
    found = sign + np.minimum(place, beyond)
    if fmt == E4M3 and not saturate:
        found = np.where(place > LARGEST[fmt], QUIET[fmt], found)
    unknown = QUIET.get(fmt, LARGEST[fmt])
    whole: Bits = np.where(np.isnan(exact), unknown, found)
    return whole.astype(untyped(np.zeros(1, DTYPES[fmt])).dtype)


def _nearest_fp32(exact: Numbers, *, saturate: bool) -> Bits:
    with np.errstate(over="ignore", invalid="ignore"):
        bits = canonical(FP32, exact.astype(np.float32))
    too_large = saturate & ((bits & 0x7FFFFFFF) == INFINITY[FP32])
    return np.where(too_large, bits - np.uint32(1), bits)


def odd_sum(a: Numbers, b: Numbers) -> Numbers:
    """a + b, rounded to odd: the error of the rounded sum is known (Knuth's two-sum)."""
    with np.errstate(invalid="ignore"):
        near = a + b
        part = near - a
        error = (a - (near - part)) + (b - part)
        bits = near.view(np.int64)
        inexact = (error != 0) & np.isfinite(near) & (bits % 2 == 0)
        away = np.where((error > 0) == (near > 0), 1, -1)
    return np.where(inexact, (bits + away).view(np.float64), near)


def fused(a: Numbers, b: Numbers, c: Numbers) -> Numbers:
    """a·b + c of numbers of fp32 or less, rounded to odd: their product is exact."""
    with np.errstate(invalid="ignore"):
        return odd_sum(a * b, c)


def nearest_one(fmt: FloatFormat, number: Fraction) -> int:
    """A number that is not 0 rounded to a format with infinities, by integers alone."""
    sign = (number < 0) << (fmt.bits - 1)
    magnitude = abs(number)
    # Of its highest bit; the quotient of two such numbers may be one place lower.
    place = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    place -= magnitude < Fraction(2) ** place
    scale = max(place, fmt.lowest) - fmt.fraction
    # Python rounds fractions to nearest, ties to even.
    count = round(magnitude / Fraction(2) ** scale)
    field = scale + fmt.fraction + fmt.bias - 1
    return sign | min((field << fmt.fraction) + count, INFINITY[fmt])
