"""All tiles, by everything that computes them, compared."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from formats_tiles.draw import ROWS, STEP, Words, tiles
from formats_tiles.opinions import Opinion, by_golden, by_host, different, told
from formats_tiles.played import Players, interpreted, simulated
from formats_tiles.ways import MODES, PARTS, Mode, way
from simulation.verilator_rival import Workshop, verilators
from zhufeng.base import track
from zhufeng.formats.blocks import WIDTHS

_PROCESSES: Final = 2
_SIMULATED_PARTS: Final = 5
_VERILATOR, _INTERPRETER = "Verilator", "the interpreter"
_TOLD: Final = 3
"""Differences of a task that are told."""


@dataclass(frozen=True)
class Plan:
    """How many tiles of each mode."""

    drawn: int = 2500
    """In each part."""
    simulated: int = 120
    """Of them, in each of the first parts, those that Verilator plays too;"""
    simulated_recorded: int = 25
    """and of the recorded ones."""
    interpreted: int = 16
    """Those of the first part that the interpreter plays too."""


@dataclass(frozen=True)
class Task:
    """Tiles that are quantised in one way."""

    mode: Mode
    part: int
    seed: tuple[int, ...]
    count: int
    simulated: int = 0
    """How many of them, from the first one on, Verilator plays,"""
    interpreted: int = 0
    """and the interpreter."""
    simulator: Players | None = None
    recorded: Words | None = None
    """The tiles, (2, count, 16, 32); drawn without them."""


@dataclass(frozen=True)
class Done:
    """What came out of a task."""

    tiles: int
    different: int
    """Those of which any two say different things."""
    recorded: bool
    simulated: int
    interpreted: int
    told: tuple[str, ...]
    """The first differences."""
    cpu_s: float


def run(task: Task) -> Done:
    """Ask everyone and compare."""
    begin = _cpu_s()
    rng = np.random.default_rng(task.seed)
    how = way(task.mode, task.part, rng)
    a, b = tiles(rng, task.count, how.steps) if task.recorded is None else task.recorded
    others = {"the compiled functions": by_host(a, b, how)}
    if task.simulator is not None and task.simulated:
        part = slice(task.simulated)
        others[_VERILATOR] = task.simulator(a[part], b[part], how)
    if task.interpreted:
        part = slice(task.interpreted)
        others[_INTERPRETER] = interpreted(how.a.bits)(a[part], b[part], how)
    wrong, lines = judged(by_golden(a, b, how), others)
    where = f"{how}, seed {list(task.seed)}"
    asked = {who: len(one["out"]) for who, one in others.items()}
    return Done(
        tiles=task.count,
        different=int(wrong.sum()),
        recorded=task.recorded is not None,
        simulated=asked.get(_VERILATOR, 0),
        interpreted=asked.get(_INTERPRETER, 0),
        told=tuple(f"{line}: {where}" for line in lines[:_TOLD]),
        cpu_s=_cpu_s() - begin,
    )


def judged(truth: Opinion, others: Mapping[str, Opinion]) -> tuple[NDArray[np.bool_], list[str]]:
    """Which tiles anyone sees otherwise, and how; opinions may be of the first tiles alone."""
    wrong = np.zeros(len(truth["out"]), np.bool_)
    lines = []
    for who, opinion in others.items():
        part = slice(len(opinion["out"]))
        same = {name: one[part] for name, one in truth.items()}
        wrong[part] |= different(same, opinion)
        lines += [f"the golden model and {who}: {line}" for line in told(same, opinion)]
    return wrong, lines


def campaign(plan: Plan, recorded: Words, seed: int) -> list[Done]:
    """Everything, in two processes.

    Args:
        plan: how much.
        recorded: tiles of a training step; each is quantised in every mode.
        seed: of what is drawn.
    """
    with tempfile.TemporaryDirectory(prefix="zhufeng-formats-") as name:
        workshop, verilator = Workshop(Path(name)), verilators()[0]
        simulators = {
            bits: simulated(bits, workshop, verilator)
            for bits in track(WIDTHS, "builds by Verilator")
        }
        every = list(tasks(plan, recorded, simulators, seed))
        _compile_all()
        with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
            return list(track(pool.map(run, every), "parts of the tiles", len(every)))


def _compile_all() -> None:
    """Compile what every task needs, for later: two processes must not do it at the same time."""
    for mode, part in product(MODES, range(PARTS)):
        how = way(mode, part, np.random.default_rng(0))
        nothing = np.zeros((1, ROWS, how.steps * STEP), np.uint32)
        by_host(nothing, nothing, how)


def tasks(
    plan: Plan, recorded: Words, simulators: Mapping[int, Players], seed: int
) -> Iterator[Task]:
    """Of each mode: the recorded tiles, then those that are drawn, part by part."""
    for number, mode in enumerate(MODES):
        player, own = simulators[mode.bits], (seed, number)
        yield Task(
            *(mode, 0, (*own, PARTS), recorded.shape[1]),
            simulated=plan.simulated_recorded,
            simulator=player,
            recorded=recorded,
        )
        for part in range(PARTS):
            yield Task(
                *(mode, part, (*own, part), plan.drawn),
                simulated=plan.simulated if part < _SIMULATED_PARTS else 0,
                interpreted=plan.interpreted if part == 0 else 0,
                simulator=player,
            )


def _cpu_s() -> float:
    """Of this process and the programs that it has run."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
