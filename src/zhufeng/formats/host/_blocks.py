"""Blocks over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError
from zhufeng.formats import blocks
from zhufeng.formats.blocks import BIAS, BLOCK, PAIRS, POISON
from zhufeng.formats.host import _functions as functions
from zhufeng.formats.host._arrays import (
    Array,
    Codes,
    Floats,
    Rounding,
    cut_up,
    each,
    joined,
    largest_of_blocks,
    largest_of_tiles,
    numbered,
)

Elements: TypeAlias = NDArray[np.int8]

_STEP: Final = PAIRS * BLOCK
"""Elements that an accumulator takes at a time."""


@dataclass(frozen=True)
class Blocks:
    """Operands in blocks along the axis that is summed over."""

    bits: int
    """Of an element."""
    size: int
    """Elements along that axis, without those that fill it up."""
    codes: Codes
    """Shape (..., rows, blocks): an even number of them, the last of which may be zero blocks."""
    elements: Elements
    """Shape (..., rows, blocks, 16)."""


@dataclass(frozen=True)
class Planes:
    """Operands in two planes."""

    high: Blocks
    low: Blocks


def quantise(
    x: Floats,
    bits: int,
    rounding: Rounding | None = None,
    *,
    tiles: bool = False,
    half: bool = False,
) -> Blocks:
    """Blocks along the last axis.

    Args:
        x: fp32 of shape (..., rows, size).
        bits: of an element: 4, 5, 6 or 8.
        rounding: stochastic; without it, to nearest.
        tiles: whether 16 x 16 elements of rows and last axis share a scale.
        half: whether numbers are first rounded to bf16, to nearest, ties to even.

    Raises:
        InputError: there are no such blocks, or `x` is no such array.
    """
    made = _quantised(x, bits, rounding, planes=False, tiles=tiles, half=half)
    return Blocks(bits, x.shape[-1], made["code"], made["elements"])


def quantise_planes(
    x: Floats,
    bits: int,
    rounding: Rounding | None = None,
    *,
    tiles: bool = False,
    half: bool = False,
) -> Planes:
    """Both planes of blocks along the last axis; as `quantise`."""
    made = _quantised(x, bits, rounding, planes=True, tiles=tiles, half=half)
    size = x.shape[-1]
    low = Blocks(bits, size, made["low_code"], made["low"])
    return Planes(Blocks(bits, size, made["code"], made["high"]), low)


def multiply(a: Blocks | Planes, b: Blocks | Planes, *, threads: int = 1) -> Floats:
    """The products of the rows of `a` with those of `b`, in fp32 by chapter 4 of the contract.

    Args:
        a: of shape (..., m, k).
        b: of shape (..., n, k).
        threads: how many of them work at it; the result is the same.

    Returns:
        Shape (..., m, n).

    Raises:
        InputError: the shapes do not fit one another.
    """
    passes = _passes(a, b)
    first, second = passes[0]
    if first.size != second.size or first.codes.shape[:-2] != second.codes.shape[:-2]:
        raise InputError(
            "the operands of a matrix product",
            expected="(..., m, k) and (..., n, k), alike but for m and n",
            came=f"{_shape(first)} and {_shape(second)}",
            do="quantise both along the axis that is summed over",
        )
    sides = [_joined([one[side] for one in passes]) for side in (0, 1)]
    (a_codes, a_elements), (b_codes, b_elements) = sides
    grid = functions.products(first.bits, second.bits)
    out = grid(a=a_elements, a_codes=a_codes, b=b_elements, b_codes=b_codes, threads=threads)["out"]
    return out.view(np.float32)


def dequantise(x: Blocks) -> Floats:
    """The numbers that blocks stand for: fp32 (..., rows, size), exact; poison is NaN.

    A number of the largest scale may be beyond fp32, and is then an infinity.
    """
    exponents = x.codes.astype(np.int32) - (BIAS + x.bits)
    with np.errstate(over="ignore"):
        found = np.ldexp(x.elements.astype(np.float32), exponents[..., None])
    found[x.codes == POISON] = np.nan
    return joined(found, x.size)


def random_bytes(rounding: Rounding, count: int) -> Codes:
    """The random bytes of the first so many blocks: (count, 16)."""
    index = np.arange(count, dtype=np.uint32)
    found: Codes = functions.noise()(key=rounding.key(), index=index)["out"]
    return found


# Cutting and joining.


def _shape(x: Blocks) -> list[int]:
    return [*x.codes.shape[:-1], x.size]


def _passes(a: Blocks | Planes, b: Blocks | Planes) -> list[tuple[Blocks, Blocks]]:
    """Which are multiplied, in their order (rule 4.7)."""
    high, other = (one.high if isinstance(one, Planes) else one for one in (a, b))
    passes = [(high, other)]
    if isinstance(b, Planes):
        passes.append((high, b.low))
    if isinstance(a, Planes):
        passes.append((a.low, other))
    return passes


def _joined(parts: Sequence[Blocks]) -> tuple[Codes, Elements]:
    """Steps of all passes: codes (..., steps, 2), elements (..., steps, 2, 16)."""
    codes, elements = parts[0].codes, parts[0].elements
    if len(parts) > 1:
        codes = np.concatenate([one.codes for one in parts], -1)
        elements = np.concatenate([one.elements for one in parts], -2)
    steps = (*codes.shape[:-1], codes.shape[-1] // PAIRS, PAIRS)
    return codes.reshape(steps), elements.reshape(*steps, BLOCK)


# Quantising.


def _quantised(
    x: Floats, bits: int, rounding: Rounding | None, *, planes: bool, tiles: bool, half: bool
) -> dict[str, Array]:
    blocks.checked_bits(bits)
    cut = cut_up(x, BLOCK, _STEP)
    given: dict[str, Array] = {}
    if tiles:
        amax = largest_of_tiles(largest_of_blocks(cut, half=half))
        given["code"] = functions.code_of(bits)(amax=amax)["out"]
    quantise = functions.quantised(
        bits, stochastic=rounding is not None, planes=planes, half=half, shared=tiles
    )
    if rounding is None:
        return each(quantise, cut, **given)
    return each(quantise, cut, key=rounding.key(), index=numbered(cut), **given)
