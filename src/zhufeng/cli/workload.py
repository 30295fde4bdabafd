"""``zhufeng workload``: captured steps, looked at together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cyclopts import App

from zhufeng.base import to_json
from zhufeng.cli._common import Talk, emit, emit_json, emit_table
from zhufeng.report import si
from zhufeng.workload import FAMILIES, AtlasRow, atlas_row, find_workloads

_NO_TALK = Talk()

app = App(name="workload", help="Captured steps, looked at together.")


@app.command
def atlas(folder: Path, *folders: Path, talk: Talk = _NO_TALK) -> int:
    """Show many workloads side by side: where flops, bytes, zeros and needed bits lie.

    Parameters
    ----------
    folder
        A run, or a folder with workloads anywhere below it.
    folders
        More of them.
    """
    talk.begin()
    rows = [atlas_row(workload) for workload in find_workloads([folder, *folders])]
    if talk.json:
        emit_json({"workloads": [to_json(row) for row in rows]})
        return 0
    emit_table(["model", "mode", "batch", "parameters", "flops", "bytes"], [_head(r) for r in rows])
    emit("\nflops by sort of work\n")
    _emit_shares(rows, [row.flops_share for row in rows])
    emit("\nbytes by sort of work\n")
    _emit_shares(rows, [row.bytes_share for row in rows])
    _emit_operands([row for row in rows if row.zeros])
    return 0


def _head(row: AtlasRow) -> list[str]:
    extent = f"{row.batch} x {row.sequence:,}" if row.sequence else f"{row.batch}"
    return [row.model, row.mode, extent, *map(si, (row.parameters, row.flops, row.bytes))]


def _emit_shares(rows: Sequence[AtlasRow], shares: Sequence[Mapping[str, float]]) -> None:
    there = [name for name in FAMILIES if any(share.get(name) for share in shares)]
    lines = [
        [row.model, *(f"{share[name]:.1%}" if share.get(name) else "" for name in there)]
        for row, share in zip(rows, shares, strict=True)
    ]
    emit_table(["model", *there], lines)


def _emit_operands(rows: Sequence[AtlasRow]) -> None:
    """What was executed: a line a role and side."""
    if not rows:
        return
    emit("\noperands of matrix products\n")
    emit_table(
        ["model", "operand", "zeros", "tile pairs to skip", "bits for 1%"],
        [
            [
                row.model,
                name.replace("_", " "),
                f"{zeros:.1%}",
                f"{row.skippable[name.split()[0]]:.1%}",
                f"{row.bits_needed[name]:.1f}",
            ]
            for row in rows
            for name, zeros in row.zeros.items()
        ],
    )
