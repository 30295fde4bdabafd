"""Regressions: random inputs in many lanes, what fails in them, and what they cover."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from zhufeng.base import (
    InputError,
    derive_seed,
    generator,
    parse,
    read_json,
    sha256_json,
    to_json,
    track,
    write_durable,
)
from zhufeng.hdl.compile import Run, State
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Module, below, print_ir
from zhufeng.hdl.simulation import resets_of
from zhufeng.hdl.verify._bench import Bench, ClaimName
from zhufeng.hdl.verify._coverage import Coverage, CoverPoint, merge, toggles_of
from zhufeng.hdl.verify._draw import Drawing, Knob
from zhufeng.hdl.verify._failure import Failure, failure_of
from zhufeng.hdl.verify._report import ClaimCount, Report, SeedResult
from zhufeng.hdl.verify._shrink import Shrinker
from zhufeng.hdl.verify._trials import Stimulus, Trials

_APART: Final = 50
"""Cycles between resets in mid run, on average at least so many."""


def regress(
    design: Module,
    *,
    stimulus: Module | None = None,
    monitor: Module | None = None,
    knobs: Mapping[str, Knob] | None = None,
    streams: Mapping[str, str] | None = None,
    resets: Mapping[str, int] | None = None,
    seeds: int | Sequence[int] = 8,
    lanes: int = 64,
    cycles: int = 1000,
    reset_cycles: int = 2,
    reset_again: bool = True,
    toggles: bool = True,
    ledger: Path | None = None,
) -> Report:
    """Simulate a design with random inputs, in every lane of every seed others.

    A lane ends in the cycle in which an assumption of the design, its stimulus or its monitor
    fails: nothing in it counts from that cycle on, until the next reset. Inputs that are streams
    (``x_valid`` with an output ``x_ready``) keep their rule: what is offered and not taken is
    offered still.

    Args:
        design: of the IR.
        stimulus: a module that gives inputs of the design, by name; its own inputs are random.
        monitor: a module that takes inputs and outputs of the design, by name: a model of it with
            assertions.
        knobs: what is known of inputs, by name.
        streams: for each input that is a stream's valid, the output that is its ready; {} for none.
        resets: inputs that reset, and the bit with which they do; without it, those that are
            called like one: ``rst`` or ``reset_n``.
        seeds: how many, from 0 on; or which.
        lanes: how many runs a seed has.
        cycles: of each, those of the reset among them.
        reset_cycles: with which each run begins, from anything in all registers.
        reset_again: whether some seeds, or lanes where the reset is an input, are reset in mid run.
        toggles: whether bits of registers and ports are watched.
        ledger: a folder in which each seed's result is kept, so that a run that is killed goes on.

    Raises:
        InputError: names or numbers that do not fit the design.
    """
    _need(lanes, cycles, reset_cycles)
    bench = Bench(design, stimulus, monitor, streams=streams, toggles=toggles)
    named = {one.port: int(not one.low) for one in resets_of(bench.whole)}
    levels = named if resets is None else resets
    drawing = Drawing(bench.inputs, knobs or {}, levels, reset_cycles)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen:
        raise InputError(
            "the seeds of a regression",
            expected="one or more",
            came=str(seeds) if isinstance(seeds, int) else "none",
            do="write seeds=8, or --seeds 8",
        )
    regression = Regression(bench, drawing, lanes, cycles, again=reset_again)
    results = [
        regression.kept(seed, ledger) for seed in track(chosen, f"verifying {design.name}, seeds")
    ]
    return regression.report(results)


def _need(lanes: int, cycles: int, reset_cycles: int) -> None:
    if lanes < 1 or reset_cycles < 1 or cycles <= reset_cycles:
        raise InputError(
            "the size of a regression",
            expected="a lane or more, a cycle of reset or more, and more cycles than that",
            came=f"{lanes} lanes, {reset_cycles} cycles of reset, {cycles} cycles",
            do="write lanes=64, cycles=1000, reset_cycles=2",
        )


@dataclass(frozen=True)
class Regression:
    """A design's bench, and how it is driven."""

    bench: Bench
    drawing: Drawing
    lanes: int
    cycles: int
    again: bool
    """Whether there are resets in mid run."""

    def kept(self, seed: int, ledger: Path | None) -> SeedResult:
        """What comes of a seed; read from the ledger where it is there."""
        if ledger is None:
            return self.run(seed)
        path = ledger / f"seed-{seed}.json"
        if path.exists():
            known = parse(SeedResult, read_json(path), str(path))
            if known.of == self._key:
                return known
        result = self.run(seed)
        write_durable(path, json.dumps(to_json(result), indent=1).encode() + b"\n")
        return result

    @cached_property
    def _key(self) -> str:
        knobs = {port: to_json(knob) for port, knob in self.drawing.knobs.items()}
        how = [knobs, dict(self.drawing.resets), self.drawing.reset_cycles]
        return sha256_json([print_ir(self.bench.whole), how, self.lanes, self.cycles, self.again])

    def run(self, seed: int) -> SeedResult:
        """Simulate one seed."""
        inputs, reset = self._given(seed)
        state = self._start(seed)
        begins = _segments(reset)
        counts = _Counts(self.bench, self._key, seed, self.lanes)
        for begin, end in zip(begins, [*begins[1:], self.cycles], strict=True):
            run = self.bench.simulator.run(
                {port: values[begin:end] for port, values in inputs.items()},
                end - begin,
                lanes=self.lanes,
                outputs=(),
                last=True,
                reset=reset[begin:end],
                start=state,
            )
            counts.add(run, end)
            state = run.end
        return counts.result()

    def _given(self, seed: int) -> tuple[dict[str, Values], list[int]]:
        stream = derive_seed(seed, "verify")
        inputs = self.drawing.drawn(self.cycles, self.lanes, stream, again=self.again)
        return inputs, self._schedule(stream)

    def _schedule(self, stream: int) -> list[int]:
        """`rst` in each cycle: at the start, and in every second seed again."""
        first = self.drawing.reset_cycles
        reset = [int(cycle < first) for cycle in range(self.cycles)]
        modules = below(self.bench.plain)
        known = any(one.reset is not None for each in modules for one in each.registers.values())
        draw = generator(stream, "resets")
        # An input that resets does so by itself, in some lanes.
        if self.again and known and not self.drawing.resets and draw.integers(2):
            for _ in range(min(2, self.cycles // (2 * _APART))):
                at = int(draw.integers(first + 1, self.cycles - 1))
                size = int(draw.integers(1, first + 1))
                reset[at : at + size] = [1] * len(reset[at : at + size])
        return reset

    def _start(self, seed: int) -> State:
        return self.bench.simulator.start(self.lanes, derive_seed(seed, "start"), reset=False)

    def report(self, results: Sequence[SeedResult]) -> Report:
        """All seeds together, and what failed in them made small."""
        claims = tuple(
            _together(same) for same in zip(*(one.claims for one in results), strict=True)
        )
        failed = [one for one in claims if one.kind == "assert" and one.first]
        return Report(
            design=self.bench.design.name,
            seeds=tuple(one.seed for one in results),
            lanes=self.lanes,
            cycles=self.cycles,
            claims=claims,
            coverage=merge(one.coverage for one in results),
            failures=tuple(self.shrunk(one) for one in failed),
            lost_lanes=sum(one.lost_lanes for one in results),
            lost_cycles=sum(one.lost_cycles for one in results),
        )

    def shrunk(self, count: ClaimCount) -> Failure:
        """The least sequence that makes a claim fail."""
        assert count.first is not None
        cycle, seed, lane = count.first
        claim = ClaimName(count.kind, count.path, count.text, count.where)
        inputs, reset = self._given(seed)
        found = Stimulus({port: v[:, lane] for port, v in inputs.items()}, tuple(reset))
        start = self._start(seed).lane(lane)
        shrinker = Shrinker(Trials(self.bench, claim, start), self.drawing)
        least = shrinker.least(found.of(slice(0, cycle + 1)))
        assert least is not None, "what has failed once fails again"
        return failure_of(self.bench, claim, (seed, lane, cycle), least, start)


def _segments(reset: Sequence[int]) -> list[int]:
    """Where runs begin: what counts toggles forgets them in a reset."""
    return [n for n, rst in enumerate(reset) if rst and (n == 0 or not reset[n - 1])]


class _Counts:
    """What one seed comes to."""

    def __init__(self, bench: Bench, key: str, seed: int, lanes: int) -> None:
        self._key = key
        self._bench = bench
        self._seed = seed
        self._first: dict[ClaimName, dict[int, int]] = {claim: {} for claim in bench.claims}
        self._hits: dict[str, int] = {}
        self._toggles: list[Coverage] = []
        self._lost = np.zeros(lanes, bool)
        self._lost_cycles = 0

    def add(self, run: Run, end: int) -> None:
        """A run from one reset to the next, that ends before a cycle."""
        broken: dict[int, int] = {}
        for one in run.failures:
            claim = self._bench.named(one)
            if claim.kind == "assume":
                broken.setdefault(one.lane, one.cycle)
            self._first[claim].setdefault(one.lane, one.cycle)
        self._lost[list(broken)] = True
        self._lost_cycles += sum(end - cycle for cycle in broken.values())
        for name, hits in run.covered.items():
            shown = self._bench.covered(name)
            self._hits[shown] = self._hits.get(shown, 0) + hits
        self._toggles.append(self._coverage(run))

    def _coverage(self, run: Run) -> Coverage:
        toggles = toggles_of(self._bench.watches, run.recorded)
        return Coverage(design=self._bench.design.name, points=(), toggles=toggles)

    def result(self) -> SeedResult:
        """All of it."""
        points, claims = [], []
        for claim, lanes in self._first.items():
            first = min(((cycle, lane) for lane, cycle in lanes.items()), default=None)
            parts = {"path": claim.path, "text": claim.text, "where": claim.where}
            if claim.kind == "cover":
                hits = self._hits.get(str(claim), 0)
                point = CoverPoint(**parts, hits=hits, first=first and (self._seed, first[0]))
                points.append(point)
            else:
                told = first and (first[0], self._seed, first[1])
                claims.append(ClaimCount(kind=claim.kind, **parts, lanes=len(lanes), first=told))
        return SeedResult(
            of=self._key,
            seed=self._seed,
            claims=tuple(claims),
            coverage=replace(merge(self._toggles), points=tuple(points)),
            lost_lanes=int(self._lost.sum()),
            lost_cycles=self._lost_cycles,
        )


def _together(same: tuple[ClaimCount, ...]) -> ClaimCount:
    firsts = (one.first for one in same if one.first)
    return replace(same[0], lanes=sum(one.lanes for one in same), first=min(firsts, default=None))
