"""Tiles of a recorded training step; what needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from formats_tiles.draw import ROWS, STEP, Words
from zhufeng.models.reference import load_reference
from zhufeng.records import Workload
from zhufeng.workload import capture

REFERENCE: Final = "gpt-gelu-small"
STEPS: Final = 8
"""Done before the one that is recorded."""
_BATCH, _RATE = 8, 1e-3


def recorded(count: int, seed: int) -> Words:
    """The bits of both operands of matrix products: (2, count, 16, 32).

    They are of the forward pass and of both gradients, in fp32, and in bf16 under autocast; of
    each product the first sampled tiles of the left operand with those of the right one.
    """
    reference = load_reference(REFERENCE)
    model, data = reference.build(seed), reference.data(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE)
    for step in range(STEPS):
        optimizer.zero_grad()
        model(*data.batch(step, _BATCH)).loss.backward()
        optimizer.step()
    found: list[Words] = []
    for bf16 in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            step_of = capture(model, data.batch(STEPS, _BATCH), optimizer, seed=seed)
        found += _pairs(step_of)
    pairs = np.concatenate(found, 1)
    assert pairs.shape[1] >= count, pairs.shape
    chosen = np.random.default_rng(seed).permutation(pairs.shape[1])[:count]
    return np.ascontiguousarray(pairs[:, chosen])


def _pairs(workload: Workload) -> Iterator[Words]:
    for gemm in workload.gemms:
        names = (gemm.left.tiles, gemm.right.tiles)
        left, right = (_rows(workload.arrays[name]) for name in names if name is not None)
        both = min(len(left), len(right))
        yield np.stack([left[:both], right[:both]])


def _rows(tiles: NDArray[Any]) -> Words:
    """Two sampled tiles (16, 16) each side by side, as fp32: (tiles / 2, 16, 32)."""
    bits = tiles.astype(np.uint32)
    if tiles.dtype == np.uint16:  # bf16
        bits <<= np.uint32(16)
    whole = bits[: len(bits) // 2 * 2].reshape(-1, 2, ROWS, STEP // 2)
    return whole.swapaxes(1, 2).reshape(-1, ROWS, STEP)
