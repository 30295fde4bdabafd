"""What documents cost: each member, members of equal weight, an oracle, and the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhufeng.fusion.mix import Mixed, Mixture

Bits = NDArray[np.float64]

EQUAL, ORACLE, MIXTURE = "equal weights", "the best for each document", "mixture"
MEAN = "mean"


@dataclass(frozen=True)
class Scored:
    """A document that all members have scored."""

    text_bytes: int
    """Of its UTF-8."""
    mixed: Mixed

    @property
    def member_bits(self) -> Bits:
        """The whole document, of each member; shape (members,)."""
        return np.asarray(self.mixed.bits.sum(1))

    @property
    def equal_bits(self) -> float:
        """Of members whose weights stay equal."""
        together = np.logaddexp2.reduce(-self.mixed.bits, axis=0) - np.log2(len(self.mixed.bits))
        return float(-together.sum())

    @property
    def mixture_bits(self) -> float:
        """Of the mixture."""
        return float(self.mixed.mixture_bits.sum())

    @property
    def contributed_bits(self) -> Bits:
        """Each member's share of what the mixture gains over 8 bits a byte; shape (members,).

        A chunk's gain is shared by responsibilities, the weights after it by Bayes' rule.
        """
        mixed = self.mixed
        shares = mixed.weights * np.exp2(mixed.mixture_bits - mixed.bits)
        gains = 8.0 * np.array([len(one.encode()) for one in mixed.chunks]) - mixed.mixture_bits
        return np.asarray(shares @ gains)


@dataclass(frozen=True)
class Table:
    """Bits a byte by rows; columns are sets of documents, and their mean."""

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]


def score(mixture: Mixture, documents: Sequence[str]) -> list[Scored]:
    """Score documents, each from its beginning.

    Raises:
        InputError: all members fail.
    """
    return [Scored(len(one.encode()), mixture.score(one)) for one in documents]


def tabulate(names: Sequence[str], sets: Mapping[str, Sequence[Scored]]) -> Table:
    """Bits a byte of each member, of all with equal weights, of the best one for each document (an
    oracle: it is known from the document itself), and of the mixture.

    Args:
        names: of the members.
        sets: scored documents, at least one a set.
    """
    rows: dict[str, list[float]] = {name: [] for name in (*names, EQUAL, ORACLE, MIXTURE)}
    for documents in sets.values():
        members = np.stack([one.member_bits for one in documents])
        costs = [
            *members.sum(0),
            sum(one.equal_bits for one in documents),
            members.min(1).sum(),
            sum(one.mixture_bits for one in documents),
        ]
        size = sum(one.text_bytes for one in documents)
        for row, cost in zip(rows.values(), costs, strict=True):
            row.append(float(cost) / size)
    return Table(
        columns=(*sets, MEAN),
        rows={name: (*row, float(np.mean(row))) for name, row in rows.items()},
    )
