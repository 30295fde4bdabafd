"""The atlas: many workloads side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zhufeng.base import InputError, record
from zhufeng.records import Workload, read_workload
from zhufeng.workload._summary import (
    operands_by_role,
    products_flops,
    work_by_family,
)

_FILE = "workload.json"


@record
class AtlasRow:
    """One workload; shares are of its own total."""

    model: str
    mode: str
    batch: int
    sequence: int | None
    parameters: int
    flops: int
    bytes: int
    gradients: str
    flops_in_products: float
    flops_share: dict[str, float]
    """By family of work."""
    bytes_share: dict[str, float]
    zeros: dict[str, float]
    """By role and side ("forward left"), where it was executed."""
    skippable: dict[str, float]
    """Share of pairs of 16x16 tiles that need no work, by role."""
    bits_needed: dict[str, float]
    """Mean width for a relative error of 1%, by role and side."""


def atlas_row(workload: Workload) -> AtlasRow:
    """A workload in one row."""
    work = work_by_family(workload)
    flops, traffic = workload.flops, sum(one.bytes for one in work.values())
    operands = {f"{role} {side}": one for (role, side), one in operands_by_role(workload).items()}
    return AtlasRow(
        model=workload.model,
        mode=workload.mode,
        batch=workload.batch,
        sequence=workload.sequence,
        parameters=workload.parameters,
        flops=flops,
        bytes=traffic,
        gradients=workload.gradients,
        flops_in_products=products_flops(workload) / max(flops, 1),
        flops_share={n: one.flops / max(flops, 1) for n, one in work.items()},
        bytes_share={n: one.bytes / max(traffic, 1) for n, one in work.items()},
        zeros={name: one.zeros for name, one in operands.items()},
        skippable={name.split()[0]: one.skippable for name, one in operands.items()},
        bits_needed={name: one.bits_needed.get("0.01", 0.0) for name, one in operands.items()},
    )


def find_workloads(folders: Sequence[Path]) -> Iterator[Workload]:
    """The workloads in these folders: a workload's own, an artifact's, or a run's.

    Raises:
        InputError: a folder holds none.
    """
    for folder in folders:
        found = sorted(path.parent for path in folder.rglob(_FILE))
        # What an unfinished or replaced artifact holds does not count.
        whole = [f for f in found if not _is_hidden(f.relative_to(folder))]
        if not whole:
            raise InputError(
                f"{folder} holds no workload",
                expected=f"a run with a traced model, or a folder with a {_FILE}",
                came="a folder without one" if folder.is_dir() else "no folder",
                do="trace a model first: zhufeng trace MODEL -o RUN",
            )
        yield from map(read_workload, whole)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
