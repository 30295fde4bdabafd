"""What is told of a contest beside the figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulation.contest import Contest, Rate, need_same
from simulation.others import every
from simulation.ours import WithArrays
from simulation.verilator_rival import simulate

_ARRAY_CYCLES = 2000


@dataclass(frozen=True)
class Row:
    """A speed."""

    design: str
    what: str
    cycles_per_s: float
    """The median."""
    low: float
    high: float

    def __str__(self) -> str:
        """For the table."""
        low, high = self.low / 1e6, self.high / 1e6
        return (
            f"{self.design:<6} {self.what:<56} {self.cycles_per_s / 1e6:>9.4g}"
            f"   ({low:.4g} to {high:.4g})"
        )

    def over(self, other: Rate) -> float:
        """The ratio of medians."""
        return self.cycles_per_s / other.median


def speeds(found: Contest) -> Iterator[Row]:
    """Ours and every way of Verilator, the fastest first."""
    name = found.design.name
    yield _row(name, f"ours, {found.width} lanes", found.lanes)
    yield _row(name, "ours, single", found.single)
    ways = sorted(found.ways.items(), key=lambda one: -one[1].median)
    for (built, call), rate in ways:
        kept = ", loops kept" if built.loops else ""
        yield _row(name, f"{built.verilator.name}, {built.source}{kept}, {call}", rate)
    yield _row(name, "stimulus alone, as in Verilator", found.generator)


def with_arrays(found: Contest, runs: int) -> Row:
    """Ours with inputs from arrays of NumPy and outputs into them."""
    seeds = found.seeds[: found.width]
    arrays = WithArrays(found.design, seeds)
    each = []
    for _ in range(runs):
        spent, sums = arrays.cpu_s(_ARRAY_CYCLES)
        each.append(len(seeds) * _ARRAY_CYCLES / spent)
    built, _ = found.best("eval")
    truth = simulate(built, seeds, _ARRAY_CYCLES).sums
    need_same(f"{found.design.name}, arrays", [sums], truth)
    return _row(found.design.name, f"ours, {len(seeds)} lanes, NumPy in and out", Rate(tuple(each)))


def others(found: Contest, cycles: int, few: int, folder: Path) -> tuple[list[Row], list[str]]:
    """What else simulates, on a single stimulus; and why some do not."""
    rows, missing = [], []
    name, seeds = found.design.name, found.seeds[0]
    built, _ = found.best("eval")
    for what, count, came in every(found.design, seeds, cycles, few, folder):
        if isinstance(came, str):
            missing.append(f"{name}: {what}: {came}")
            continue
        speed, sums = came
        need_same(f"{name}, {what}", [sums[None]], simulate(built, seeds[None], count).sums)
        rows.append(Row(name, what, speed, speed, speed))
    return rows, missing


def builds(found: Contest) -> Iterator[str]:
    """Compile times beside Verilator's builds, and when they pay; lines of the table."""
    name = found.design.name
    best, _ = found.best("eval")
    for which, compiled in found.compiled.items():
        read = statistics.median(one.read_s for one in compiled)
        whole = statistics.median(one.process_s for one in compiled)
        mine = found.build_s(which)
        yield (
            f"{name}, {which}: {mine:.3f} s from the IR"
            f"{f', of it {read:.3f} s to read Verilog' if found.design.traced is None else ''}"
            f" ({whole:.2f} s with Python and imports); over Verilator's build "
            f"{mine / best.build_s:.3f} (the fastest way), "
            f"{mine / found.fastest_build_s:.3f} (the fastest build)"
        )
        alone = found.pays_after(which, against_build=False)
        beyond = found.pays_after(which, against_build=True)
        yield (
            f"{name}, {which}: pays for its compile after {_cycles(alone)}; "
            f"beyond Verilator's build after {_cycles(beyond)}"
        )
    ways = {built for built, _ in found.ways}
    for built in sorted(ways, key=lambda one: one.build_s):
        yield (
            f"{built.name}: {built.build_s:.2f} s, of it Verilator {built.verilate_s:.2f} s, "
            f"the compiler {built.compile_s:.2f} s"
        )


def _cycles(count: float) -> str:
    return "never" if math.isinf(count) else f"{count:,.0f} cycles"


def _row(design: str, what: str, rate: Rate) -> Row:
    each: Sequence[float] = rate.each
    return Row(design, what, float(np.median(each)), min(each), max(each))
