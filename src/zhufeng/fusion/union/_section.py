"""Fused models on the run's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zhufeng.fusion.mix import Mixed
from zhufeng.fusion.union._fuse import MIXED, Fused
from zhufeng.fusion.union._table import MEAN, MIXTURE, ORACLE, contributed
from zhufeng.report import Block, Figures, Section, Table, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def fuse_section(fused: Fused) -> Section:
    """The table, who contributed what, and whom the mixture trusts along a document."""
    rows, columns = fused.table.rows, fused.table.columns
    name, bits = fused.best or ("none can say all of them", None)
    mixture = _told(rows[MIXTURE][-1])
    figures = {
        "members": f"{len(fused.names)}",
        "best member": _told(bits),
        "best for each document": _told(rows[ORACLE][-1]),
        "mixture": mixture,
    }
    blocks: list[Block] = [
        Figures(figures=figures),
        Table(
            columns=("bits a byte", *columns),
            rows=tuple((name, *map(_rounded, row)) for name, row in rows.items()),
            caption="What every text takes, by member and by ways of asking all of them. Weights "
            "of the mixture are learned chunk by chunk from what was read before. The best member "
            "for each document is known only afterwards.",
        ),
        _contributions(fused),
    ]
    if MIXED in fused.sets:
        blocks.append(_weights(fused.names, fused.sets[MIXED][0]))
    return Section(
        title="Fusion",
        summary=f"{len(fused.names)} models with tokenizers of their own answered as one: in the "
        f"{MEAN} of {len(columns) - 1} sets of texts {mixture}, the best of them alone ({name}) "
        f"{_told(bits)}.",
        blocks=tuple(blocks),
    )


def _told(bits: float | None) -> str:
    return "unknown" if bits is None else f"{bits:.3f} bits a byte"


def _rounded(bits: float | None) -> float | None:
    return None if bits is None else round(bits, 3)


def _contributions(fused: Fused) -> Table:
    rows: list[tuple[str | int, ...]] = []
    for name, documents in fused.sets.items():
        bits = contributed(documents)
        rows.append((name, *map(round, bits), round(sum(bits))))
    return Table(
        columns=("bits contributed", *fused.names, "all"),
        rows=tuple(rows),
        caption="Of what the mixture gains over 8 bits a byte, each member's part: in every chunk "
        "by its weight after it. By such parts income can be shared.",
    )


def _weights(names: Sequence[str], document: Mixed) -> Block:
    """The weights before each chunk, over the document's bytes."""
    weights = document.weights
    ends = np.cumsum([len(chunk.encode()) for chunk in document.chunks])
    begins = np.concatenate(([0], ends[:-1]))

    def draw(axes: Axes) -> None:
        axes.stackplot(begins, weights, labels=list(names), step="post", alpha=0.85)
        axes.set_xlim(0, float(begins[-1]))
        axes.set_ylim(0, 1)
        axes.set_xlabel("bytes read")
        axes.set_ylabel("weight")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(names))

    return plot(
        draw,
        alt="Weights of the members along a document whose domain changes",
        caption="Whom the mixture trusts along the first of the documents that change their domain",
    )
