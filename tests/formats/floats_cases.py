"""Numbers to try: those of a floating-point format on which an implementation would stumble."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.formats.floats_oracle import (
    DTYPES,
    Bits,
    fused,
    nearest,
    steps,
    untyped,
    values,
)
from zhufeng.formats.floats import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FloatFormat,
)
from zhufeng.hdl import Type

FORMATS: Final = (FP32, FP16, BF16, E5M2, E4M3, E3M2, E2M3, E2M1)
SMALL: Final = (E5M2, E4M3, E3M2, E2M3, E2M1)


def every(fmt: FloatFormat) -> Bits:
    """All bits of a format that has at most 16 of them."""
    return np.arange(1 << fmt.bits, dtype=_dtype(fmt))


def corners(fmt: FloatFormat, count: int, draw: np.random.Generator) -> Bits:
    """Bits of numbers where things happen: edges of the exponent, few ones in the fraction."""
    ones = (1 << fmt.exponent) - 1
    near_edge = draw.choice([0, 0, 1, 1, 2, 3, ones - 2, ones - 1, ones, fmt.bias], count)
    field = np.where(draw.random(count) < 0.5, draw.integers(0, ones + 1, count), near_edge)
    top = 1 << fmt.fraction
    any_ = draw.integers(0, top, count)
    moved = draw.integers(0, fmt.fraction + 1, count)
    kinds = [any_, any_ >> moved, (any_ << moved) % top, (top >> moved) % top, top - (top >> moved)]
    kinds += [np.zeros(count, np.int64), any_ & ~(top >> moved)]
    fraction = np.choose(draw.integers(0, len(kinds), count), [kind % top for kind in kinds])
    sign = draw.integers(0, 2, count)
    return _packed(fmt, sign, field, fraction)


def near(fmt: FloatFormat, bits: Bits, reach: int, draw: np.random.Generator) -> Bits:
    """For each number one of about its magnitude: an exponent at most `reach` away."""
    other = corners(fmt, len(bits), draw).astype(np.int64)
    ones, top = (1 << fmt.exponent) - 1, 1 << fmt.fraction
    field = (bits.astype(np.int64) >> fmt.fraction) & ones
    field = np.clip(field + draw.integers(-reach, reach + 1, len(bits)), 0, ones)
    return _packed(fmt, other >> (fmt.bits - 1), field, other % top)


def pairs(
    fmt: FloatFormat, count: int, draw: np.random.Generator, *, product: bool = False
) -> tuple[Bits, Bits]:
    """Two of each: a quarter at random, a quarter of corners, and half that have to do with
    each other: for a sum of about one magnitude or nearly opposite, for a product one that is
    near the edges of the exponent.
    """
    part = count // 4
    a, b = (draw.integers(0, 1 << fmt.bits, part).astype(_dtype(fmt)) for _ in "ab")
    firsts, seconds = [a, *(corners(fmt, part, draw) for _ in range(3))], [b]
    seconds.append(corners(fmt, part, draw))
    if product:
        seconds += [
            _opposite_exponent(fmt, one, edge, draw)
            for one, edge in zip(firsts[2:], (0, 1), strict=True)
        ]
    else:
        seconds.append(near(fmt, firsts[2], fmt.fraction + 3, draw))
        sign = 1 << (fmt.bits - 1)
        moved = (firsts[3].astype(np.int64) ^ sign) + draw.integers(-2, 3, part)
        seconds.append((moved % (2 * sign)).astype(a.dtype))
    return np.concatenate(firsts), np.concatenate(seconds)


def _opposite_exponent(fmt: FloatFormat, bits: Bits, edge: int, draw: np.random.Generator) -> Bits:
    """Such that the product is about the lowest number (edge 0), or the highest (edge 1)."""
    ones, top = (1 << fmt.exponent) - 1, 1 << fmt.fraction
    other = corners(fmt, len(bits), draw).astype(np.int64)
    field = (bits.astype(np.int64) >> fmt.fraction) & ones
    goal = fmt.bias + (ones if edge else -fmt.fraction // 2)
    wanted = goal - field + draw.integers(-fmt.fraction, fmt.fraction + 1, len(bits))
    return _packed(fmt, other >> (fmt.bits - 1), np.clip(wanted, 0, ones), other % top)


def triples(fmt: FloatFormat, count: int, draw: np.random.Generator) -> tuple[Bits, Bits, Bits]:
    """Three of each for a·b + c: at random, of corners, c beside the product or nearly opposite."""
    a, b = pairs(fmt, count, draw, product=True)
    mixed = draw.permutation(len(a))
    a, b = a[mixed], b[mixed]
    part = len(a) // 4
    product = nearest(fmt, fused(values(fmt, a), values(fmt, b), np.zeros(len(a))))
    sign = 1 << (fmt.bits - 1)
    opposite = (product.astype(np.int64) ^ sign) + draw.integers(-2, 3, len(a))
    c = np.concatenate(
        [
            draw.integers(0, 2 * sign, part),
            corners(fmt, part, draw),
            near(fmt, product[2 * part : 3 * part], 2 * fmt.fraction + 6, draw),
            opposite[3 * part :] % (2 * sign),
        ]
    )
    return a, b, c.astype(a.dtype)


def halfway(fmt: FloatFormat) -> Bits:
    """The fp32 in the middle of each two neighbours of a smaller format, and those around it."""
    found = steps(fmt)
    middles = untyped(((found[1:] + found[:-1]) / 2).astype(np.float32))
    around = np.concatenate([middles - 1, middles, middles + 1])
    return np.concatenate([around, around | np.uint32(1 << 31)])


def _packed(fmt: FloatFormat, sign: Bits, field: Bits, fraction: Bits) -> Bits:
    bits = (sign << (fmt.bits - 1)) | (field << fmt.fraction) | fraction
    return bits.astype(_dtype(fmt))


def _dtype(fmt: FloatFormat) -> np.dtype[Any]:
    return np.dtype(f"u{np.dtype(DTYPES[fmt]).itemsize}")


# Of an operation: all, or some.


def numbers_to_try(fmt: FloatFormat, count: int = 1 << 17) -> Bits:
    """All that there are, or of fp32 some."""
    if fmt != FP32:
        return every(fmt)
    draw = np.random.default_rng(5)
    return np.concatenate([corners(FP32, count, draw), draw.integers(0, 1 << 32, count, np.uint32)])


def two_to_try(fmt: FloatFormat, count: int, *, product: bool = False) -> tuple[Bits, Bits]:
    """All pairs, or of wider formats some."""
    if fmt in SMALL:
        whole = every(fmt)
        return np.repeat(whole, len(whole)), np.tile(whole, len(whole))
    return pairs(fmt, count, np.random.default_rng(7), product=product)


def three_to_try(fmt: FloatFormat, count: int, seed: int) -> tuple[Bits, Bits, Bits]:
    """All triples of at most 2^20, or some."""
    if 3 * fmt.bits > 20:
        return triples(fmt, count, np.random.default_rng(seed))
    a, b, c = (axis.reshape(-1) for axis in np.meshgrid(*(3 * [every(fmt)])))
    return a, b, c


def to_convert(source: FloatFormat) -> Bits:
    """All numbers of 16 bits or less; of fp32 random ones, corners, and what is about halfway."""
    some = numbers_to_try(source)
    return np.concatenate([some, *map(halfway, FORMATS[1:])]) if source == FP32 else some


def integers(kind: Type) -> NDArray[np.int64]:
    """All of few bits; or some of every magnitude, and those around powers of two."""
    draw = np.random.default_rng(19)
    if kind.width <= 8:
        return np.arange(kind.low, kind.high + 1)
    some = draw.integers(kind.low, kind.high, 1 << 16, endpoint=True)
    powers = 1 << draw.integers(0, kind.width - 1, 1 << 12)
    around = powers + (draw.integers(-2, 3, len(powers)) * powers >> draw.integers(0, 30))
    edges = [kind.low, kind.low + 1, 0, kind.high - 1, kind.high]
    return np.concatenate([some >> draw.integers(0, kind.width, len(some)), around, edges])
