"""Products of rows in steps: exact sums of a block each, added in fp32 one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_TILE: Final = 1 << 16
_COLUMNS: Final = 256
_DEPTH: Final = 512
"""How many sums are made at a time, of at most how many columns, and from how many elements of each
row: they stay in a core's cache."""
_SMALLEST: Final = 2.0**-126
_BELOW: Final = _SMALLEST - 2.0**-151
"""What is not below it, 24 bits bring up to the smallest normal number."""


def summed(a: Tensor, b: Tensor, block: int, exact: torch.dtype, *, normal: bool) -> Tensor:
    """All rows of `a` (..., m, k) with all of `b` (..., n, k): fp32 (..., m, n).

    Rules 7.12 and 7.14 of docs/formats.md.

    Args:
        a: numbers, fp32.
        b: numbers, fp32.
        block: of how many of them along k each step takes the sum.
        exact: the type that has all sums of a block exactly.
        normal: no step's number is below the normal ones of fp32.
    """
    out = torch.zeros(*a.shape[:-1], b.shape[-2], dtype=torch.float32, device=a.device)
    if not (a.numel() and b.numel()):
        return out
    rows, columns, depth = a.shape[-2], b.shape[-2], a.shape[-1]
    if a.device.type == "cpu":
        columns, depth = min(columns, _COLUMNS), _DEPTH
        rows = _TILE // columns
    each = (one.reshape(-1, *one.shape[-2:]) for one in (a, b, out))
    for left, right, whole in zip(*each, strict=True):
        for at in range(0, left.shape[1], depth):
            ready = [_steps(one[:, at : at + depth], block, exact) for one in right.split(columns)]
            for some, part in zip(left.split(rows), whole.split(rows), strict=True):
                first = _steps(some[:, at : at + depth], block, exact)
                for second, tile in zip(ready, part.split(columns, 1), strict=True):
                    _add(tile, first, second, normal=normal)
    return out


def _steps(x: Tensor, block: int, exact: torch.dtype) -> tuple[Tensor, ...]:
    """For each block of rows its elements: matrices (rows, block)."""
    if rest := -x.shape[1] % block:
        x = functional.pad(x, (0, rest))
    blocks = x.reshape(len(x), -1, block).transpose(0, 1)
    return torch.empty(blocks.shape, dtype=exact, device=x.device).copy_(blocks).unbind()


def _add(out: Tensor, a: Sequence[Tensor], b: Sequence[Tensor], *, normal: bool) -> None:
    sums = a[0].new_empty(out.shape)
    number = sums if sums.dtype == out.dtype else torch.empty_like(out)
    for left, right in zip(a, b, strict=True):
        torch.mm(left, right.T, out=sums)
        if number is not sums:
            number.copy_(sums)
        if not normal:
            number[sums.abs() < _BELOW] = 0
        out += number
