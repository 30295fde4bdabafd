"""Several captures of one model, at different points of its training, as one workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError
from zhufeng.records import Gemm, Operand, Operation, Point, Workload, pack_bitmap, unpack_bitmap

Weights = NDArray[np.float64]


def join(workloads: Sequence[Workload], points: Sequence[Point]) -> Workload:
    """One workload with the statistics of all.

    Shares, histograms and bits needed are averaged by weight; of the sampled tiles each point
    gives its share; every point's bitmap of zero tiles is kept, so that pairs stay exact.

    Args:
        workloads: captures of one point each, of the same step.
        points: what each is called and how much it counts; weights are scaled to sum to 1.

    Raises:
        InputError: the captures are of different steps.
        ValueError: a weight is negative or all are 0, or a workload is itself joined.
    """
    weights = np.asarray([point.weight for point in points])
    if len(points) != len(workloads) or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError("a weight of at least 0 for each workload, not all of them 0")
    if any(len(one.points) != 1 for one in workloads):
        raise ValueError("captures of one point each")
    first = workloads[0]
    for other in workloads[1:]:
        _check_same(first, other)
    weights = weights / weights.sum()
    arrays: dict[str, NDArray[Any]] = {}
    operations = tuple(
        _operation(same, workloads, weights, arrays)
        for same in zip(*(one.operations for one in workloads), strict=True)
    )
    errors = [one.gradient_error for one in workloads if one.gradient_error is not None]
    return replace(
        first,
        operations=operations,
        points=tuple(replace(p, weight=float(w)) for p, w in zip(points, weights, strict=True)),
        gradient_error=max(errors, default=None),
        arrays=arrays,
    )


def _check_same(one: Workload, other: Workload) -> None:
    mine, theirs = (
        [(o.name, o.kind, o.phase, [t.shape for t in o.results]) for o in workload.operations]
        for workload in (one, other)
    )
    if mine != theirs:
        where = next(
            (a[0] for a, b in zip(mine, theirs, strict=False) if a != b), "the number of operations"
        )
        raise InputError(
            "captures of different steps cannot be joined",
            expected=f"the operations of {one.model}, {len(mine)} of them",
            came=f"{other.model} with {len(theirs)}; the first difference is {where}",
            do="capture the same model, batch and optimizer at each point",
        )


def _operation(
    same: Sequence[Operation],
    workloads: Sequence[Workload],
    weights: Weights,
    arrays: dict[str, NDArray[Any]],
) -> Operation:
    gemms = tuple(
        _gemm(one, workloads, weights, arrays) for one in zip(*(o.gemms for o in same), strict=True)
    )
    return replace(same[0], gemms=gemms)


def _gemm(
    same: Sequence[Gemm],
    workloads: Sequence[Workload],
    weights: Weights,
    arrays: dict[str, NDArray[Any]],
) -> Gemm:
    sizes = same[0].group_sizes
    if sizes is not None:
        arrays[sizes] = np.concatenate([w.arrays[sizes] for w in workloads])
    left = _operand([gemm.left for gemm in same], workloads, weights, arrays)
    right = _operand([gemm.right for gemm in same], workloads, weights, arrays)
    return replace(same[0], left=left, right=right)


def _operand(
    same: Sequence[Operand],
    workloads: Sequence[Workload],
    weights: Weights,
    arrays: dict[str, NDArray[Any]],
) -> Operand:
    first = same[0]
    if first.zero_tiles is None or first.exponents is None or first.tiles is None:
        return first
    bitmaps = [_bits(w.arrays[first.zero_tiles]) for w in workloads]
    arrays[first.zero_tiles] = pack_bitmap(np.concatenate(bitmaps))
    histograms = np.stack([w.arrays[first.exponents] for w in workloads])
    arrays[first.exponents] = (weights @ histograms).astype(np.float32)
    arrays[first.tiles] = _tiles([w.arrays[str(first.tiles)] for w in workloads], weights)
    return replace(
        first,
        zeros=_mean([one.zeros for one in same], weights),
        zero_blocks=_mean([one.zero_blocks for one in same], weights),
        bits_needed={
            error: _mean([one.bits_needed.get(error) for one in same], weights)
            for error in first.bits_needed
        },
    )


def _bits(runs: NDArray[Any]) -> NDArray[np.bool_]:
    return unpack_bitmap(runs, (int(runs.sum()),))


def _mean(values: Sequence[float | None], weights: Weights) -> float:
    return float(sum(w * (v or 0.0) for v, w in zip(values, weights, strict=True)))


def _tiles(samples: Sequence[NDArray[Any]], weights: Weights) -> NDArray[Any]:
    """As many tiles as one sample holds, of each point its share."""
    most = max(len(sample) for sample in samples)
    taken = [
        sample[: max(1, round(weight * most))]
        for sample, weight in zip(samples, weights, strict=True)
        if weight > 0
    ]
    return np.concatenate(taken)
