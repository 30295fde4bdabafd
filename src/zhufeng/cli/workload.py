"""``zhufeng workload``: captured steps, looked at together."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from zhufeng.base import to_json
from zhufeng.cli._common import Talk, emit_json, emit_table
from zhufeng.workload import FAMILIES, AtlasRow, atlas_row, find_workloads

_NO_TALK = Talk()

app = App(name="workload", help="Captured steps, looked at together.")


@app.command
def atlas(*folders: Path, talk: Talk = _NO_TALK) -> int:
    """Show many workloads side by side: where flops, bytes, zeros and needed bits lie.

    Parameters
    ----------
    folders
        Runs, or folders with workloads anywhere below them.
    """
    talk.begin()
    rows = [atlas_row(workload) for workload in find_workloads(folders)]
    if talk.json:
        emit_json({"workloads": [to_json(row) for row in rows]})
        return 0
    emit_table(
        ["model", "mode", "batch", "parameters", "flops", "bytes", *FAMILIES],
        [
            [*_head(row), *(_share(row.flops_share, row.bytes_share, name) for name in FAMILIES)]
            for row in rows
        ],
    )
    executed = [row for row in rows if row.zeros]
    if executed:
        names = list(dict.fromkeys(name for row in executed for name in row.zeros))
        emit_table(
            ["model: zeros; bits for 1%", *names],
            [[row.model, *(_operand(row, name) for name in names)] for row in executed],
        )
    return 0


def _head(row: AtlasRow) -> list[str]:
    extent = f"{row.batch} x {row.sequence:,}" if row.sequence else f"{row.batch}"
    sizes = (f"{value:.3g}" for value in (row.parameters, row.flops, row.bytes))
    return [row.model, row.mode, extent, *sizes]


def _share(flops: dict[str, float], traffic: dict[str, float], name: str) -> str:
    """Shares of flops and of bytes."""
    if name not in traffic:
        return ""
    return f"{flops.get(name, 0.0):.1%} / {traffic[name]:.1%}"


def _operand(row: AtlasRow, name: str) -> str:
    if name not in row.zeros:
        return ""
    return f"{row.zeros[name]:.1%}; {row.bits_needed[name]:.1f}"
