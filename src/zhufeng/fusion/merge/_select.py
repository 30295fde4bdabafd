"""Which elements of a difference stay: the largest, a band, or random ones.

The largest are found without a sort. Magnitudes are keys of 15 bits (their bf16 form, so that
32,768 counters say everything) or of 31 bits (fp32, in two levels: the upper 15 bits, then the
lower 16 of those that share the boundary's). Exactly k are kept: of equal keys at the boundary
those with the lowest number in the tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_COARSE_BINS = 1 << 15
_FINE_BINS = 1 << 16
_WORDS_A_BLOCK = 4  # of Philox4x64
_DRAWS_A_WORD = 4
STEPS = 1 << 16
"""A probability is a whole number of these."""


@dataclass(frozen=True)
class Cut:
    """The largest `k` of a tensor: all above `key`, and the first `ties` of those equal to it."""

    key: int
    ties: int


class Taker:
    """Marks the elements of a cut, chunk after chunk in order."""

    def __init__(self, cut: Cut) -> None:
        self._key, self._left = cut.key, cut.ties

    def mark(self, keys: Tensor, out: Tensor) -> Tensor:
        """1 in `out` where the element is taken, else 0."""
        torch.gt(keys, self._key, out=out)
        if self._left:
            # NumPy's, because torch takes ten times as long to compare and to search.
            equal = np.flatnonzero(keys.numpy() == self._key)[: self._left]
            out.view(-1).numpy()[equal] = 1
            self._left -= len(equal)
        return out


def coarse_keys(values: Tensor) -> Tensor:
    """|values|, rounded to bf16, as whole numbers in the same order."""
    return values.bfloat16().view(torch.int16).bitwise_and_(0x7FFF)


def fine_keys(values: Tensor) -> Tensor:
    """|values|, as fp32, as whole numbers in the same order."""
    return values.float().view(torch.int32).bitwise_and(0x7FFFFFFF)


def cuts(
    passes: Callable[[], Iterable[Sequence[Tensor]]],
    wanted: Sequence[Sequence[int]],
    *,
    coarse: bool,
) -> list[list[Cut]]:
    """For each of several tensors, the cuts that take its largest `wanted` elements.

    Args:
        passes: begins to read anew: chunks, in each a part of every tensor.
        wanted: for each tensor, the numbers of elements.
        coarse: by `coarse_keys`, in one pass; else by `fine_keys`, in two.
    """
    upper = [torch.zeros(_COARSE_BINS, dtype=torch.int64) for _ in wanted]
    for parts in passes():
        for counts, part in zip(upper, parts, strict=True):
            keys = coarse_keys(part) if coarse else fine_keys(part).bitwise_right_shift_(16)
            counts.add_(torch.bincount(keys.view(-1), minlength=_COARSE_BINS))
    first = [[_boundary(counts, k) for k in ks] for counts, ks in zip(upper, wanted, strict=True)]
    return first if coarse else _refined(passes, first)


def _refined(
    passes: Callable[[], Iterable[Sequence[Tensor]]], first: list[list[Cut]]
) -> list[list[Cut]]:
    lower = [[torch.zeros(_FINE_BINS, dtype=torch.int64) for _ in row] for row in first]
    for parts in passes():
        for row, counts, part in zip(first, lower, parts, strict=True):
            keys = fine_keys(part).view(-1)
            for cut, counted in zip(row, counts, strict=True):
                inside = keys[keys.bitwise_right_shift(16) == cut.key].bitwise_and_(0xFFFF)
                counted.add_(torch.bincount(inside, minlength=_FINE_BINS))
    return [
        [
            Cut((cut.key << 16) + inner.key, inner.ties)
            for cut, counted in zip(row, counts, strict=True)
            for inner in [_boundary(counted, cut.ties)]
        ]
        for row, counts in zip(first, lower, strict=True)
    ]


def _boundary(counts: Tensor, k: int) -> Cut:
    """The bin in which the k-th largest lies, and how many of it belong to the k largest."""
    if k == 0:
        return Cut(len(counts) - 1, 0)
    from_top = counts.flip(0).cumsum(0)
    at = int(torch.searchsorted(from_top, k))
    above = int(from_top[at - 1]) if at else 0
    return Cut(len(counts) - 1 - at, k - above)


def kept_steps(probability: float) -> int:
    """A probability as a whole number of `STEPS`, at least one where it is not 0."""
    return 0 if probability <= 0 else max(1, round(probability * STEPS))


def draws(seed: int, start: int, count: int) -> Tensor:
    """Random whole numbers of 16 bits, each in [-32768, 32767], int16.

    They belong to the elements `start` to ``start + count`` of the tensor that `seed` stands
    for, however it is cut into chunks: Philox4x64-10 (Salmon et al. 2011, Parallel random
    numbers: as easy as 1, 2, 3) at the elements' numbers.
    """
    a_block = _WORDS_A_BLOCK * _DRAWS_A_WORD
    block, skipped = divmod(start, a_block)
    bits = np.random.Philox(key=seed)
    bits.advance(block)
    drawn = np.asarray(bits.random_raw(math.ceil((skipped + count) / _DRAWS_A_WORD)))
    return torch.from_numpy(drawn.view(np.int16))[skipped : skipped + count]
