"""Tiles of fp32 at random, among them everything that is hard."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint32]
ROWS: Final = 16
SIZE: Final = 32
"""Along the axis that is summed over: a step of an accumulator."""
_BLOCKS: Final = 2
_SIGN, _FIELD = np.uint32(1 << 31), np.uint32(255 << 23)
_LEAST, _MOST, _BIAS = 1, 254, 127
_KEPT: Final = np.array(
    [(1 << 23) - (1 << (23 - kept)) for kept in (0, 1, 2, 4, 5, 7, 12, 23)], np.uint32
)
"""Fractions of so many bits: most are ties, or the largest that a scale holds."""
_BELOW: Final = np.array([0, 1, 7, 31])
"""By how many exponents, at most, numbers of a block are below its largest."""
_APART: Final = np.array([1, 4, 16, 40])
"""By how many, at most, blocks of an operand are apart."""


def tiles(rng: np.random.Generator, count: int) -> Words:
    """The bits of two operands of `count` tiles each: (2, count, 16, 32).

    Their products lie anywhere in the range of fp32, many at its ends. Of the numbers a sixteenth
    are zeros and 1 in 4,096 infinities or NaNs; of the blocks 1 in 64 is all zeros, and as many
    are all subnormal.
    """
    base = np.stack(_bases(rng, count))[..., None, None, None]
    shape = (2, count, ROWS, _BLOCKS, 1)
    apart = rng.choice(_APART, (2, count, 1, 1, 1))
    base = (base - rng.integers(0, 1 << 16, shape) % apart).clip(_LEAST, _MOST)
    kind = rng.integers(0, 64, shape)
    base[kind == 0] = 0
    below = rng.choice(_BELOW, shape).astype(np.int16)
    drawn = rng.integers(0, 1 << 64, (*shape[:-1], SIZE // _BLOCKS), np.uint64)
    low, high = drawn.astype(np.uint32), (drawn >> np.uint64(32)).astype(np.uint32)
    field = base.astype(np.int16) - ((high & np.uint32(31)).astype(np.int16) & below)
    bits = np.maximum(field, 0).astype(np.uint32) << np.uint32(23)
    bits |= low & _KEPT[high >> np.uint32(5) & np.uint32(7)]
    bits |= low & _SIGN
    bits[high >> np.uint32(20) == 0] |= _FIELD
    bits[high >> np.uint32(8) & np.uint32(15) == 0] &= _SIGN
    bits &= np.where(kind == 1, _SIGN, ~np.uint32(0))
    found: Words = bits.reshape(2, count, ROWS, SIZE)
    return found


def _bases(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The exponents of both operands: of their products in the middle, high, low, or anywhere."""
    first = rng.integers(_LEAST, _MOST + 1, count)
    where = rng.choice([0, _BIAS, -_BIAS], count, p=[0.6, 0.2, 0.2])
    near = 2 * _BIAS - first + where + rng.integers(-8, 9, count)
    anywhere = rng.random(count) < 1 / 8
    second = np.where(anywhere, rng.integers(_LEAST, _MOST + 1, count), near)
    return first, second.clip(_LEAST, _MOST)
