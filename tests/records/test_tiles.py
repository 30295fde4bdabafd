"""Zero tiles: bitmaps as run lengths, and pairs of tiles counted against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhufeng.records import (
    TILE,
    Gemm,
    Operand,
    Operation,
    Point,
    Workload,
    pack_bitmap,
    skippable_share,
    unpack_bitmap,
    zero_tile_grids,
)


@given(st.lists(st.booleans(), max_size=200))
def test_a_bitmap_unpacks_as_it_was(bits: list[bool]) -> None:
    packed = pack_bitmap(np.array(bits, dtype=bool))
    assert unpack_bitmap(packed, (len(bits),)).tolist() == bits
    assert (packed[1:] > 0).all()


def test_runs_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="5 bits"):
        unpack_bitmap(np.array([2, 3]), (2, 2))


def one_product(gemm: Gemm, arrays: dict[str, np.ndarray], points: tuple[Point, ...]) -> Workload:
    operation = Operation(
        name="mm",
        phase="forward",
        module="",
        kind="aten.mm",
        operands=(),
        results=(),
        flops=gemm.flops,
        bytes=0,
        gemms=(gemm,),
    )
    return Workload(
        model="m",
        mode="train",
        batch=1,
        sequence=None,
        parameters=0,
        gradients="none",
        operations=(operation,),
        points=points,
        arrays=arrays,
    )


def blocky(generator: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """A matrix of which many tiles, edges among them, are zero."""
    batch, rows, k = shape
    tiles = generator.random((batch, -(-rows // TILE), -(-k // TILE))) < 0.5
    fine = tiles.repeat(TILE, 1).repeat(TILE, 2)[:, :rows, :k]
    return np.where(fine, 0.0, generator.standard_normal(shape))


def bitmap(matrix: np.ndarray) -> np.ndarray:
    """By a loop over tiles."""
    batch, rows, k = matrix.shape
    grid = np.zeros((batch, -(-rows // TILE), -(-k // TILE)), dtype=bool)
    for place in np.ndindex(grid.shape):
        b, r, c = place
        tile = matrix[b, r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]
        grid[place] = not tile.any()
    return grid


@given(
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_pairs_of_zero_tiles_are_counted_exactly(
    seed: int, batch: int, m: int, n: int, k: int
) -> None:
    generator = np.random.default_rng(seed)
    left = [blocky(generator, (batch, m, k)) for _ in range(2)]
    right = [blocky(generator, (batch, n, k)) for _ in range(2)]
    arrays = {
        "left": pack_bitmap(np.stack([bitmap(x) for x in left])),
        "right": pack_bitmap(np.stack([bitmap(x) for x in right])),
    }
    gemm = Gemm(
        batch=batch,
        m=m,
        n=n,
        k=k,
        role="forward",
        left=Operand(tensor="x", zero_tiles="left"),
        right=Operand(tensor="w", zero_tiles="right"),
    )
    points = (Point(name="a", weight=0.25), Point(name="b", weight=0.75))
    workload = one_product(gemm, arrays, points)
    shares = []
    for one, other in zip(left, right, strict=True):
        a, b = bitmap(one), bitmap(other)
        skipped = sum(
            a[i, r, c] or b[i, s, c]
            for i in range(batch)
            for r in range(a.shape[1])
            for s in range(b.shape[1])
            for c in range(a.shape[2])
        )
        shares.append(skipped / (a.size * b.shape[1]))
    assert skippable_share(workload, gemm) == pytest.approx(0.25 * shares[0] + 0.75 * shares[1])


def test_groups_are_cut_apart() -> None:
    """Two experts of 3 and 17 rows: one row of tiles, then two."""
    left = np.zeros((3, 2), dtype=bool)
    left[2, 1] = True
    right = np.zeros((2, 1, 2), dtype=bool)
    right[0, 0, 0] = True
    gemm = Gemm(
        batch=1,
        m=20,
        n=16,
        k=32,
        role="forward",
        left=Operand(tensor="x", zero_tiles="left"),
        right=Operand(tensor="w", zero_tiles="right"),
        groups=2,
        group_sizes="sizes",
    )
    arrays = {
        "left": pack_bitmap(left),
        "right": pack_bitmap(right),
        "sizes": np.array([[3, 17]]),
    }
    workload = one_product(gemm, arrays, (Point(name="a"),))
    ((first, second),) = zero_tile_grids(workload, gemm)
    assert first.left.shape == (1, 1, 2)
    assert second.left.shape == (1, 2, 2)
    assert (first.skippable_pairs, first.pairs) == (1, 2)
    assert (second.skippable_pairs, second.pairs) == (1, 4)
    assert skippable_share(workload, gemm) == 2 / 6


def test_what_was_not_executed_has_no_grid() -> None:
    gemm = Gemm(
        batch=1, m=1, n=1, k=1, role="forward", left=Operand(tensor="x"), right=Operand(tensor="w")
    )
    with pytest.raises(ValueError, match="without executing"):
        zero_tile_grids(one_product(gemm, {}, ()), gemm)
