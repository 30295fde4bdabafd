"""Tiles of fp32 at random, among them everything that is hard."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint32]
Integers: TypeAlias = NDArray[np.int64]
ROWS: Final = 16
STEP: Final = 32
"""Along the axis that is summed over, for a step of an accumulator."""
_BLOCK: Final = 16
_SIGN, _FIELD = np.uint32(1 << 31), np.uint32(255 << 23)
_UPPER, _LOWER = np.uint32(15 << 19), np.uint32((1 << 18) - 1)
_LEAST, _MOST, _BIAS = 1, 254, 127
_KEPT: Final = np.array(
    [(1 << 23) - (1 << (23 - kept)) for kept in (0, 1, 2, 4, 5, 7, 12, 23)], np.uint32
)
"""Fractions of so many bits: most are ties, or the largest that a scale holds."""
_BELOW: Final = np.array([0, 1, 7, 31])
"""By how many exponents, at most, numbers of a block are below its largest."""
_APART: Final = np.array([1, 4, 16, 40])
"""By how many, at most, blocks of an operand are apart."""


def tiles(rng: np.random.Generator, count: int, steps: int = 1) -> Words:
    """The bits of two operands of `count` tiles each: (2, count, 16, 32 * steps).

    Their products lie anywhere in the range of fp32, many at its ends. Of the numbers a sixteenth
    are zeros and 1 in 4,096 infinities or NaNs; of the blocks 1 in 64 is all zeros, and as many
    are all subnormal. In an eighth of the operands all numbers of a row are nearly alike.
    """
    base = np.stack(_bases(rng, count))[..., None, None, None]
    blocks = (2, count, ROWS, steps * STEP // _BLOCK, 1)
    drawn = rng.integers(0, 1 << 64, (*blocks[:-1], _BLOCK), np.uint64)
    low, high = drawn.astype(np.uint32), (drawn >> np.uint64(32)).astype(np.uint32)
    bits = _fields(rng, base, high & np.uint32(31)) << np.uint32(23)
    bits |= low & (_SIGN | _KEPT[high >> np.uint32(5) & np.uint32(7)])
    bits[high >> np.uint32(20) == 0] |= _FIELD
    bits[high >> np.uint32(8) & np.uint32(15) == 0] &= _SIGN
    bits &= np.where(rng.integers(0, 64, blocks) == 0, _SIGN, ~np.uint32(0))
    alike = rng.integers(0, 8, (2, count)) == 0
    bits[alike] = _alike(rng, base[alike], low[alike])
    return bits.reshape(2, count, ROWS, steps * STEP)


def _fields(rng: np.random.Generator, base: Integers, below: Words) -> Words:
    """Fields of exponents: tiles have a largest one, blocks one of their own not above it."""
    blocks = (*below.shape[:-1], 1)
    apart = rng.choice(_APART, base.shape)
    top = (base - rng.integers(0, 1 << 16, blocks) % apart).clip(_LEAST, _MOST)
    top[rng.integers(0, 64, blocks) == 0] = 0
    most_below = rng.choice(_BELOW, blocks).astype(np.int16)
    fields = top.astype(np.int16) - (below.astype(np.int16) & most_below)
    found: Words = np.maximum(fields, 0).astype(np.uint32)
    return found


def _alike(rng: np.random.Generator, base: Integers, low: Words) -> Words:
    """Numbers of one sign in a row, from 1.9375 to 1.96875 times a power of two.

    The largest elements of 8 bits stand for them, so that sums are as large as can be.
    """
    signs = rng.integers(0, 2, (*low.shape[:2], 1, 1)).astype(np.uint32) << np.uint32(31)
    fields = base.astype(np.uint32) << np.uint32(23)
    found: Words = fields | signs | _UPPER | low & _LOWER
    return found


def _bases(rng: np.random.Generator, count: int) -> tuple[Integers, Integers]:
    """The exponents of both operands: of their products in the middle, high, low, or anywhere."""
    first = rng.integers(_LEAST, _MOST + 1, count)
    where = rng.choice([0, _BIAS, -_BIAS], count, p=[0.6, 0.2, 0.2])
    near = 2 * _BIAS - first + where + rng.integers(-8, 9, count)
    anywhere = rng.random(count) < 1 / 8
    second = np.where(anywhere, rng.integers(_LEAST, _MOST + 1, count), near)
    return first, second.clip(_LEAST, _MOST)
