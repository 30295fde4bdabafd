"""The methods' arithmetic: each takes a group and gives the merged chunks, in order.

Every step is one rounding of fp32 on each element, so that results depend neither on the size
of a vector register nor on where chunks begin. `METHODS` has the formulas and their sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from zhufeng.fusion.merge._group import Chunk, Group
from zhufeng.fusion.merge._select import Cut, Taker, cuts, fine_keys
from zhufeng.fusion.merge._sparse import Everything, Largest, Random, Ranked, Sparsifier, thinned

Law = Callable[[Group], Iterator[Tensor]]

_COLLINEAR = 0.9995  # cosine beyond which slerp is a straight line
_TINY_NORM = 1e-8
_TINY = 1e-6


def linear(group: Group) -> Iterator[Tensor]:
    """sum w_i x_i / sum w_i."""
    weights = [float(each["weight"]) for each in group.each]
    if group.shared["normalize"]:
        total = math.fsum(weights)
        weights = [weight / total for weight in weights]
    for chunk in group.chunks():
        yield _weighted(chunk.inputs, weights)


def _weighted(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """sum w_i x_i, in the first tensor's place; the others are spoilt."""
    total = tensors[0].mul_(weights[0])
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total.add_(tensor.mul_(weight))
    return total


def slerp(group: Group) -> Iterator[Tensor]:
    """From the base (t = 0) to the model (t = 1) along the arc between them."""
    t = float(group.shared["t"])
    products = _products((chunk.base, *chunk.inputs) for chunk in group.chunks())
    norms = [math.sqrt(products[i, i]) for i in range(2)]
    norms = [norm if norm > _TINY_NORM else 1.0 for norm in norms]
    cosine = products.get((0, 1), 0.0) / (norms[0] * norms[1])
    straight = abs(cosine) > _COLLINEAR
    angle = math.acos(0.0 if straight else cosine)
    from_base, from_other = math.sin((1 - t) * angle), math.sin(t * angle)
    for chunk in group.chunks():
        if straight:
            yield _line(chunk, t)
        else:
            sine = math.sin(angle)
            yield _weighted([chunk.base, *chunk.inputs], [from_base / sine, from_other / sine])


def _line(chunk: Chunk, t: float) -> Tensor:
    """From the base to the model: exactly them at the ends, and where both are equal."""
    base, other = chunk.base, chunk.inputs[0]
    step = torch.sub(other, base, out=chunk.scratch("step"))
    if t < 0.5:  # noqa: PLR2004 (from the nearer end)
        return base.add_(step.mul_(t))
    return other.sub_(step.mul_(1 - t))


def _products(chunks: Iterator[Sequence[Tensor]]) -> dict[tuple[int, int], float]:
    """Inner products of all pairs of tensors, each with itself too; chunks are added in fp64."""
    found: dict[tuple[int, int], float] = {}
    for tensors in chunks:
        for i, j in _pairs(len(tensors)):
            inner = float(torch.dot(tensors[i], tensors[j]))
            found[i, j] = found.get((i, j), 0.0) + inner
    return found or dict.fromkeys(_pairs(2), 0.0)


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i, count)]


def _arithmetic(make: Callable[[Group], Sparsifier], *, elect: bool) -> Law:
    """b + lambda sum w_i d_i, of differences made sparse, with or without TIES' election."""

    def law(group: Group) -> Iterator[Tensor]:
        weights = [float(each["weight"]) for each in group.each]
        total = math.fsum(weights)
        divisor = total if abs(total) >= _TINY_NORM else 1.0
        for chunk in thinned(group, make(group)):
            for delta, weight in zip(chunk.inputs, weights, strict=True):
                delta.mul_(weight)
            if elect:
                merged = _elected(chunk, weights, normalize=bool(group.shared["normalize"]))
            else:
                merged = _sum(chunk.inputs)
                if group.shared["normalize"]:
                    merged.div_(divisor)
            if group.shared["lambda"] != 1:
                merged.mul_(float(group.shared["lambda"]))
            yield merged.add_(chunk.base)

    return law


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    for tensor in tensors[1:]:
        tensors[0].add_(tensor)
    return tensors[0]


def _majority(chunk: Chunk) -> Tensor:
    """The sign of the inputs' sum, element by element; 0 counts as +."""
    sign = chunk.scratch("sign").copy_(chunk.inputs[0])
    for tensor in chunk.inputs[1:]:
        sign.add_(tensor)
    return torch.ge(sign, 0, out=sign).mul_(2).sub_(1)


def _elected(chunk: Chunk, weights: Sequence[float], *, normalize: bool) -> Tensor:
    """Add up the weighted inputs that have the sign of the majority.

    With `normalize` divided by the sum of their weights; where none agrees the result is 0.
    """
    sign, agree = _majority(chunk), chunk.scratch("agree")
    total, divisor = chunk.scratch("total").zero_(), chunk.scratch("divisor").zero_()
    for tensor, weight in zip(chunk.inputs, weights, strict=True):
        total.add_(tensor.mul_(sign).clamp_(min=0))  # times the sign, so that only they are left
        if normalize:
            divisor.add_(torch.gt(tensor, 0, out=agree), alpha=weight)
    if normalize:
        divisor.add_(torch.eq(divisor, 0, out=agree))
        total.div_(divisor)
    return total.mul_(sign)


def model_stock(group: Group) -> Iterator[Tensor]:
    """Between the base and the models' mean, at the place that their angles tell."""
    if group.shared["filter_wise"]:
        for chunk in group.deltas(rows=True):
            share = _stock_share(_row_products(chunk.inputs), group.count)
            mean = _sum(chunk.inputs).div_(group.count)
            yield mean.mul_(share).add_(chunk.base)
        return
    products = _products(chunk.inputs for chunk in group.deltas())
    whole = {pair: torch.tensor(value, dtype=torch.float64) for pair, value in products.items()}
    place = float(_stock_share(whole, group.count))
    for chunk in group.deltas():
        mean = _sum(chunk.inputs).div_(group.count)
        yield mean.mul_(place).add_(chunk.base)


def _row_products(rows: Sequence[Tensor]) -> dict[tuple[int, int], Tensor]:
    return {(i, j): (rows[i] * rows[j]).sum(dim=1, keepdim=True) for i, j in _pairs(len(rows))}


def _stock_share(products: Mapping[tuple[int, int], Tensor], count: int) -> Tensor:
    """t of the paper; 0 (the base) where the differences cancel and it has no finite value."""
    cosines = [
        products[i, j] / (products[i, i].sqrt() * products[j, j].sqrt()).clamp(min=_TINY)
        for i, j in combinations(range(count), 2)
    ]
    cosine = torch.stack(cosines).clamp(-1, 1).mean(dim=0)
    divisor = 1 + (count - 1) * cosine
    singular = divisor.abs() < _TINY
    return (count * cosine / divisor.masked_fill(singular, 1)).masked_fill(singular, 0)


def sce(group: Group) -> Iterator[Tensor]:
    """Select by variance, calculate weights, erase minorities."""
    cut = _variance_cut(group)
    squares = [0.0] * group.count
    for chunk in _selected(group, Taker(cut)):
        for number, delta in enumerate(chunk.inputs):
            squares[number] += float(torch.dot(delta, delta))
    means = [square / max(1, group.elements) for square in squares]
    total = math.fsum(means)
    weights = [1 / group.count if total < _TINY else mean / total for mean in means]
    for chunk in _selected(group, Taker(cut)):
        # The election is by the differences; what is added up carries the weights.
        yield _weighed_election(chunk, weights).add_(chunk.base)


def _weighed_election(chunk: Chunk, weights: Sequence[float]) -> Tensor:
    """The mean of the inputs that have the sign of the majority, by weights."""
    sign, agree = _majority(chunk), chunk.scratch("agree")
    total, divisor = chunk.scratch("total").zero_(), chunk.scratch("divisor").zero_()
    for tensor, weight in zip(chunk.inputs, weights, strict=True):
        torch.gt(torch.mul(tensor, sign, out=agree), 0, out=agree).mul_(weight)
        total.add_(tensor.mul_(agree))
        divisor.add_(agree)
    return total.div_(divisor.clamp_(min=_TINY))


def _selected(group: Group, taker: Taker) -> Iterator[Chunk]:
    for chunk in group.deltas():
        mask = taker.mark(fine_keys(_variance(chunk)), chunk.scratch("mask"))
        for delta in chunk.inputs:
            delta.mul_(mask)
        yield chunk


def _variance_cut(group: Group) -> Cut:
    share = float(group.shared["select_topk"])
    varying = 0

    def variances() -> Iterator[Sequence[Tensor]]:
        return ([_variance(chunk)] for chunk in group.deltas())

    if share < 1:
        varying = sum(int(part.count_nonzero()) for [part] in variances())
    wanted = group.elements if share >= 1 else int(varying * share)
    return cuts(variances, [[wanted]], coarse=False)[0][0]


def _variance(chunk: Chunk) -> Tensor:
    """Over the models, of each element."""
    mean = chunk.scratch("mean").copy_(chunk.inputs[0])
    for tensor in chunk.inputs[1:]:
        mean.add_(tensor)
    mean.div_(len(chunk.inputs))
    total, part = chunk.scratch("variance").zero_(), chunk.scratch("part")
    for tensor in chunk.inputs:
        torch.sub(tensor, mean, out=part)
        total.add_(part.mul_(part))
    return total.div_(len(chunk.inputs))


def passthrough(group: Group) -> Iterator[Tensor]:
    """The tensor itself, or a multiple of it."""
    scale = float(group.each[0]["scale"])
    for chunk in group.chunks():
        yield chunk.inputs[0].mul_(scale)


LAWS: Mapping[str, Law] = {
    "linear": linear,
    "slerp": slerp,
    "task_arithmetic": _arithmetic(Everything, elect=False),
    "ties": _arithmetic(Largest, elect=True),
    "dare_linear": _arithmetic(Random, elect=False),
    "dare_ties": _arithmetic(Random, elect=True),
    "della": _arithmetic(Ranked, elect=True),
    "della_linear": _arithmetic(Ranked, elect=False),
    "breadcrumbs": _arithmetic(Largest, elect=False),
    "breadcrumbs_ties": _arithmetic(Largest, elect=True),
    "model_stock": model_stock,
    "sce": sce,
    "passthrough": passthrough,
}
