"""What is counted of an operand: zeros, zero blocks and tiles, exponents, bits needed, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.records import TILE, pack_bitmap
from zhufeng.workload._folded import Folded
from zhufeng.workload._summary import ERRORS

# Tiles kept with their bits, and elements whose exponents are counted.
_TILES, _ELEMENTS = 16, 4096
_WIDTHS = range(2, 17)
_RAW = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Observed:
    """Statistics of one operand at one point."""

    zeros: float
    zero_blocks: float
    zero_tiles: NDArray[np.uint32]
    exponents: NDArray[np.float32]
    tiles: Tensor
    """Shape (tiles, 16, 16)."""
    real: Bools
    """Shape (tiles, 16): which of their rows lie inside the matrix."""

    @property
    def blocks(self) -> NDArray[np.float64]:
        """The rows of the tiles, shape (blocks, 16)."""
        wide: NDArray[np.float64] = self.tiles.to(torch.float64).numpy()
        return wide[self.real]

    @property
    def raw_tiles(self) -> NDArray[np.unsignedinteger]:
        """The tiles' bits in unsigned integers of the elements' width."""
        size = self.tiles.element_size()
        raw: NDArray[np.unsignedinteger] = self.tiles.contiguous().view(_RAW[size]).numpy()
        return raw.view(_UNSIGNED[size])


def observe(
    parts: Sequence[Folded], nonzero: Sequence[Folded], stream: np.random.Generator
) -> Observed:
    """Statistics of an operand.

    Args:
        parts: the operand: one, or one a group.
        nonzero: the same of `is_nonzero` of the operand.
        stream: draws the samples.
    """
    counted = [_count(part) for part in nonzero]
    elements = sum(part.elements for part in counted)
    blocks = sum(part.blocks for part in counted)
    tiles, real = _sample_tiles(parts, stream)
    return Observed(
        zeros=sum(part.zeros for part in counted) / max(elements, 1),
        zero_blocks=sum(part.zero_blocks for part in counted) / max(blocks, 1),
        zero_tiles=pack_bitmap(np.concatenate([part.tiles.ravel() for part in counted])),
        exponents=_exponents(_sample_elements(parts, stream)),
        tiles=tiles,
        real=real,
    )


def is_nonzero(x: Tensor) -> Tensor:
    """Which elements are not zero of either sign, in the layout of `x`, on the CPU.

    By NumPy: torch's own comparison takes several times as long on the CPU.
    """
    if x.device.type != "cpu":
        return (x != 0).cpu()
    if x.dtype == torch.bfloat16:  # which NumPy lacks: all bits but the sign's
        return torch.from_numpy(np.left_shift(x.view(torch.int16).numpy(), 1) != 0)
    if x.is_floating_point() and x.element_size() == 1:  # the 8-bit kinds likewise
        return torch.from_numpy(np.left_shift(x.view(torch.uint8).numpy(), 1) != 0)
    return torch.from_numpy(x.numpy() != 0)


@dataclass(frozen=True)
class _Counts:
    elements: int
    zeros: int
    blocks: int
    zero_blocks: int
    tiles: Bools


def _count(nonzero: Folded) -> _Counts:
    """Exact zeros of (batch, rows, k), and where they fill blocks and tiles."""
    batch, rows, k = nonzero.shape
    # In whichever order memory is read in longer runs.
    turned = nonzero.transposed
    along_k = nonzero.run >= turned.run
    chosen = nonzero if along_k else turned
    # NumPy's copy, where one is needed, is faster than torch's.
    matrix = chosen.tensor.numpy().reshape(chosen.shape)
    inner = -(-k // TILE)
    grid = (batch, -(-rows // TILE), inner)
    blocks = batch * rows * inner
    zeros = matrix.size - int(np.count_nonzero(matrix))
    # The smallest block is what sticks out at the end of a row: with fewer zeros than that
    # nothing can be filled.
    if not matrix.size or zeros < min(k, k % TILE or TILE):
        return _Counts(matrix.size, zeros, blocks, 0, np.zeros(grid, dtype=bool))
    used = _used_along_last(matrix) if along_k else _used_along_middle(matrix)
    zero_blocks = blocks - int(np.count_nonzero(used[:, :rows]))
    filled: Bools = np.any(used.reshape(batch, grid[1], TILE, inner), axis=2)
    return _Counts(matrix.size, zeros, blocks, zero_blocks, np.logical_not(filled))


def _used_along_last(matrix: Bools) -> Bools:
    """Of (batch, rows, k): which blocks along k hold something, (batch, rows up to 16s, k / 16)."""
    padded = _padded(matrix)
    # Sixteen flags are two 8-byte words.
    words = padded.view(np.uint64).reshape(*padded.shape[:2], -1, 2)
    used: Bools = (words[..., 0] | words[..., 1]) != 0
    return used


def _used_along_middle(matrix: Bools) -> Bools:
    """The same of (batch, k, rows)."""
    padded = _padded(matrix)
    batch, k, rows = padded.shape
    used: Bools = np.bitwise_or.reduce(padded.reshape(batch, k // TILE, TILE, rows), axis=2)
    return used.swapaxes(1, 2)


def _padded(matrix: Bools) -> Bools:
    """With False up to whole tiles."""
    batch, rows, columns = matrix.shape
    if rows % TILE == 0 and columns % TILE == 0:
        return np.ascontiguousarray(matrix)
    shape = (batch, rows + -rows % TILE, columns + -columns % TILE)
    padded = np.zeros(shape, dtype=bool)
    padded[:, :rows, :columns] = matrix
    return padded


def _sample_tiles(parts: Sequence[Folded], stream: np.random.Generator) -> tuple[Tensor, Bools]:
    """Tiles at random places, (tiles, 16, 16), what sticks out filled with zeros; and which of
    their rows there are, (tiles, 16)."""
    grids = [(p.shape[0], -(-p.shape[1] // TILE), -(-p.shape[2] // TILE)) for p in parts]
    chosen = _places([int(np.prod(grid)) for grid in grids], _TILES, stream)
    side = np.arange(TILE)
    first = parts[0].tensor
    found = [first.new_zeros(0, TILE, TILE)]
    real: list[Bools] = [np.zeros((0, TILE), dtype=bool)]
    for part, grid, flat in zip(parts, grids, chosen, strict=True):
        if not flat.size:
            continue
        _, most_rows, most_columns = part.shape
        batch, row, column = np.unravel_index(flat, grid)
        rows = row[:, None, None] * TILE + side[None, :, None]
        columns = column[:, None, None] * TILE + side[None, None, :]
        inside = (rows < most_rows) & (columns < most_columns)
        tiles = part.at(
            torch.from_numpy(batch[:, None, None]),
            torch.from_numpy(np.minimum(rows, most_rows - 1)),
            torch.from_numpy(np.minimum(columns, most_columns - 1)),
        )
        if not inside.all():
            tiles = tiles.masked_fill(torch.from_numpy(~inside).to(tiles.device), 0)
        found.append(tiles)
        real.append(np.any(inside, axis=2))
    return torch.cat(found).cpu(), np.concatenate(real)


def _sample_elements(parts: Sequence[Folded], stream: np.random.Generator) -> Tensor:
    shapes = [part.shape for part in parts]
    chosen = _places([int(np.prod(shape)) for shape in shapes], _ELEMENTS, stream)
    found = [parts[0].tensor.new_zeros(0)]
    for part, shape, flat in zip(parts, shapes, chosen, strict=True):
        if flat.size:
            found.append(part.at(*(torch.from_numpy(i) for i in np.unravel_index(flat, shape))))
    return torch.cat(found).cpu()


def _places(
    sizes: Sequence[int], wanted: int, stream: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Indices into parts of these sizes: all of them where they are few, else drawn."""
    total = sum(sizes)
    if total <= wanted:
        return [np.arange(size) for size in sizes]
    drawn = stream.integers(0, total, wanted)
    if len(sizes) == 1:
        return [drawn]
    drawn.sort()
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(drawn, ends[:-1])
    starts = ends - np.asarray(sizes)
    return [part - start for part, start in zip(np.split(drawn, cuts), starts, strict=True)]


def _exponents(x: Tensor) -> NDArray[np.float32]:
    """Share of the finite elements that are not zero by biased fp32 exponent."""
    values = x.to(torch.float32).numpy()
    values = values[np.isfinite(values) & (values != 0)]
    codes = (values.view(np.uint32) >> 23) & 0xFF
    counted = np.bincount(codes, minlength=256)
    shares: NDArray[np.float32] = (counted / max(values.size, 1)).astype(np.float32)
    return shares


def bits_needed(operands: Sequence[NDArray[np.float64]]) -> list[dict[str, float]]:
    """Mean width that blocks of 16 need to stay within each of `ERRORS`, of each operand.

    A block of b bits has the smallest power of two 2^e with amax <= (2^(b-1) - 1) 2^e for its
    scale, and elements rounded to nearest even. Zero blocks need 0 bits. Blocks that hold an
    infinity or a NaN are left out.

    Args:
        operands: each of shape (blocks, 16). All at once, because calls cost more than elements.
    """
    if not operands:
        return []
    blocks = np.concatenate(operands)
    owners = np.repeat(np.arange(len(operands)), [len(one) for one in operands])
    finite = np.isfinite(blocks).all(1)
    blocks, owners = blocks[finite], owners[finite]
    # By a power of two, exactly, so that the largest magnitude comes to lie in [0.5, 1).
    _, exponents = np.frexp(np.abs(blocks).max(1, initial=0.0))
    needed = _widths(np.ldexp(blocks, -exponents[:, None]))
    counts = np.bincount(owners, minlength=len(operands))
    sums = np.stack([np.bincount(owners, row, minlength=len(operands)) for row in needed], axis=1)
    return [
        {error: float(total / count) for error, total in zip(ERRORS, row, strict=True)}
        if count
        else {}
        for row, count in zip(sums, counts, strict=True)
    ]


def _widths(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least width for each error and block, whose largest magnitude is in [0.5, 1), or 0."""
    levels = np.asarray([float(error) for error in ERRORS])[:, None]
    largest = np.abs(blocks).max(1, initial=0.0)
    allowed = np.square(levels) * np.einsum("bi,bi->b", blocks, blocks)
    least = np.full((len(ERRORS), len(blocks)), float(_WIDTHS.stop))
    for bits in reversed(_WIDTHS):
        unit = 2.0 ** (1 - bits)
        step = np.where(largest <= 1 - unit, unit, 2 * unit)[:, None]
        scaled = blocks / step
        rounded = np.rint(scaled)
        rounded -= scaled
        error = np.einsum("bi,bi->b", rounded, rounded) * step[:, 0] ** 2
        least[error[None, :] <= allowed] = bits
    least[:, largest == 0] = 0
    return least
