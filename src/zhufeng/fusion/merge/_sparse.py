"""The differences of task arithmetic made sparse: TIES, breadcrumbs, DARE, DELLA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from zhufeng.fusion.merge._group import Chunk, Group
from zhufeng.fusion.merge._select import (
    STEPS,
    Taker,
    coarse_keys,
    cuts,
    draws,
    fine_keys,
    kept_steps,
)

Thin = Callable[[int, Chunk], None]
"""Multiplies a model's difference in a chunk by its mask, in place."""


class Sparsifier(Protocol):
    """Makes masks for the differences of a group."""

    rows: bool
    """Whether it needs whole rows."""

    def begin(self) -> Thin:
        """A new pass over the chunks, in order."""


class Everything:
    """Nothing is dropped: task arithmetic."""

    rows = False

    def __init__(self, group: Group) -> None:
        pass

    def begin(self) -> Thin:
        """Multiply by one."""
        return lambda _number, _chunk: None


class Largest:
    """The largest magnitudes but for the very largest: TIES (gamma 0) and breadcrumbs."""

    rows = False

    def __init__(self, group: Group) -> None:
        self._keys = coarse_keys if group.coarse else fine_keys
        wanted = [_band(group, number) for number in range(group.count)]
        self._cuts = cuts(
            lambda: (chunk.inputs for chunk in group.deltas()), wanted, coarse=group.coarse
        )

    def begin(self) -> Thin:
        """Keep exactly as many as wanted."""
        takers = [[Taker(cut) for cut in row] for row in self._cuts]

        def thin(number: int, chunk: Chunk) -> None:
            delta = chunk.inputs[number]
            keys = self._keys(delta)
            kept, *dropped = takers[number]
            mask = kept.mark(keys, chunk.scratch("mask"))
            for outliers in dropped:
                mask.sub_(outliers.mark(keys, chunk.scratch("outliers")))
            delta.mul_(mask)

        return thin


def _band(group: Group, number: int) -> tuple[int, ...]:
    """How many are taken from the largest on, and how many of those are dropped, if any are."""
    parameters, elements = group.each[number], group.elements
    whole: Callable[[float], int] = int if group.like_mergekit else round
    density, gamma = float(parameters["density"]), float(parameters.get("gamma", 0.0))
    kept = whole(density * elements)
    if "gamma" not in parameters and group.like_mergekit and density > 0:
        kept = max(1, kept)
    outliers = 0 if density >= 1 else min(whole(gamma * elements), elements - kept)
    return (kept + outliers, outliers) if outliers else (kept,)


class Random:
    """Each with the same probability, the survivors scaled up: DARE."""

    rows = False

    def __init__(self, group: Group) -> None:
        self._seeds = group.seeds
        self._steps = [kept_steps(float(each["density"])) for each in group.each]
        self._scaled = bool(group.shared["rescale"]) and not group.like_mergekit

    def begin(self) -> Thin:
        """Draw by the elements' numbers."""

        def thin(number: int, chunk: Chunk) -> None:
            steps, delta = self._steps[number], chunk.inputs[number]
            if steps >= STEPS:
                return
            drawn = draws(self._seeds[number], chunk.start, delta.numel())
            mask = torch.lt(drawn, steps - STEPS // 2, out=chunk.scratch("mask"))
            delta.mul_(mask)
            if self._scaled and steps:
                delta.mul_(STEPS / steps)

        return thin


class Ranked:
    """Each with a probability that grows with its rank in its row: DELLA."""

    rows = True

    def __init__(self, group: Group) -> None:
        self._seeds, self._each = group.seeds, group.each
        self._scaled = bool(group.shared["rescale"]) and not group.like_mergekit

    def begin(self) -> Thin:
        """Rank and draw; of equal magnitudes the one with the lower number ranks lower."""

        def thin(number: int, chunk: Chunk) -> None:
            density = float(self._each[number]["density"])
            epsilon, delta = float(self._each[number]["epsilon"]), chunk.inputs[number]
            if density >= 1:
                return
            if density <= 0:
                delta.zero_()
                return
            steps = _rank(delta).mul_(2 * epsilon).add_(density - epsilon).mul_(STEPS)
            steps.round_().clamp_(1, STEPS)
            drawn = draws(self._seeds[number], chunk.start, delta.numel()).view(delta.shape)
            mask = torch.lt(drawn, steps - STEPS // 2, out=chunk.scratch("mask"))
            delta.mul_(mask)
            if self._scaled:
                delta.mul_(STEPS).div_(steps)

        return thin


def _rank(delta: Tensor) -> Tensor:
    """Of each magnitude in its row: 0 the smallest to 1 the largest."""
    columns = delta.shape[1]
    if columns == 1:
        return torch.full_like(delta, 0.5)
    order = delta.abs().argsort(dim=1, stable=True)
    places = torch.linspace(0, 1, columns, dtype=delta.dtype).expand_as(delta)
    return torch.empty_like(delta).scatter_(1, order, places)


_TINY_SUM = 1e-7  # below it a norm says nothing


def norm_scales(group: Group, sparsifier: Sparsifier) -> list[float]:
    """For each model, the factor that gives its sparse difference the L1 norm of the whole."""
    thin = sparsifier.begin()
    before, after = [0.0] * group.count, [0.0] * group.count
    for chunk in group.deltas(rows=sparsifier.rows):
        for number, delta in enumerate(chunk.inputs):
            before[number] += _l1(delta, chunk)
            thin(number, chunk)
            after[number] += _l1(delta, chunk)
    return [b / a if min(b, a) > _TINY_SUM else 1.0 for b, a in zip(before, after, strict=True)]


def _l1(values: Tensor, chunk: Chunk) -> float:
    return float(torch.abs(values, out=chunk.scratch("absolute")).sum())


def thinned(group: Group, sparsifier: Sparsifier) -> Iterator[Chunk]:
    """Chunks whose inputs are the sparse differences, rescaled where that is asked for."""
    by_norm = bool(group.shared["rescale"]) and (
        group.like_mergekit or not isinstance(sparsifier, Random | Ranked)
    )
    scales = norm_scales(group, sparsifier) if by_norm else [1.0] * group.count
    thin = sparsifier.begin()
    for chunk in group.deltas(rows=sparsifier.rows):
        for number, delta in enumerate(chunk.inputs):
            thin(number, chunk)
            if scales[number] != 1:
                delta.mul_(scales[number])
        yield chunk
