"""What chapter 7 of docs/formats.md says, by ml_dtypes, NumPy's float64 and Python's fractions.

Nothing here knows of the hardware. A number over a power of two is exact in float64; what is not
exact there is a fraction.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import cache
from typing import Any, Final, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from zhufeng.formats.floats import E2M1, E2M3, E3M2, E4M3, E5M2
from zhufeng.formats.microscaling import INT8, Element, Scale

Array = NDArray[Any]

DTYPES: Final[dict[Element, Any]] = {
    E5M2: ml_dtypes.float8_e5m2,
    E4M3: ml_dtypes.float8_e4m3fn,
    E3M2: ml_dtypes.float6_e3m2fn,
    E2M3: ml_dtypes.float6_e2m3fn,
    E2M1: ml_dtypes.float4_e2m1fn,
    INT8: np.int8,
}
LOWEST: Final = {E5M2: -14, E4M3: -6, E3M2: -2, E2M3: 0, E2M1: 0, INT8: 0}
"""Exponents of the smallest normal numbers (OCP Microscaling Formats 1.0, 5.3)."""
FRACTION: Final = {E5M2: 2, E4M3: 3, E3M2: 2, E2M3: 3, E2M1: 1, INT8: 6}
"""Bits of their fractions."""
TABLES: Final[dict[Element, dict[int, float]]] = {
    E5M2: {0x7B: 57344, 0x04: 2.0**-14, 0x03: 0.75 * 2.0**-14, 0x01: 2.0**-16},
    E4M3: {0x7E: 448, 0x08: 2.0**-6, 0x07: 0.875 * 2.0**-6, 0x01: 2.0**-9},
    E3M2: {0x1F: 28, 0x04: 0.25, 0x03: 0.1875, 0x01: 0.0625},
    E2M3: {0x1F: 7.5, 0x08: 1, 0x07: 0.875, 0x01: 0.125},
    E2M1: {0x7: 6, 0x2: 1, 0x1: 0.5},
    INT8: {0x7F: 1 + 63 / 64, 0x01: 2.0**-6, 0x40: 1, 0x81: -1 - 63 / 64, 0x80: -2},
}
"""By bits: the largest and the smallest normal, the largest and the smallest subnormal numbers (OCP
Microscaling Formats 1.0, 5.3); of INT8 the largest, the smallest, 1, and the lowest ones."""
NAN: Final = 0x7FC00000


class Quantised(NamedTuple):
    """Bits of blocks."""

    scale: Array
    """[blocks]"""
    elements: Array
    """[blocks, elements]"""


@cache
def values(element: Element) -> Array:
    """All elements, by their bits, as float64."""
    bits = np.arange(1 << element.bits, dtype=np.uint8)
    known: Array = bits.view(DTYPES[element]).astype(np.float64)
    return known / 64 if element == INT8 else known


@cache
def largest(element: Element) -> float:
    """The largest finite element that a quantiser makes."""
    known = values(element)
    return float(known[np.isfinite(known)].max())


def encoded(element: Element, numbers: Array) -> Array:
    """Magnitudes up to the largest as bits, rounded to nearest, ties to even."""
    exact = np.rint(numbers * 64) if element == INT8 else numbers.astype(np.float32)
    bits: Array = exact.astype(DTYPES[element]).view(np.uint8)
    return bits


def signed(element: Element, negative: Array, bits: Array) -> Array:
    """With a sign."""
    minus = bits.astype(int) + (1 << (element.bits - 1))
    if element == INT8:
        minus = 256 - bits.astype(int)
    return np.where(negative, minus, bits).astype(np.uint8)


def read(x: Array) -> tuple[Array, Array, Array]:
    """Fp32 [blocks, elements] as magnitudes without subnormals; signs; which blocks are finite."""
    magnitude = np.abs(x.astype(np.float64))
    magnitude[magnitude < 2.0**-126] = 0
    return magnitude, np.signbit(x), np.asarray(np.isfinite(x).all(-1))


def codes(element: Element, scale: Scale, amax: Array) -> Array:
    """The scales of finite blocks of a largest magnitude (rules 7.4 and 7.5)."""
    some = np.where(amax > 0, amax, 2.0**-200)
    if scale == "down":
        # The exponent of a power of two that is not above it.
        down: Array = np.frexp(some)[1] - np.frexp(largest(element))[1]
        return np.maximum(down, -127) + 127
    found: Array = np.full(amax.shape, -127)
    for power in range(-127, 127):
        found += amax > largest(element) * 2.0**power
    return found + 127


def mx_quantised(x: Array, element: Element, scale: Scale, noise: Array | None) -> Quantised:
    """Blocks of fp32 [blocks, 32] quantised (rules 7.3 to 7.7), with bytes [blocks, 32] or none."""
    with np.errstate(invalid="ignore"):
        magnitude, negative, finite = read(x)
    magnitude[~finite] = 0
    code = codes(element, scale, magnitude.max(-1))
    exact = np.ldexp(magnitude, 127 - code[:, None])
    found = exact if noise is None else stochastic(element, exact, noise)
    bits = signed(element, negative, encoded(element, np.minimum(found, largest(element))))
    return Quantised(np.where(finite, code, 255), np.where(finite[:, None], bits, 0))


def stochastic(element: Element, exact: Array, noise: Array) -> Array:
    """Magnitudes rounded with bytes: multiples of the spacing of elements where they are."""
    exponent = np.maximum(np.frexp(exact)[1] - 1, LOWEST[element])
    exponent[exact == 0] = LOWEST[element]
    spacing = np.ldexp(1.0, exponent - FRACTION[element])
    whole: Array = np.floor((np.floor(exact / spacing * 256) + noise) / 256) * spacing
    return whole


# NVFP4.


def place(table: list[Fraction], exact: Fraction) -> int:
    """Where the nearest number of a table stands; of two, the one at the even place."""
    low = bisect_right(table, exact) - 1
    if low == len(table) - 1:
        return low
    below, above = exact - table[low], table[low + 1] - exact
    return low + (above < below or (above == below and low % 2 == 1))


@cache
def table_of(element: Element) -> list[Fraction]:
    """The finite elements from 0 up."""
    known = values(element)[: 1 << (element.bits - 1)]
    return [Fraction(one) for one in known[np.isfinite(known)]]


def nvfp4_block_scale(amax: Fraction, tensor_scale: Fraction) -> int:
    """The bits of the scale of a block (rule 7.10)."""
    return place(table_of(E4M3), amax / (6 * tensor_scale))


def nvfp4_element(exact: Fraction, noise: int | None) -> int:
    """The bits of the magnitude of an element (rule 7.11)."""
    table = table_of(E2M1)
    if noise is None:
        return place(table, exact)
    low = min(bisect_right(table, exact) - 1, len(table) - 2)
    spacing = table[low + 1] - table[low]
    count = (exact / spacing * 256 // 1 + noise) // 256
    return table.index(min(count * spacing, table[-1]))


def nvfp4_scales(x: Array, tensor_scale: Array) -> Array:
    """The bits of the scale of each block of fp32 [blocks, 16], with that of its tensor."""
    magnitude, _, finite = read(x)
    usable = finite & (tensor_scale >= 2.0**-126) & np.isfinite(tensor_scale)
    amax = magnitude.max(-1)
    found = np.full(len(x), 0x7F)
    for block in np.flatnonzero(usable):
        by = Fraction(float(tensor_scale[block]))
        found[block] = nvfp4_block_scale(Fraction(float(amax[block])), by)
    return found


def nvfp4_quantised(x: Array, tensor_scale: Array, noise: Array | None) -> Quantised:
    """Blocks of fp32 [blocks, 16], each with the scale of its tensor, quantised."""
    magnitude, negative, _ = read(x)
    scales = nvfp4_scales(x, tensor_scale)
    elements = np.zeros(x.shape, np.uint8)
    for block in np.flatnonzero(scales != 0x7F):
        by = Fraction(float(tensor_scale[block])) * table_of(E4M3)[scales[block]]
        for i, one in enumerate(magnitude[block].tolist()):
            byte = None if noise is None else int(noise[block, i])
            size = nvfp4_element(Fraction(one) / by, byte) if by else 0
            elements[block, i] = size + 8 * negative[block, i]
    return Quantised(scales, elements)


# Dot units.


def to_fp32(number: Fraction) -> np.float32:
    """Rounded as rule 4.6 says."""
    if number == 0:
        return np.float32(0)
    magnitude = abs(number)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    spacing = Fraction(2) ** (exponent - 23)
    found = round(number / spacing) * spacing  # Python rounds ties to even.
    if abs(found) >= 2**128:
        return np.float32(np.inf if number > 0 else -np.inf)
    return np.float32(float(found) if abs(found) >= Fraction(2) ** -126 else 0)


def accumulated(numbers: Array) -> Array:
    """What an accumulator of fp32 shows in each cycle, as bits.

    Args:
        numbers: float32 [cycles, lanes], what is added in each.
    """
    shown = np.zeros_like(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        for cycle in range(1, len(numbers)):
            shown[cycle] = shown[cycle - 1] + numbers[cycle - 1]
    return np.where(np.isnan(shown), NAN, shown.view(np.uint32))


def integers(element: Element) -> Array:
    """Elements as integers of Python, in units of the smallest; 0 for what is none."""
    known = np.where(np.isfinite(values(element)), values(element), 0)
    units = np.ldexp(known, FRACTION[element] - LOWEST[element])
    return np.array([int(one) for one in units], object)


def mx_numbers(elements: tuple[Element, Element], given: dict[str, Array]) -> Array:
    """What each step adds (rules 7.12 and 7.15): float32 [cycles, lanes].

    Args:
        elements: the formats of a and b.
        given: the bits ``a`` and ``b`` [cycles, lanes, 32], ``a_scale`` and ``b_scale``.
    """
    tables = [integers(element) for element in elements]
    sums = (tables[0][given["a"]] * tables[1][given["b"]]).sum(-1)
    units = sum(LOWEST[element] - FRACTION[element] for element in elements)
    exponents = given["a_scale"].astype(int) + given["b_scale"] - 254 + units
    known = np.ones(sums.shape, bool)
    for element, name in zip(elements, "ab", strict=True):
        known &= np.isfinite(values(element)[given[name]]).all(-1) & (given[f"{name}_scale"] < 255)
    return _numbers(sums, exponents, known)


def nvfp4_numbers(given: dict[str, Array]) -> Array:
    """What each step adds (rules 7.13 and 7.15), as `mx_numbers`."""
    table, scales = integers(E2M1), integers(E4M3)
    codes_ = [given[name] & 0x7F for name in ("a_scale", "b_scale")]
    sums = (table[given["a"]] * table[given["b"]]).sum(-1) * scales[codes_[0]] * scales[codes_[1]]
    known = (codes_[0] != 0x7F) & (codes_[1] != 0x7F)
    return _numbers(sums, np.full(sums.shape, -20), known)


def _numbers(sums: Array, exponents: Array, known: Array) -> Array:
    found = np.full(sums.shape, np.nan, np.float32)
    for at in zip(*np.nonzero(known), strict=True):
        found[at] = to_fp32(Fraction(sums[at]) * Fraction(2) ** int(exponents[at]))
    return found
