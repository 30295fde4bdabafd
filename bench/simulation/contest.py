"""Ours and Verilator on a design, side by side, and whether they compute the same."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from simulation.design import Design
from simulation.ours import Compiled, Ours, time_to_compile
from simulation.stimulus import Sums, Words, inputs_of, seeds_of
from simulation.verilator_rival import Built, Call, Verilator, Workshop, simulate

LANES = 64  # more than any trial chooses from
_TOGGLED = 4000
"""Cycles in which every control must have been 0 and 1."""


@dataclass(frozen=True)
class Effort:
    """How much is run."""

    rounds: int
    """Runs of everything, in turns."""
    lane_cycles: int
    """Of a run of ours with lanes; every one is also run in Verilator."""
    cycles: int
    """Of a run of ours with a single stimulus, and of Verilator."""
    compilations: int


@dataclass(frozen=True)
class Rate:
    """Cycles a second of CPU time, those of all lanes together, in each round."""

    each: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.each)

    def over(self, other: Rate) -> tuple[float, float, float]:
        """The ratio of the medians, and the least and the largest of a round's."""
        ratios = [a / b for a, b in zip(self.each, other.each, strict=True)]
        return self.median / other.median, min(ratios), max(ratios)


@dataclass(frozen=True)
class Contest:
    """What came out for a design."""

    design: Design
    seeds: Words
    """[LANES, generators]"""
    lanes: Rate
    single: Rate
    ways: Mapping[tuple[Built, Call], Rate]
    """Every way of Verilator."""
    generator: Rate
    """Its generators alone."""
    compiled: Mapping[str, Sequence[Compiled]]
    """Each time for "lanes" and for "single"."""

    def best(self, call: Call) -> tuple[Built, Rate]:
        """Verilator's fastest way of a call."""
        found = {built: rate for (built, how), rate in self.ways.items() if how == call}
        return max(found.items(), key=lambda one: one[1].median)

    @property
    def width(self) -> int:
        """Lanes that the trial chose."""
        return self.compiled["lanes"][0].lanes

    @property
    def fastest_build_s(self) -> float:
        """The least CPU time in which Verilator and its compiler made one of its ways."""
        return min(built.build_s for built, _ in self.ways)

    def build_s(self, which: str) -> float:
        """The median of our compilations, what has to be read among it."""
        return statistics.median(one.build_s for one in self.compiled[which])

    def pays_after(self, which: str, *, against_build: bool) -> float:
        """The cycles, of all lanes together, after which ours has saved what it took to compile.

        Args:
            which: "lanes" or "single".
            against_build: whether only what it takes beyond Verilator's build has to be saved.

        Returns:
            infinity where Verilator's cycles are faster.
        """
        rate = self.lanes if which == "lanes" else self.single
        built, theirs = self.best("eval")
        cost = self.build_s(which) - (built.build_s if against_build else 0)
        saved = 1 / theirs.median - 1 / rate.median
        return max(0, cost / saved) if saved > 0 else math.inf


def contest(
    design: Design, workshop: Workshop, tools: Sequence[Verilator], effort: Effort, seed: int
) -> Contest:
    """Build, compile, run in turns and compare every lane's checksum.

    Args:
        design: which.
        workshop: builds.
        tools: Verilator, every one.
        effort: how much is run.
        seed: draws the generators' start values.
    """
    seeds = seeds_of(design.drives, LANES, seed)
    compiled = {
        "lanes": [time_to_compile(design, None) for _ in range(effort.compilations)],
        "single": [time_to_compile(design, 1) for _ in range(effort.compilations)],
    }
    width = statistics.mode(one.lanes for one in compiled["lanes"])
    lanes, single = (Ours(design, count, seeds) for count in (width, 1))
    need_toggling(design, lanes.seeds)
    calls: tuple[Call, ...] = ("eval", "inner")
    ways = [(built, call) for built in workshop.every_way(design, tools) for call in calls]
    sums: list[Sums] = []

    def theirs(built: Built, call: Call) -> float:
        done = simulate(built, seeds[:1], effort.cycles, call)
        sums.append(done.sums)
        return done.cpu_s

    cycles = effort.lane_cycles // lanes.lanes
    entries: dict[object, tuple[int, Callable[[], float]]] = {
        "lanes": (cycles * lanes.lanes, lambda: lanes.cpu_s(cycles)),
        "single": (effort.cycles, lambda: single.cpu_s(effort.cycles)),
        "generator": (
            effort.cycles,
            lambda: simulate(ways[0][0], seeds[:1], effort.cycles, "generator-only").cpu_s,
        ),
        **{way: (effort.cycles, partial(theirs, *way)) for way in ways},
    }
    rates = in_turns(entries, effort.rounds)
    found = Contest(
        design,
        seeds,
        rates["lanes"],
        rates["single"],
        {way: rates[way] for way in ways},
        rates["generator"],
        compiled,
    )
    judge = found.best("eval")[0]
    need_same(f"{design.name}, ways of Verilator", sums[1:], sums[0])
    need_same(f"{design.name}, single", [single.sums], sums[0])
    truth = simulate(judge, lanes.seeds, cycles).sums
    need_same(f"{design.name}, lanes", [lanes.sums], truth)
    return found


def in_turns(
    entries: Mapping[object, tuple[int, Callable[[], float]]], rounds: int
) -> dict[object, Rate]:
    """Run all, one after another, again and again: what else the machine does meets them all.

    Args:
        entries: how many cycles a run has, and a run, which gives CPU seconds.
        rounds: how often.
    """
    each = [
        {name: cycles / run() for name, (cycles, run) in entries.items()} for _ in range(rounds)
    ]
    return {name: Rate(tuple(one[name] for one in each)) for name in entries}


def need_same(what: str, found: Sequence[Sums], truth: Sums) -> None:
    """Stop the bench where checksums differ: what computes something else is not compared."""
    for one in found:
        if not np.array_equal(one, truth):
            raise RuntimeError(f"{what}: checksums differ")


def need_toggling(design: Design, seeds: Words) -> None:
    """Stop the bench where lanes are alike, or a control stands still in one."""
    if len(np.unique(seeds, axis=0)) < len(seeds):
        raise RuntimeError(f"{design.name}: two lanes are alike")
    inputs = inputs_of(design.drives, seeds, _TOGGLED)
    for drive in design.drives:
        both = inputs[drive.port].min(0) < inputs[drive.port].max(0)
        if not both.all():
            raise RuntimeError(f"{design.name}: {drive.port} stands still in a lane")
