"""How fast hardware is simulated, beside Verilator at its best.

The designs (`simulation/catalogue.py`): systolic arrays of 8 x 8 and 16 x 16 int8 elements, a dot
unit of 16 bf16 products accumulated in fp32, and a small in-order CPU in plain Verilog with a
program that works on data of its own in every lane. A xorshift stimulus and a checksum for each
element of an output are compiled in on both sides. Everything is CPU time on one core; both run in
turns, and the ratio is that of the medians.

- lanes_NAME: lane-cycles a second of ours, with as many lanes as a trial chose, over the cycles a
  second of Verilator by the fastest of its ways, through its public `eval`.
- single_NAME: the same with a single stimulus.
- build_ratio_worst: CPU time to compile ours in a new process with an empty cache, from the IR (the
  CPU: from its Verilog), the trial of lanes counted, over that of Verilator's fastest build; of the
  worst design.
- edit_to_verified: a line of the 16 x 16 array changes; until 10,000 random vectors of 1,000 cycles
  are verified against a product of matrices, everything counted: CPU time with Verilator and C++
  over that of ours with NumPy (`simulation/edit`).

Every lane's checksum must be that of a run of Verilator, every control must toggle in every lane,
and no two lanes may be alike: else the bench stops. A full run writes
``bench/results/simulate.json`` and a figure of all rows beside it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import Figure, Report, machine, main, median
from simulation import host
from simulation.catalogue import NAMES, design
from simulation.contest import Contest, Effort, contest
from simulation.edit import times
from simulation.figure import figure
from simulation.rows import Row, builds, others, speeds, with_arrays
from simulation.verilator_rival import Workshop, verilators
from zhufeng.base import write_durable

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Plan:
    """How much is run."""

    effort: Effort
    edits: int
    others: Sequence[str]
    """The designs on which other simulators run; CXXRTL alone takes minutes to build one."""
    cycles: int
    """Of other simulators that compile,"""
    few: int
    """and of those that interpret."""


QUICK = Plan(Effort(11, 8_000_000, 400_000, 2), 3, ("sa8", "dot16", "cpu"), 100_000, 300)
FULL = Plan(Effort(11, 30_000_000, 1_000_000, 5), 7, NAMES, 300_000, 1000)


def measure(quick: bool, seed: int) -> Report:
    """All figures."""
    plan = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="zhufeng-simulate-") as name:
        folder = Path(name)
        (folder / "workshop").mkdir()
        workshop, tools = Workshop(folder / "workshop"), verilators()
        contests = {}
        for which in NAMES:
            contests[which] = contest(design(which), workshop, tools, plan.effort, seed + 1)
            _say(f"{which}: ours and Verilator")
        rows, missing = _rows(contests, plan, folder)
        ratio, edits = _edits(contests["sa16"], workshop, folder / "bytecode", plan.edits, seed)
    report = Report(
        {**_ratios(contests), **_build_ratio(contests), "edit_to_verified": ratio},
        {
            "checked": [_checked(one, plan.effort) for one in contests.values()],
            "million cycles a second": list(map(str, rows)),
            "over Verilator's inner evaluation": [_inner(one) for one in contests.values()],
            "compile": [line for one in contests.values() for line in builds(one)],
            "not run": missing,
            "edit to verified": edits,
            "functions over arrays, G elements a second; calls, microseconds": host.told(seed),
        },
    )
    if not quick:
        _write(report, rows, seed)
    return report


def _rows(contests: Mapping[str, Contest], plan: Plan, folder: Path) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    missing: list[str] = []
    for name, found in contests.items():
        rows += speeds(found)
        rows.append(with_arrays(found, plan.effort.rounds))
        if name not in plan.others:
            missing.append(f"{name}: other simulators: in the full run only")
            continue
        place = folder / f"others-{name}"
        place.mkdir()
        more, absent = others(found, plan.cycles, plan.few, place)
        rows += more
        missing += absent
        _say(f"{name}: other simulators")
    return rows, missing


def _ratios(contests: Mapping[str, Contest]) -> dict[str, Figure]:
    """The medians' ratio; low and high are those of single rounds."""
    figures = {}
    for which in ("lanes", "single"):
        for name, found in contests.items():
            rate = found.lanes if which == "lanes" else found.single
            value, low, high = rate.over(found.best("eval")[1])
            figures[f"{which}_{name}"] = Figure(value, low, high, len(rate.each))
    return figures


def _build_ratio(contests: Mapping[str, Contest]) -> dict[str, Figure]:
    worst = max(
        ([one.build_s / found.fastest_build_s for one in compiled], found.build_s(which))
        for found in contests.values()
        for which, compiled in found.compiled.items()
    )
    return {"build_ratio_worst": median(worst[0])}


def _inner(found: Contest) -> str:
    built, rate = found.best("inner")
    lanes, single = found.lanes.over(rate)[0], found.single.over(rate)[0]
    return f"{found.design.name}: lanes {lanes:.3g}, single {single:.3g} ({built.name})"


def _checked(found: Contest, effort: Effort) -> str:
    cycles = effort.lane_cycles // found.width
    return (
        f"{found.design.name}: {found.width} lanes, all different, each with the checksums of its "
        f"run in Verilator after {cycles:,} cycles; every input moves in each"
    )


def _edits(
    found: Contest, workshop: Workshop, bytecode: Path, rounds: int, seed: int
) -> tuple[Figure, list[str]]:
    """Verilator's CPU time over ours, in turns."""
    # Of the ways to build it, the one that should be done first.
    cycles = times.VECTORS * times.CYCLES
    ways = {
        built: built.build_s + cycles / rate.median
        for (built, call), rate in found.ways.items()
        if call == "eval" and built.source == "hand-written"
    }
    way = min(ways, key=lambda one: ways[one])
    ours, theirs = [], []
    times.ours(bytecode, found.width, seed, vectors=found.width)
    for _ in range(rounds):
        ours.append(times.ours(bytecode, found.width, seed))
        theirs.append(times.verilators(workshop, way.verilator, seed, loops=way.loops))
        if len({one.found for one in (ours[-1], theirs[-1])}) > 1 or not ours[-1].found.all_right:
            raise RuntimeError(f"edit to verified: {ours[-1]}, {theirs[-1]}")
    mine, others_ = (median([one.cpu_s for one in each]) for each in (ours, theirs))
    run = median([one.run_s for one in theirs])
    assert mine.value is not None
    assert others_.value is not None
    each = [b.cpu_s / a.cpu_s for a, b in zip(ours, theirs, strict=True)]
    told = [
        f"ours, {found.width} lanes: {_spread(mine)}",
        f"{way.name}: {_spread(others_)}, of it the run {_spread(run)}",
        f"{times.VECTORS:,} vectors of {times.CYCLES:,} cycles right in both, with the same sums",
    ]
    _say("edit to verified")
    return Figure(others_.value / mine.value, min(each), max(each), rounds), told


def _spread(figure_: Figure) -> str:
    return f"{figure_.value:.3f} s ({figure_.low:.3f} to {figure_.high:.3f})"


def _write(report: Report, rows: Sequence[Row], seed: int) -> None:
    told = {
        "command": f"python bench/simulate.py --seed {seed}",
        "machine": machine(),
        "figures": {key: one.value for key, one in report.figures.items()},
        "spread": {key: [one.low, one.high, one.runs] for key, one in report.figures.items()},
        "rows": [asdict(row) for row in rows],
        **report.beside,
    }
    write_durable(RESULTS / "simulate.json", (json.dumps(told, indent=1) + "\n").encode())
    write_durable(RESULTS / "simulate.svg", figure(rows).encode())


def _say(what: str) -> None:
    sys.stderr.write(f"{what}: done\n")


if __name__ == "__main__":
    main("simulate", __doc__ or "", measure, packages=("verilator", "llvmlite", "numpy"))
