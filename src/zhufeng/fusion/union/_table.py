"""What documents cost: each member, members of equal weight, an oracle, and the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zhufeng.fusion.ledger import contributions
from zhufeng.fusion.mix import Mixed, scores_of

EQUAL, ORACLE, MIXTURE = "equal weights", "the best for each document", "mixture"
MEAN = "mean"
_Bits = float | None


@dataclass(frozen=True)
class Table:
    """Bits a byte by rows; columns are sets of documents, and their mean, where each weighs alike.

    None where a document of the set cannot be said.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[_Bits, ...]]


def tabulate(names: Sequence[str], sets: Mapping[str, Sequence[Mixed]]) -> Table:
    """Bits a byte of each member, of all with equal weights, of the best one for each document (an
    oracle: it is known from the document itself), and of the mixture.

    Args:
        names: of the members.
        sets: scored documents, at least one a set.
    """
    scores = [scores_of(names, documents) for documents in sets.values()]
    rows: dict[str, list[_Bits]] = {
        **{name: [one.members[name] for one in scores] for name in names},
        EQUAL: [one.uniform for one in scores],
        ORACLE: [one.oracle for one in scores],
        MIXTURE: [one.mixture for one in scores],
    }
    return Table((*sets, MEAN), {name: (*row, _mean(row)) for name, row in rows.items()})


def contributed(documents: Sequence[Mixed]) -> list[float]:
    """Each member's share of what the mixture gains over 8 bits a byte, in bits."""
    parts = [
        contributions(len(chunk.encode()), bits.tolist(), weights.tolist())
        for mixed in documents
        for chunk, bits, weights in zip(mixed.chunks, mixed.bits.T, mixed.weights.T, strict=True)
    ]
    return [sum(one) for one in zip(*parts, strict=True)]


def _mean(row: Sequence[_Bits]) -> _Bits:
    known = [one for one in row if one is not None]
    return sum(known) / len(known) if len(known) == len(row) else None
