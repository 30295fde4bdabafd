"""Blocks as tensors of any device, in torch's own operations: the same bits as on the host.

Chapters 1 to 4 of docs/formats.md once more, where no compiled function reaches: on CUDA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from zhufeng.formats.blocks import (
    BIAS,
    BLOCK,
    GUARD,
    PAIRS,
    POISON,
    ROUNDS,
    ZERO,
    largest,
)
from zhufeng.formats.host import Rounding

_STEP: Final = PAIRS * BLOCK
_FRACTION, _SPECIAL = 23, 255
_HIDDEN, _PLAIN = 1 << _FRACTION, (1 << 31) - 1
_RANDOM, _WORD = 8, (1 << 32) - 1
_MOST_SHIFT = 31
_SMALLEST = -126
"""The exponent of the smallest normal fp32."""


@dataclass(frozen=True)
class TensorBlocks:
    """As `zhufeng.formats.host.Blocks`, of tensors."""

    bits: int
    size: int
    codes: Tensor
    """int32 of shape (..., rows, blocks)."""
    elements: Tensor
    """int8 of shape (..., rows, blocks, 16)."""


def quantised(
    x: Tensor, bits: int, rounding: Rounding | None, *, tiles: bool, planes: bool
) -> tuple[TensorBlocks, ...]:
    """The plane of `x`, fp32 (..., rows, k), or both of them."""
    size = x.shape[-1]
    cut = functional.pad(x, (0, -size % _STEP)).contiguous().view(torch.int32)
    cut = cut.reshape(*x.shape[:-1], -1, BLOCK)
    plain = cut & _PLAIN
    plain = torch.where(plain < _HIDDEN, 0, plain)
    codes = _codes(plain, bits, tiles=tiles)
    noise = None if rounding is None else _noise(rounding, codes)
    sign = torch.where(cut < 0, -1, 1)
    if not planes:
        found = _rounded(plain, codes, bits - 1, noise) * sign
        return (TensorBlocks(bits, size, codes, found.to(torch.int8)),)
    both = _rounded(plain, codes, 2 * (bits - 1), noise)
    high = (both + (1 << (bits - 2))) >> (bits - 1)
    low = both - (high << (bits - 1))
    some = (low != 0).any(-1) & (codes > bits - 1)
    low_codes = torch.where(some, codes - (bits - 1), ZERO)
    low_codes = torch.where(codes == POISON, POISON, low_codes)
    low = torch.where(some[..., None], low, 0)
    return (
        TensorBlocks(bits, size, codes, (high * sign).to(torch.int8)),
        TensorBlocks(bits, size, low_codes, (low * sign).to(torch.int8)),
    )


def multiplied(a: tuple[TensorBlocks, ...], b: tuple[TensorBlocks, ...]) -> Tensor:
    """All rows of `a` (..., m, k) with all of `b` (..., n, k): fp32 (..., m, n)."""
    passes = [(a[0], b[0])]
    passes += [(a[0], b[1])] if len(b) > 1 else []
    passes += [(a[1], b[0])] if len(a) > 1 else []
    shape = (*a[0].codes.shape[:-2], a[0].codes.shape[-2], b[0].codes.shape[-2])
    held = torch.zeros(shape, dtype=torch.int32, device=a[0].codes.device)
    exponent, poison = torch.zeros_like(held), torch.zeros_like(held, dtype=torch.bool)
    for left, right in passes:
        for first in range(0, left.codes.shape[-1], PAIRS):
            pairs = [(left, right, first + n) for n in range(PAIRS)]
            held, exponent, poison = _step(held, exponent, poison, pairs)
    return _result(held, exponent - (2 * BIAS + a[0].bits + b[0].bits + GUARD), poison)


def dequantised(x: TensorBlocks) -> Tensor:
    """The numbers that blocks stand for: fp32 (..., rows, k)."""
    exponents = (x.codes - (BIAS + x.bits))[..., None].expand(x.elements.shape)
    found = torch.ldexp(x.elements.double(), exponents).float()
    found = torch.where((x.codes == POISON)[..., None], torch.nan, found)
    return found.flatten(-2)[..., : x.size]


def _codes(plain: Tensor, bits: int, *, tiles: bool) -> Tensor:
    amax = plain.amax(-1)
    if tiles:
        rows = amax.shape[-2]
        whole = functional.pad(amax, (0, 0, 0, -rows % BLOCK))
        whole = whole.reshape(*whole.shape[:-2], -1, BLOCK, whole.shape[-1]).amax(-2)
        amax = whole.repeat_interleave(BLOCK, -2)[..., :rows, :]
    field, most = amax >> _FRACTION, largest(bits) << (_FRACTION + 2 - bits) & (_HIDDEN - 1)
    codes = field - 1 + ((amax & (_HIDDEN - 1)) > most)
    return torch.where(field == _SPECIAL, POISON, torch.where(field == 0, ZERO, codes))


def _rounded(plain: Tensor, codes: Tensor, bits: int, noise: Tensor | None) -> Tensor:
    """Magnitudes of so many bits."""
    significand = torch.where(plain == 0, 0, plain & (_HIDDEN - 1) | _HIDDEN)
    scaled = ((codes != ZERO) & (codes != POISON))[..., None]
    down = torch.where(scaled, codes[..., None] + 1 - (plain >> _FRACTION), _MOST_SHIFT)
    down = down.clamp(0, _MOST_SHIFT)
    aligned, below = significand >> down, _FRACTION + 1 - bits
    if noise is not None:
        return ((aligned >> (below - _RANDOM)) + noise) >> _RANDOM
    lost = (aligned << down) != significand
    number = (aligned << 1) + lost
    odd = (number >> (below + 1)) & 1
    return (number + odd + ((1 << below) - 1)) >> (below + 1)


def _noise(rounding: Rounding, codes: Tensor) -> Tensor:
    """The bytes of all blocks: int32 (..., 16)."""
    index = torch.arange(codes.numel(), device=codes.device)
    key = [int(word) for word in rounding.key()]
    words = [index ^ key[0], *(torch.full_like(index, word) for word in key[1:])]
    for _ in range(ROUNDS):
        words = _round(words)
    octets = [(word >> shift) & 255 for word in words for shift in (0, 8, 16, 24)]
    return torch.stack(octets, -1).to(torch.int32).reshape(*codes.shape, BLOCK)


def _round(words: list[Tensor]) -> list[Tensor]:
    """Rule 3.1, of words of 32 bits in 64."""

    def turned(word: Tensor, by: int) -> Tensor:
        return (word << by | word >> (32 - by)) & _WORD

    v0, v1, v2, v3 = words
    v0, v2 = (v0 + v1) & _WORD, (v2 + v3) & _WORD
    v1, v3 = turned(v1, 5) ^ v0, turned(v3, 8) ^ v2
    v0 = (turned(v0, 16) + v3) & _WORD
    v2 = (v2 + v1) & _WORD
    return [v0, turned(v1, 7) ^ v2, turned(v2, 16), turned(v3, 13) ^ v0]


def _step(
    held: Tensor,
    exponent: Tensor,
    poison: Tensor,
    pairs: list[tuple[TensorBlocks, TensorBlocks, int]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Rules 4.2 to 4.5."""
    terms, most = [], exponent
    for a, b, place in pairs:
        left, right = (one.elements[..., place, :].float() for one in (a, b))
        # Sums of 16 products of bytes: exact in fp32.
        sums = (left @ right.mT).to(torch.int32)
        ca, cb = a.codes[..., :, None, place], b.codes[..., None, :, place]
        none = (ca == ZERO) | (cb == ZERO) | (ca == POISON) | (cb == POISON)
        poison = poison | (ca == POISON) | (cb == POISON)
        reached = torch.where(none, 0, ca + cb)
        most = torch.maximum(most, reached)
        terms.append((torch.where(none, 0, sums) << GUARD, reached))
    held = held >> (most - exponent).clamp(max=_MOST_SHIFT)
    for sums, reached in terms:
        held = held + (sums >> (most - reached).clamp(max=_MOST_SHIFT))
    high = (held < -(1 << 30)) | (held >= 1 << 30)
    return torch.where(high, held >> 1, held), most + high, poison


def _result(held: Tensor, exponent: Tensor, poison: Tensor) -> Tensor:
    """Rule 4.6: fp64 has every number that is held, so that it is rounded once."""
    exact = torch.ldexp(held.double(), exponent)
    # Numbers that 24 bits bring up to the smallest normal one stay.
    none = exact.abs() < 2.0**_SMALLEST - 2.0 ** (_SMALLEST - _FRACTION - 2)
    rounded = torch.where(none, 0.0, exact.float())
    return torch.where(poison, torch.nan, rounded)
