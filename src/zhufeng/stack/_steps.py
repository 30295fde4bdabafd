"""Products of rows in steps: exact sums of a block each, added in fp32 one after another."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_TILE: Final = 1 << 16
_COLUMNS: Final = 256
"""Sums that are made at a time, and of at most how many columns: they stay in a core's cache."""
_SMALLEST: Final = 2.0**-126
_BELOW: Final = _SMALLEST - 2.0**-151
"""What is not below it, 24 bits bring up to the smallest normal number."""


def summed(a: Tensor, b: Tensor, block: int, *, normal: bool) -> Tensor:
    """All rows of `a` (..., m, k) with all of `b` (..., n, k): fp32 (..., m, n).

    Rules 7.12 and 7.14 of docs/formats.md, where the type of `a` and `b` has all sums of a block
    exactly: fp64, and fp32 for NVFP4.

    Args:
        a: numbers.
        b: numbers.
        block: of how many of them along k each step takes the sum.
        normal: no step's number is below the normal ones of fp32.
    """
    out = torch.zeros(*a.shape[:-1], b.shape[-2], dtype=torch.float32, device=a.device)
    if not (a.numel() and b.numel()):
        return out
    rows, columns = a.shape[-2], b.shape[-2]
    if a.device.type == "cpu":
        columns = min(columns, _COLUMNS)
        rows = _TILE // columns
    each = (one.reshape(-1, *one.shape[-2:]) for one in (a, b, out))
    for left, right, whole in zip(*each, strict=True):
        for i in range(0, len(left), rows):
            for j in range(0, len(right), columns):
                part = whole[i : i + rows, j : j + columns]
                _add(part, left[i : i + rows], right[j : j + columns], block, normal=normal)
    return out


def _add(out: Tensor, a: Tensor, b: Tensor, block: int, *, normal: bool) -> None:
    sums, number = a.new_empty(out.shape), torch.empty_like(out)
    for at in range(0, a.shape[-1], block):
        torch.mm(a[:, at : at + block], b[:, at : at + block].T, out=sums)
        number.copy_(sums)
        if not normal:
            number[sums.abs() < _BELOW] = 0
        out += number
