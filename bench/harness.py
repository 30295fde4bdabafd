"""What every benchmark shares: its flags, its table, its JSON, and how it measures.

``python bench/NAME.py [--quick] [--json]`` prints a table, the machine, versions and seed; with
``--json`` one JSON object on stdout with a flat ``"figures": {name: number}``. A figure that
cannot be computed is null.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure of several runs."""

    value: float | None
    """The median; None where it could not be computed."""
    low: float | None = None
    high: float | None = None
    runs: int = 1


@dataclass(frozen=True)
class Report:
    """Figures, and what is told beside them."""

    figures: Mapping[str, Figure]
    beside: Mapping[str, object] = field(default_factory=dict)
    """As JSON: the models used, a row a file."""


def median(values: Sequence[float]) -> Figure:
    """The median of several runs, with their spread."""
    return Figure(statistics.median(values), min(values), max(values), len(values))


def ratios(above: Sequence[float], below: Sequence[float]) -> Figure:
    """The median of pairwise ratios: each pair was measured side by side."""
    return median([a / b for a, b in zip(above, below, strict=True)])


def cpu_s(work: Callable[[], object]) -> float:
    """CPU time of this process for one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def program_cpu_s(command: Sequence[str | Path], **environment: str) -> float:
    """CPU time of a program, its own children among it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(
    name: str,
    about: str,
    measure: Callable[..., Mapping[str, Figure] | Report],
    *,
    packages: Sequence[str] = (),
    seed: int = 0,
    data: str | None = None,
) -> None:
    """Run a benchmark.

    Args:
        name: its own.
        about: what it measures, for ``--help`` and the table's head.
        measure: called with quick and seed, and with `data` the folder or None; returns the
            figures.
        packages: whose versions are told beside Zhufeng's.
        seed: unless ``--seed`` gives another.
        data: what ``--data DIR`` holds, for ``--help``; None: there is no such flag.
    """
    parser = argparse.ArgumentParser(prog=f"bench/{name}.py", description=about)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seed", type=int, default=seed)
    if data is not None:
        parser.add_argument("--data", type=Path, metavar="DIR", help=data)
    flags = parser.parse_args()
    given = (flags.quick, flags.seed) if data is None else (flags.quick, flags.seed, flags.data)
    measured = measure(*given)
    report = measured if isinstance(measured, Report) else Report(measured)
    told = {
        "bench": name,
        "quick": flags.quick,
        "seed": flags.seed,
        "machine": machine(),
        "versions": {p: metadata.version(p) for p in ("zhufeng", *packages)},
        **report.beside,
        "figures": {key: figure.value for key, figure in report.figures.items()},
        "spread": {key: [f.low, f.high, f.runs] for key, f in report.figures.items()},
    }
    sys.stdout.write(json.dumps(told, indent=1) + "\n" if flags.json else _table(about, told))


def machine() -> dict[str, str | int]:
    """What the benchmark ran on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _table(about: str, told: Mapping[str, object]) -> str:
    figures, spread = told["figures"], told["spread"]
    assert isinstance(figures, dict)
    assert isinstance(spread, dict)
    lines = [about, ""]
    for key, value in figures.items():
        low, high, runs = spread[key]
        shown = "none" if value is None else f"{value:.4g}"
        between = f"{low:.4g} to {high:.4g}, {runs} runs" if low is not None else ""
        lines.append(f"  {key:<28} {shown:>10}   {between}")
    lines.append("")
    for key, value in told.items():
        if key in {"bench", "figures", "spread"}:
            continue
        rows = [f"  {row}" for row in value] if isinstance(value, list) else []
        lines += [f"{key}:", *rows] if rows else [f"{key}: {value}"]
    return "\n".join(lines) + "\n"
