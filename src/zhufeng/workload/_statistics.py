"""What is counted of an operand: zeros, zero blocks and tiles, exponents, bits needed, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zhufeng.records import TILE, pack_bitmap
from zhufeng.workload._summary import ERRORS

# Tiles kept with their bits, and elements whose exponents are counted.
_TILES, _ELEMENTS = 16, 8192
_WIDTHS = range(2, 17)
_RAW = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class Observed:
    """Statistics of one operand at one point."""

    zeros: float
    zero_blocks: float
    zero_tiles: NDArray[np.uint32]
    exponents: NDArray[np.float32]
    bits_needed: dict[str, float]
    tiles: NDArray[np.unsignedinteger]


def observe(parts: Sequence[Tensor], stream: np.random.Generator) -> Observed:
    """Statistics of an operand.

    Args:
        parts: of shape (batch, rows, k): one, or one a group.
        stream: draws the samples.
    """
    counted = [_count(part) for part in parts]
    elements = sum(part.numel() for part in parts)
    blocks = sum(one.blocks for one in counted)
    tiles, real = _sample_tiles(parts, stream)
    return Observed(
        zeros=sum(one.zeros for one in counted) / max(elements, 1),
        zero_blocks=sum(one.zero_blocks for one in counted) / max(blocks, 1),
        zero_tiles=pack_bitmap(np.concatenate([one.tiles.ravel() for one in counted])),
        exponents=_exponents(_sample_elements(parts, stream)),
        bits_needed=bits_needed(_wide(tiles)[real]),
        tiles=_bits(tiles),
    )


@dataclass(frozen=True)
class _Counts:
    zeros: int
    blocks: int
    zero_blocks: int
    tiles: NDArray[np.bool_]


def _count(x: Tensor) -> _Counts:
    """Exact zeros of (batch, rows, k), and where they fill blocks and tiles."""
    batch, rows, k = x.shape
    inner = -(-k // TILE)
    grid = (batch, -(-rows // TILE), inner)
    blocks = batch * rows * inner
    zeros = x.numel() - int(torch.count_nonzero(x))
    # The smallest block is what sticks out at the end of a row: with fewer zeros than that
    # nothing can be filled.
    if not x.numel() or zeros < min(k, k % TILE or TILE):
        return _Counts(zeros, blocks, 0, np.zeros(grid, dtype=bool))
    filled = functional.pad((x != 0), (0, -k % TILE, 0, -rows % TILE)).contiguous()
    # Sixteen flags are two 8-byte words.
    words = filled.view(torch.int64).view(batch, grid[1], TILE, inner, 2)
    used = (words[..., 0] | words[..., 1]) != 0
    zero_blocks = blocks - int(torch.count_nonzero(used))
    return _Counts(zeros, blocks, zero_blocks, ~used.any(dim=2).cpu().numpy())


def _sample_tiles(
    parts: Sequence[Tensor], stream: np.random.Generator
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Tiles at random places, (tiles, 16, 16), what sticks out filled with zeros; and which of
    their rows there are, (tiles, 16)."""
    grids = [(p.shape[0], -(-p.shape[1] // TILE), -(-p.shape[2] // TILE)) for p in parts]
    sizes = [int(np.prod(grid)) for grid in grids]
    chosen = _places(sizes, _TILES, stream)
    side = torch.arange(TILE)
    found, real = [parts[0].new_zeros(0, TILE, TILE)], [torch.zeros(0, TILE, dtype=torch.bool)]
    for part, grid, flat in zip(parts, grids, chosen, strict=True):
        if not flat.size:
            continue
        batch, row, column = (torch.from_numpy(i) for i in np.unravel_index(flat, grid))
        rows = row[:, None, None] * TILE + side[None, :, None]
        columns = column[:, None, None] * TILE + side[None, None, :]
        inside = (rows < part.shape[1]) & (columns < part.shape[2])
        at = (batch[:, None, None], rows.clamp_max(part.shape[1] - 1))
        tiles = part[(*at, columns.clamp_max(part.shape[2] - 1))]
        found.append(tiles.masked_fill(~inside.to(tiles.device), 0))
        real.append(inside.any(2))
    return torch.cat(found).cpu(), torch.cat(real).numpy()


def _sample_elements(parts: Sequence[Tensor], stream: np.random.Generator) -> Tensor:
    sizes = [part.numel() for part in parts]
    chosen = _places(sizes, _ELEMENTS, stream)
    found = [parts[0].new_zeros(0)]
    for part, flat in zip(parts, chosen, strict=True):
        if flat.size:
            at = np.unravel_index(flat, tuple(part.shape))
            found.append(part[tuple(torch.from_numpy(i) for i in at)])
    return torch.cat(found).cpu()


def _places(
    sizes: Sequence[int], wanted: int, stream: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Indices into parts of these sizes: all of them where they are few, else drawn."""
    total = sum(sizes)
    if total <= wanted:
        return [np.arange(size) for size in sizes]
    drawn = np.sort(stream.integers(0, total, wanted))
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(drawn, ends[:-1])
    starts = ends - np.asarray(sizes)
    return [part - start for part, start in zip(np.split(drawn, cuts), starts, strict=True)]


def _wide(x: Tensor) -> NDArray[np.float64]:
    wide: NDArray[np.float64] = x.to(torch.float64).numpy()
    return wide


def _exponents(x: Tensor) -> NDArray[np.float32]:
    """Share of the finite elements that are not zero by biased fp32 exponent."""
    values = x.to(torch.float32).numpy()
    values = values[np.isfinite(values) & (values != 0)]
    codes = (values.view(np.uint32) >> 23) & 0xFF
    counted = np.bincount(codes, minlength=256)
    shares: NDArray[np.float32] = (counted / max(values.size, 1)).astype(np.float32)
    return shares


def bits_needed(blocks: NDArray[np.float64]) -> dict[str, float]:
    """Mean width that blocks of 16 need to stay within each of `ERRORS`.

    A block of b bits has the smallest power of two 2^e with amax <= (2^(b-1) - 1) 2^e for its
    scale, and elements rounded to nearest even. Zero blocks need 0 bits. Blocks that hold an
    infinity or a NaN are left out.

    Args:
        blocks: shape (blocks, 16).
    """
    blocks = blocks[np.isfinite(blocks).all(1)]
    if not blocks.size:
        return {}
    # By a power of two, exactly, so that the largest magnitude comes to lie in [0.5, 1).
    _, exponents = np.frexp(np.abs(blocks).max(1))
    needed = _widths(np.ldexp(blocks, -exponents[:, None]))
    return {error: float(row.mean()) for error, row in zip(ERRORS, needed, strict=True)}


def _widths(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least width for each error and block, whose largest magnitude is in [0.5, 1), or 0."""
    levels = np.asarray([float(error) for error in ERRORS])[:, None]
    largest = np.abs(blocks).max(1)
    allowed = levels * np.sqrt(np.square(blocks).sum(1))
    least = np.full((len(ERRORS), len(blocks)), float(_WIDTHS.stop))
    for bits in reversed(_WIDTHS):
        unit = 2.0 ** (1 - bits)
        step = np.where(largest <= 1 - unit, unit, 2 * unit)[:, None]
        error = np.sqrt(np.square(np.rint(blocks / step) * step - blocks).sum(1))
        least[error[None, :] <= allowed] = bits
    least[:, largest == 0] = 0
    return least


def _bits(x: Tensor) -> NDArray[np.unsignedinteger]:
    """The elements' raw bits in unsigned integers."""
    size = x.element_size()
    raw: NDArray[np.unsignedinteger] = x.contiguous().view(_RAW[size]).numpy()
    return raw.view(_UNSIGNED[size])
