"""What members' bits make of each way to answer: the rows of the table, in bits a byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from fusion_union.router import Router
from zhufeng.fusion.mix import Member, mix, split

Row = Mapping[str, float]
"""Bits a byte by set, and their mean, in which each set weighs alike."""
MEAN = "mean"
BEST_SINGLE = "best_single"
"""The member that is best on the mean."""


@dataclass(frozen=True)
class Scored:
    """One document under several members."""

    text: str
    bits: NDArray[np.float64]
    """Shape (members, chunks)."""

    @property
    def bytes(self) -> int:
        """Of its UTF-8."""
        return len(self.text.encode())


Sets = Mapping[str, Sequence[Scored]]


def scored(members: Sequence[Member], texts: Sequence[str]) -> list[Scored]:
    """Ask each member about each text."""
    found = []
    for text in texts:
        chunks = split(text)
        found.append(Scored(text, np.stack([member.score(chunks) for member in members])))
    return found


def picked(sets: Sets, members: Sequence[int]) -> dict[str, list[Scored]]:
    """The same documents under some of the members."""
    own = list(members)
    return {name: [Scored(one.text, one.bits[own]) for one in docs] for name, docs in sets.items()}


def row(sets: Sets, bits: Callable[[Scored], float]) -> dict[str, float]:
    """A row, of the bits that a way to answer takes for a document."""
    found = {
        name: sum(map(bits, docs)) / sum(one.bytes for one in docs) for name, docs in sets.items()
    }
    return {**found, MEAN: mean(found.values())}


def single(member: int) -> Callable[[Scored], float]:
    """One member says everything."""
    return lambda one: float(one.bits[member].sum())


def oracle(one: Scored) -> float:
    """For each document the member that is best on it, known beforehand."""
    return float(one.bits.sum(axis=1).min())


def uniform(one: Scored) -> float:
    """Each chunk from all members with equal weights, which never change."""
    return float((np.log2(len(one.bits)) - np.logaddexp2.reduce(-one.bits, axis=0)).sum())


def mixture(one: Scored) -> float:
    """Each chunk from all members with weights learned from the chunks before it."""
    return float(mix(one.bits).mixture_bits.sum())


def routed(learned: Sequence[Scored]) -> Callable[[Scored], float]:
    """For each document the member that the router chooses, which has learned from these."""
    best = [int(one.bits.sum(axis=1).argmin()) for one in learned]
    router = Router([one.text for one in learned], best, len(learned[0].bits))
    return lambda one: float(one.bits[router.choose(one.text)].sum())


def table_rows(
    sets: Sets,
    router: Sequence[Scored],
    names: Sequence[str],
    variants: Mapping[str, Sequence[str]],
) -> dict[str, Row]:
    """Every row of the table.

    Args:
        sets: the documents that are scored, by set, under everybody in `names`.
        router: those that the router learns from, under the same.
        names: of all members and students; each has a row.
        variants: who is fused: a prefix of rows' names, and the members.
    """
    rows: dict[str, Row] = {name: row(sets, single(place)) for place, name in enumerate(names)}
    for prefix, members in variants.items():
        places = [names.index(name) for name in members]
        own, learned = picked(sets, places), picked({"": router}, places)[""]
        ways = {
            "uniform": uniform,
            "router": routed(learned),
            "oracle": oracle,
            "mixture": mixture,
        }
        rows[prefix + BEST_SINGLE] = min((rows[name] for name in members), key=lambda r: r[MEAN])
        rows |= {prefix + name: row(own, way) for name, way in ways.items()}
    return rows
