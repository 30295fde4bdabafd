"""Blocks that others have over arrays: what their numbers are, and how they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from zhufeng.formats.blocks import BLOCK
from zhufeng.formats.floats import E2M1, E4M3, FP32, FloatFormat, convert
from zhufeng.formats.host import _functions as functions
from zhufeng.formats.host import _scaled_functions as scaled
from zhufeng.formats.host._arrays import (
    Array,
    Codes,
    Floats,
    Rounding,
    cut_up,
    joined,
    largest_of_blocks,
    largest_of_tiles,
    numbered,
)
from zhufeng.formats.microscaling import MX_BLOCK, NVFP4_BLOCK, Element
from zhufeng.hdl.compile import compile_function

_BYTE: Final = 8
_LARGEST_CODE: Final = 255


@dataclass(frozen=True)
class MxNumbers:
    """An operand as blocks of MX have it."""

    scales: Codes
    """Shape (..., rows, blocks)."""
    numbers: Floats
    """Elements times their scales: shape (..., rows, size)."""
    least: int
    """The smallest code of a block that is not all zeros; 255 if all are."""


@dataclass(frozen=True)
class Nvfp4:
    """An operand in blocks of NVFP4."""

    size: int
    tensor_scale: Floats
    """Shape ()."""
    scales: Codes
    """Shape (..., rows, blocks)."""
    elements: Codes
    """Shape (..., rows, blocks, 16)."""

    def numbers(self) -> Floats:
        """Elements times the scales of their blocks, without that of the tensor: exact."""
        values = _values(E2M1).take(self.elements, mode="clip")
        return joined(values * _values(E4M3)[self.scales][..., None], self.size)


@dataclass(frozen=True)
class StoredScaled:
    """Blocks in as few bytes as they take."""

    size: int
    scales: Codes
    packed: Codes
    """Elements side by side: shape (..., rows, groups of 16, 2 * bits)."""
    tensor_scale: Floats | None = None
    """Of NVFP4."""

    @property
    def bytes(self) -> int:
        """How many."""
        return self.scales.nbytes + self.packed.nbytes + 4 * (self.tensor_scale is not None)


def mx_quantise(
    x: Floats, element: Element, rounding: Rounding | None = None, *, half: bool = False
) -> MxNumbers:
    """Blocks of MX along the last axis, their scales rounded up (rule 7.5).

    Args:
        x: fp32 of shape (..., rows, size).
        element: the format of an element.
        rounding: stochastic (rule 7.17); without it, to nearest.
        half: whether numbers are first rounded to bf16, to nearest, ties to even.

    Raises:
        InputError: there are no such blocks, or `x` is no such array.
    """
    cut = cut_up(x, MX_BLOCK, MX_BLOCK)
    given: dict[str, Any] = {"x": cut}
    if rounding is not None:
        given |= {"key": rounding.key(), "index": numbered(cut, 2)}
    made = scaled.mx(element, stochastic=rounding is not None, half=half)(**given)
    codes, numbers = made["scale"], made["numbers"].view(np.float32)
    # Blocks of zeros have the code 0, and others hardly ever.
    zeros = codes == 0
    least = 0 if numbers[zeros].any() else int(codes[~zeros].min(initial=_LARGEST_CODE))
    return MxNumbers(codes, joined(numbers, x.shape[-1]), least)


def nvfp4_quantise(
    x: Floats, rounding: Rounding | None = None, *, tiles: bool = False, half: bool = False
) -> Nvfp4:
    """Blocks of NVFP4 along the last axis.

    Args:
        x: fp32 of shape (..., rows, size): a tensor, which has one scale.
        rounding: stochastic (rule 7.17); without it, to nearest.
        tiles: whether 16 x 16 elements of rows and last axis share a scale.
        half: whether numbers are first rounded to bf16, to nearest, ties to even.

    Raises:
        InputError: `x` is no such array.
    """
    cut = cut_up(x, NVFP4_BLOCK, NVFP4_BLOCK)
    amax = largest_of_blocks(cut, half=half)
    whole = scaled.tensor_scale()(amax=amax.max(initial=0))["out"]
    given: dict[str, Any] = {"x": cut, "tensor_scale": whole}
    if rounding is not None:
        given |= {"key": rounding.key(), "index": numbered(cut)}
    if tiles:
        given["amax"] = largest_of_tiles(amax)
    made = scaled.nvfp4(stochastic=rounding is not None, half=half, shared=tiles)(**given)
    return Nvfp4(x.shape[-1], whole.view(np.float32).reshape(()), made["scale"], made["elements"])


def stored_mx(numbers: Floats, element: Element) -> StoredScaled:
    """Numbers as blocks of MX have them, with their elements side by side.

    Quantised once more they stay what they are.
    """
    made = scaled.codes(element)(x=cut_up(numbers, MX_BLOCK, MX_BLOCK))
    return StoredScaled(numbers.shape[-1], made["scale"], _packed(made["elements"], element))


def restored_mx(x: StoredScaled, element: Element) -> Floats:
    """The numbers that were stored."""
    elements = _unpacked(x.packed, element).reshape(*x.scales.shape, MX_BLOCK)
    made = scaled.decoded(element)(scale=x.scales, elements=elements)["out"]
    return joined(made.view(np.float32), x.size)


def stored_nvfp4(x: Nvfp4) -> StoredScaled:
    """The same blocks, with their elements side by side."""
    return StoredScaled(x.size, x.scales, _packed(x.elements, E2M1), x.tensor_scale)


def restored_nvfp4(x: StoredScaled) -> Nvfp4:
    """The blocks that were stored."""
    assert x.tensor_scale is not None
    return Nvfp4(x.size, x.tensor_scale, x.scales, _unpacked(x.packed, E2M1))


def _packed(elements: Codes, element: Element) -> Codes:
    *lead, count, own = elements.shape
    sixteen = elements.reshape(*lead, count * own // BLOCK, BLOCK)
    empty = _BYTE - element.bits
    # Their bits as those of a signed integer.
    signed: Array = (sixteen << np.uint8(empty)).view(np.int8) >> np.int8(empty)
    found: Codes = functions.packed(element.bits)(x=signed)["out"]
    return found


def _unpacked(packed: Codes, element: Element) -> Codes:
    signed = functions.unpacked(element.bits)(x=packed)["out"]
    found: Codes = signed.view(np.uint8) & np.uint8((1 << element.bits) - 1)
    return found


@cache
def _values(element: FloatFormat) -> Floats:
    """What elements stand for, by their bits."""
    every = np.arange(1 << element.bits, dtype=np.uint8)
    bits = compile_function(convert(element, FP32).ir, 1)(x=every)["out"]
    found: Floats = bits.view(np.float32)
    return found
