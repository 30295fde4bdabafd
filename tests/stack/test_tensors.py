"""Blocks as tensors, as on CUDA: to the bit those of the compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.formats.test_rules_accumulator import blocks_of, parts
from tests.formats.test_rules_blocks import drawn, extremes
from zhufeng.formats import host
from zhufeng.stack import _tensors

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]
WIDTHS = (4, 5, 6, 8)


def tensors(x: host.Blocks, device: str) -> _tensors.TensorBlocks:
    """The same as tensors."""
    codes = torch.from_numpy(x.codes.astype(np.int32)).to(device)
    elements = torch.from_numpy(np.ascontiguousarray(x.elements)).to(device)
    return _tensors.TensorBlocks(x.bits, x.size, codes, elements)


def same(found: _tensors.TensorBlocks, right: host.Blocks) -> None:
    assert np.array_equal(found.codes.cpu().numpy(), right.codes)
    assert np.array_equal(found.elements.cpu().numpy(), right.elements)
    assert (found.bits, found.size) == (right.bits, right.size)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bits", WIDTHS)
def test_they_are_quantised_alike(bits: int, device: str) -> None:
    x = np.concatenate([drawn(1, 700), extremes(bits)])[:, :50]
    x[3, 4], x[40, 45] = np.inf, np.nan
    rounding = host.Rounding(2**64 - 5, 9, 2**31 - 2, 1)
    given = torch.from_numpy(np.ascontiguousarray(x)).to(device)
    for own in (None, rounding):
        (found,) = _tensors.quantised(given, bits, own, tiles=False, planes=False)
        same(found, host.quantise(np.ascontiguousarray(x), bits, own))
        high, low = _tensors.quantised(given, bits, own, tiles=False, planes=True)
        right = host.quantise_planes(np.ascontiguousarray(x), bits, own)
        same(high, right.high)
        same(low, right.low)
    (tile,) = _tensors.quantised(given, bits, None, tiles=True, planes=False)
    same(tile, host.quantise(np.ascontiguousarray(x), bits, tiles=True))
    numbers = _tensors.dequantised(tile).cpu().numpy()
    right_numbers = host.dequantise(host.quantise(np.ascontiguousarray(x), bits, tiles=True))
    assert np.array_equal(numbers, right_numbers, equal_nan=True)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("a_bits", "b_bits"), [(6, 6), (4, 8), (5, 5), (8, 8)])
@pytest.mark.parametrize("spread", [8, 90, 254])
def test_they_are_multiplied_alike(a_bits: int, b_bits: int, spread: int, device: str) -> None:
    made: list[Any] = []
    for seed, bits, rows in ((1, a_bits, 21), (2, b_bits, 33)):
        found = parts(seed, (2, rows), 9, bits)
        codes = np.random.default_rng(seed).integers(1, 1 + spread, found.codes.shape)
        scaled = (found.codes > 0) & (found.codes < 255)
        found.codes[scaled] = np.minimum(codes, 254)[scaled]
        made.append(blocks_of(found, bits))
    a, b = made
    right = host.multiply(a, b)
    found_bits = _tensors.multiplied((tensors(a, device),), (tensors(b, device),))
    assert np.array_equal(found_bits.cpu().numpy().view(np.uint32), right.view(np.uint32))


@pytest.mark.parametrize("device", DEVICES)
def test_planes_are_multiplied_alike(device: str) -> None:
    x, y = drawn(3, 20), drawn(4, 30)
    a, b = host.quantise_planes(x, 6), host.quantise_planes(y, 6)
    left, right = (tuple(tensors(p, device) for p in (one.high, one.low)) for one in (a, b))
    for ours, theirs, first, second in (
        (a, b, left, right),
        (a.high, b, left[:1], right),
        (a, b.high, left, right[:1]),
    ):
        found = _tensors.multiplied(first, second).cpu().numpy()
        assert np.array_equal(found.view(np.uint32), host.multiply(ours, theirs).view(np.uint32))


def test_results_at_the_edges_of_fp32_are_rounded_alike() -> None:
    held = torch.tensor([1, 2**24 - 1, 2**24 + 1, 2**25 - 1, 2**26 - 1, 2**26 - 3, 2**29 + 1])
    held = torch.cat([held, -held]).to(torch.int32)[:, None].expand(-1, 400)
    exponent = torch.arange(-200, 200).expand_as(held)
    found = _tensors._result(held, exponent, torch.zeros_like(held, dtype=torch.bool))
    for number, power, ours in zip(
        held.flatten().tolist(), exponent.flatten().tolist(), found.flatten().tolist(), strict=True
    ):
        length = abs(number).bit_length()
        drop = max(length - 24, 0)
        whole, rest = divmod(abs(number), 1 << drop)
        half = (1 << drop) >> 1
        whole += rest > half or (rest == half and drop > 0 and whole % 2)
        size = whole * 2.0 ** (power + drop)
        size = 0.0 if size < 2.0**-126 else float("inf") if size >= 2.0**128 else size
        assert ours == (size if number > 0 else -size)
