"""Errors of zhufeng.formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.errors.case import case
from zhufeng.formats import blocks, host
from zhufeng.formats.baseline import bf16_dot
from zhufeng.formats.floats import BF16, E4M3
from zhufeng.formats.host import _arrays
from zhufeng.formats.microscaling import INT8, mx_dot, mx_quantiser

Patch = pytest.MonkeyPatch

# Blocks.


def zeros(rows: int, size: int) -> host.Blocks:
    """Zero blocks of 6 bits, of a size that fills them."""
    shape = (rows, size // blocks.BLOCK)
    return host.Blocks(6, size, np.zeros(shape, np.uint8), np.zeros((*shape, 16), np.int8))


BITS = "take one of these; two planes give about twice the bits"


@case("the bits of an element of a block", "4, 5, 6 or 8", "3", BITS)
def a_dot_unit_of_other_bits(_: Path, __: Patch) -> None:
    blocks.block_dot(6, 3)


@case("the bits of an element of a block", "4, 5, 6 or 8", "7", BITS)
def quantised_to_other_bits(_: Path, __: Patch) -> None:
    host.quantise(np.zeros((1, 16), np.float32), 7)


CONVERT = "convert it: x.astype(numpy.float32)"


@case("what is quantised", "an array of float32 (..., rows, size)", "float64 [2, 16]", CONVERT)
def quantised_from_float64(_: Path, __: Patch) -> None:
    host.quantise(np.zeros((2, 16)), 6)  # type: ignore[arg-type]


@case("what is quantised", "an array of float32 (..., rows, size)", "float32 [16]", CONVERT)
def quantised_without_rows(_: Path, __: Patch) -> None:
    host.quantise_planes(np.zeros(16, np.float32), 6)


@case(
    "a tensor that is rounded stochastically",
    "at most 3 blocks, which have numbers of 32 bits",
    "4",
    "quantise parts of it, as tensors of their own",
)
def too_many_blocks(_: Path, patch: Patch) -> None:
    patch.setattr(_arrays, "_MOST_BLOCKS", 3)
    x = np.ones((2, 32), np.float32)
    host.quantise(x[:1], 6, host.Rounding(0, 0, 0, 0))
    host.quantise(x, 6, host.Rounding(0, 0, 0, 0))


ALIKE = "quantise both along the axis that is summed over"


@case(
    "the operands of a matrix product",
    "(..., m, k) and (..., n, k), alike but for m and n",
    "[2, 32] and [3, 64]",
    ALIKE,
)
def sums_of_two_sizes(_: Path, __: Patch) -> None:
    host.multiply(zeros(2, 32), zeros(3, 64))


@case(
    "the operands of a matrix product",
    "(..., m, k) and (..., n, k), alike but for m and n",
    "[2, 32] and [1, 2, 32]",
    ALIKE,
)
def a_batch_on_one_side(_: Path, __: Patch) -> None:
    one = zeros(2, 32)
    batch = host.Blocks(6, 32, one.codes[None], one.elements[None])
    host.multiply(one, host.Planes(batch, batch))


# Microscaling.


@case(
    "the elements of a microscaling block",
    "e5m2, e4m3, e3m2, e2m3, e2m1, int8",
    "bf16",
    "take one of these",
)
def microscaling_of_wide_numbers(_: Path, __: Patch) -> None:
    mx_dot(E4M3, BF16)


@case(
    "a dot unit of microscaling blocks",
    "integers in both blocks, or floating-point numbers",
    "int8 and e4m3",
    "take two formats of one kind",
)
def microscaling_of_two_kinds(_: Path, __: Patch) -> None:
    mx_dot(INT8, E4M3)


@case("the scale of a microscaling block", "down, up", "nearest", "take one of these")
def microscaling_of_another_scale(_: Path, __: Patch) -> None:
    mx_quantiser(E4M3, "nearest")


# The dot unit of bf16.


@case("the lanes of a bf16 dot unit", "4, 8, 16, 32", "64", "take one of these")
def a_bf16_dot_unit_of_other_lanes(_: Path, __: Patch) -> None:
    bf16_dot(64, 28)


@case("the kept bits of a bf16 dot unit", "16, 20, 24, 28", "32", "take one of these")
def a_bf16_dot_unit_of_other_bits(_: Path, __: Patch) -> None:
    bf16_dot(16, 32)


@case(
    "the tensor of stochastic rounding",
    "a number from 0 of 31 bits",
    "2147483648",
    "give one in that range",
)
def a_tensor_beyond_its_bits(_: Path, __: Patch) -> None:
    host.Rounding(seed=0, step=0, tensor=1 << 31, orientation=0)
