"""Zero tiles: bitmaps packed as run lengths, and the pairs of tiles that need no product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.records._workload import TILE, Gemm, Workload

Bitmap = NDArray[np.bool_]


def pack_bitmap(bitmap: Bitmap) -> NDArray[np.uint32]:
    """Run lengths of a bitmap, row-major; the first run counts False and may be 0."""
    flat = np.asarray(bitmap, dtype=bool).ravel()
    if not flat.size:
        return np.zeros(0, dtype=np.uint32)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], changes, [flat.size])))
    return np.concatenate(([0], runs) if flat[0] else (runs,)).astype(np.uint32)


def unpack_bitmap(runs: NDArray[Any], shape: tuple[int, ...]) -> Bitmap:
    """The bitmap of this shape whose run lengths are `runs`.

    Raises:
        ValueError: the runs are of another number of bits.
    """
    if int(runs.sum()) != math.prod(shape):
        raise ValueError(f"runs of {runs.sum()} bits for a bitmap of shape {shape}")
    return np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(shape)


@dataclass(frozen=True)
class TileGrid:
    """Zero tiles of one product's two sides, at one point of training and in one group."""

    left: Bitmap
    """Shape (batch, m / 16, k / 16): True where all of the tile is zero."""
    right: Bitmap
    """Shape (batch, n / 16, k / 16)."""

    @property
    def pairs(self) -> int:
        """Tile products of the whole matrix product."""
        batch, rows, inner = self.left.shape
        pairs: int = batch * rows * self.right.shape[1] * inner
        return pairs

    @property
    def skippable_pairs(self) -> int:
        """Tile products of which a side is all zero."""
        needed = (~self.left).sum(1, dtype=np.int64) * (~self.right).sum(1, dtype=np.int64)
        skipped: int = self.pairs - int(needed.sum())
        return skipped


def zero_tile_grids(workload: Workload, gemm: Gemm) -> list[list[TileGrid]]:
    """The complete bitmaps of a product, by point of training and group.

    Raises:
        ValueError: the product was not executed, so that nothing is known of its zeros.
    """
    if gemm.left.zero_tiles is None or gemm.right.zero_tiles is None:
        raise ValueError("this product was captured without executing it")
    arrays = workload.arrays
    sizes = _group_sizes(workload, gemm)
    shapes = [[_shapes(gemm, length) for length in point] for point in sizes]
    lefts = _cut(arrays[gemm.left.zero_tiles], [s[0] for point in shapes for s in point])
    rights = _cut(arrays[gemm.right.zero_tiles], [s[1] for point in shapes for s in point])
    grids = iter([TileGrid(*pair) for pair in zip(lefts, rights, strict=True)])
    return [[next(grids) for _ in point] for point in shapes]


def skippable_share(workload: Workload, gemm: Gemm) -> float:
    """Share of a product's pairs of tiles that need no work, over points by weight."""
    share = 0.0
    points = zero_tile_grids(workload, gemm)
    for point, grids in zip(workload.points, points, strict=True):
        pairs = sum(grid.pairs for grid in grids)
        skipped = sum(grid.skippable_pairs for grid in grids)
        share += point.weight * (skipped / pairs if pairs else 0.0)
    return share


def _group_sizes(workload: Workload, gemm: Gemm) -> list[list[int]]:
    if gemm.group_sizes is None:
        return [[gemm.m if gemm.group_axis == "m" else gemm.k] for _ in workload.points]
    found: list[list[int]] = workload.arrays[gemm.group_sizes].tolist()
    return found


def _shapes(gemm: Gemm, length: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Grids of both sides of a group of this length."""
    m, k = (length, gemm.k) if gemm.group_axis == "m" else (gemm.m, length)
    left = (gemm.batch, -(-m // TILE), -(-k // TILE))
    return left, (gemm.batch, -(-gemm.n // TILE), -(-k // TILE))


def _cut(runs: NDArray[Any], shapes: list[tuple[int, int, int]]) -> list[Bitmap]:
    sizes = [math.prod(shape) for shape in shapes]
    whole = unpack_bitmap(runs, (sum(sizes),))
    parts = np.split(whole, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
