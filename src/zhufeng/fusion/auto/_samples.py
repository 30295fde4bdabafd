"""Whether two models come from one: a few rows of their matrices, compared.

Models tuned from one base keep nearly its weights: their cosine is close to 1. Two trainings from
different beginnings end in weights as unrelated as two random draws: their cosine is close to 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zhufeng.base import InputError, record, shown
from zhufeng.fusion.auto._members import Member
from zhufeng.fusion.auto._weights import FLOATS, read_rows

_TENSORS = 8
_ROWS = 16
_SAME_BASE = 0.5
"""Cosines of tunings lie above 0.9, of strangers within some hundredths of 0: all between is
further training of unusual length, and above one half still more alike than not."""


@record
class Likeness:
    """Two models' sampled rows."""

    cosine: float
    """Of their weights; the mean over the tensors."""
    difference: float
    """Norm of the difference over the first's norm; the mean over the tensors."""
    deltas: float | None = None
    """Cosine of what each has learned since the base, where one is given: 1 where both learned
    the same, 0 where what they learned does not meet."""
    rows: int

    @property
    def related(self) -> bool:
        """Whether a common base is likely."""
        return self.cosine >= _SAME_BASE

    @property
    def equal(self) -> bool:
        """Whether every sampled row is the same."""
        return self.difference == 0


def compare_rows(first: Member, second: Member, base: Member | None) -> Likeness | None:
    """Sample rows of both; None where they have no matrix of floating-point numbers in common.

    Args:
        first: of the same shapes as `second`.
        second: the other.
        base: from which both may have been tuned; left out where its shapes differ or it is
            quantised.

    Raises:
        InputError: a sampled row has numbers that are not finite.
    """
    if base is not None and (base.shapes != first.shapes or set(base.dtypes) - FLOATS.keys()):
        base = None
    names = [name for name in sorted(first.shapes) if _comparable(name, first, second)]
    chosen = [names[i] for i in _spread(len(names), _TENSORS)]
    if not chosen:
        return None
    cosines, differences, deltas, count = [], [], [], 0
    for name in chosen:
        wanted = _spread(first.shapes[name][0], _ROWS)
        one, two = (_rows(member, name, wanted) for member in (first, second))
        cosines.append(_cosine(one, two))
        differences.append(float((one - two).norm() / one.norm().clamp_min(1e-300)))
        count += len(wanted)
        if base is not None:
            origin = _rows(base, name, wanted)
            deltas.append(_cosine(one - origin, two - origin))
    return Likeness(
        cosine=_mean(cosines),
        difference=_mean(differences),
        deltas=_mean(deltas) if deltas else None,
        rows=count,
    )


def _rows(member: Member, name: str, wanted: Sequence[int]) -> Tensor:
    rows = read_rows(member.weights, name, wanted)
    if not rows.isfinite().all():
        raise InputError(
            f"{member.name} has lost its weights",
            expected="finite numbers",
            came=f"others in {shown(name)}",
            do="take a checkpoint from before its training diverged",
        )
    return rows


def _comparable(name: str, *members: Member) -> bool:
    matrix = len(members[0].shapes[name]) == 2  # noqa: PLR2004 (rows and columns)
    return matrix and all(member.tensors[name].dtype in FLOATS for member in members)


def _spread(count: int, most: int) -> list[int]:
    """At most so many indices, evenly spread."""
    taken = min(count, most)
    return [i * count // taken for i in range(taken)]


def _cosine(one: Tensor, two: Tensor) -> float:
    norms = float(one.norm() * two.norm())
    return float(torch.sum(one * two)) / norms if norms else float(torch.equal(one, two))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
