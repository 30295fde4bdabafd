"""What is counted of operands, against loops over every element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from zhufeng.records import TILE, unpack_bitmap
from zhufeng.workload import capture
from zhufeng.workload._folded import Folded
from zhufeng.workload._statistics import Observed, bits_needed, is_nonzero, observe
from zhufeng.workload._summary import ERRORS

Array = np.ndarray[Any, Any]


def observed(parts: list[Tensor], seed: int = 0, *, turned: bool = False) -> Observed:
    """As given, or laid out in memory the other way round."""
    if turned:
        parts = [part.mT.contiguous().mT for part in parts]
    folded = [Folded(part) for part in parts]
    nonzero = [Folded(is_nonzero(part)) for part in parts]
    return observe(folded, nonzero, np.random.default_rng(seed))


def patchy(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Zeros by element, by block and by tile."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal(shape) * 2.0 ** draw.integers(-20, 20, shape)
    batch, rows, k = shape
    tiles = draw.random((batch, -(-rows // TILE), -(-k // TILE))) < 0.4
    x[tiles.repeat(TILE, 1).repeat(TILE, 2)[:, :rows, :k]] = 0
    blocks = draw.random((batch, rows, -(-k // TILE))) < 0.3
    x[blocks.repeat(TILE, 2)[:, :, :k]] = 0
    x[draw.random(shape) < 0.1] = 0
    return torch.from_numpy(x.astype(np.float32))


SHAPE = st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))


@given(st.integers(0, 2**32), st.lists(SHAPE, min_size=1, max_size=3), st.booleans())
def test_zeros_blocks_and_tiles_are_counted_exactly(
    seed: int, shapes: list[tuple[int, int, int]], turned: bool
) -> None:
    parts = [patchy(seed + i, shape) for i, shape in enumerate(shapes)]
    seen = observed(parts, turned=turned)
    zeros = elements = zero_blocks = blocks = 0
    bitmap = []
    for part in parts:
        x = part.numpy()
        zeros, elements = zeros + int((x == 0).sum()), elements + x.size
        for row in x.reshape(-1, x.shape[2]):
            for start in range(0, x.shape[2], TILE):
                blocks += 1
                zero_blocks += not row[start : start + TILE].any()
        for matrix in x:
            bitmap += [
                not matrix[r : r + TILE, c : c + TILE].any()
                for r in range(0, x.shape[1], TILE)
                for c in range(0, x.shape[2], TILE)
            ]
    assert seen.zeros == zeros / elements
    assert seen.zero_blocks == zero_blocks / blocks
    assert unpack_bitmap(seen.zero_tiles, (len(bitmap),)).tolist() == bitmap


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_sampled_tiles_hold_the_real_bits(dtype: torch.dtype) -> None:
    x = torch.randn(1, 40, 24).to(dtype)
    seen = observed([x], 0)
    # Six tiles: all of them, in order.
    assert seen.raw_tiles.shape == (6, TILE, TILE)
    size = x.element_size()
    assert seen.raw_tiles.dtype.itemsize == size
    signed = seen.raw_tiles.view(f"i{size}")
    rebuilt = torch.from_numpy(signed.copy()).view(dtype)
    padded = torch.zeros(48, 32, dtype=dtype)
    padded[:40, :24] = x[0]
    for index in range(6):
        r, c = divmod(index, 2)
        assert torch.equal(rebuilt[index], padded[r * 16 : r * 16 + 16, c * 16 : c * 16 + 16])


def test_many_tiles_are_sampled_by_the_seed() -> None:
    x = torch.randn(4, 320, 320)
    first = observed([x], 1)
    again = observed([x], 1)
    other = observed([x], 2)
    assert np.array_equal(first.raw_tiles, again.raw_tiles)
    assert not np.array_equal(first.raw_tiles, other.raw_tiles)
    every = {
        x[b, r : r + 16, c : c + 16].numpy().tobytes()
        for b in range(4)
        for r in range(0, 320, 16)
        for c in range(0, 320, 16)
    }
    assert all(tile.tobytes() in every for tile in first.raw_tiles)


def test_exponents_are_those_of_frexp() -> None:
    values = [1.0, -1.5, 0.0, 2.0**-130, 3e38, float("inf"), float("nan"), -0.0]
    seen = observed([torch.tensor(values).view(1, 1, -1)], 0)
    wanted = np.zeros(256)
    for value in (1.0, 1.5, 2.0**-130, 3e38):
        exponent = math.frexp(value)[1] - 1
        wanted[max(exponent + 127, 0)] += 0.25
    assert seen.exponents.tolist() == wanted.tolist()


def slow_bits(block: Array, error: float) -> int:
    """By the rule as it is written: the smallest scale, every element rounded."""
    largest = float(np.abs(block).max())
    if largest == 0:
        return 0
    for bits in range(2, 17):
        most = 2 ** (bits - 1) - 1
        e = -200
        while largest > most * 2.0**e:
            e += 1
        rounded = [round(float(x) / 2.0**e) * 2.0**e for x in block]
        assert max(abs(r) for r in rounded) <= most * 2.0**e
        apart = math.sqrt(sum((r - float(x)) ** 2 for r, x in zip(rounded, block, strict=True)))
        if apart <= error * math.sqrt(sum(float(x) ** 2 for x in block)):
            return bits
    return 17


@given(st.integers(0, 2**32))
def test_bits_needed_follow_the_rule(seed: int) -> None:
    draw = np.random.default_rng(seed)
    block = (draw.standard_normal((1, TILE)) * 2.0 ** draw.integers(-8, 8, (1, TILE))).astype("f4")
    block[draw.random(block.shape) < 0.2] = 0
    if draw.random() < 0.3:
        block[0, 3] = 31.0 * 2.0 ** draw.integers(-3, 3)
    (found,) = bits_needed([block.astype(np.float64)])
    for error in ERRORS:
        assert found[error] == slow_bits(block[0], float(error))


def test_blocks_with_infinities_need_nothing() -> None:
    blocks = np.ones((3, TILE))
    blocks[1, 4], blocks[2, 0] = np.inf, np.nan
    whole, first, none = bits_needed([blocks, blocks[:1], blocks[1:]])
    assert whole == first
    assert none == {}


def test_rows_that_are_not_there_need_no_bits() -> None:
    """Four rows of one element each, not four among twelve of zeros."""
    x = torch.ones(1, 4, 16)
    seen = observed([x], 0)
    assert seen.blocks.tolist() == np.ones((4, 16)).tolist()


class Causal(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return out.square().mean()


def test_a_causal_mask_shows_as_zero_tiles_and_not_as_infinities() -> None:
    from zhufeng.records import skippable_share

    model = Causal()
    q, k, v = (nn.Parameter(torch.randn(1, 2, 64, 16)) for _ in range(3))
    holder = nn.Module()
    holder.q, holder.k, holder.v = q, k, v
    holder.forward = lambda x: model(holder.q * x, holder.k * x, holder.v * x)
    workload = capture(holder, torch.ones(()))
    mixing = next(g for g in workload.gemms if g.role == "forward" and g.k == 64)
    # Of 4 x 4 tiles of probabilities 6 lie above the diagonal.
    assert skippable_share(workload, mixing) == 6 / 16
    assert mixing.left.zeros == pytest.approx((64 * 63 / 2) / 64**2, abs=1e-3)
    for gemm in workload.gemms:
        for operand in (gemm.left, gemm.right):
            histogram = workload.arrays[str(operand.exponents)]
            assert histogram[255] == 0
            assert histogram.sum() == pytest.approx(1.0, abs=1e-5)
