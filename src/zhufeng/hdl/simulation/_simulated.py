"""A run in blocks, so that it may be as long as it likes."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import track
from zhufeng.hdl.compile import Run, Simulator, State
from zhufeng.hdl.interpret import Failure, Values
from zhufeng.hdl.ir import Form, Module
from zhufeng.hdl.simulation._arrays import narrow, write_arrays
from zhufeng.hdl.simulation._stimuli import Stimulus

_BLOCK_VALUES: Final = 1 << 21
"""Of inputs and outputs together: 16 MiB of them in 8 bytes each."""
Watch = Callable[[int, Mapping[str, Values], Run], None]
"""Takes the first cycle of a block, its inputs, [cycles, lanes, ...], and what came of them."""
Start = Callable[[Simulator], State]
"""Gives the state that a simulator begins with."""


@dataclass(frozen=True)
class Simulated:
    """What a run gave."""

    cycles: int
    lanes: int
    checksums: NDArray[np.uint32]
    """Of each lane, over all outputs of all cycles: CRC-32 of their values in order."""
    last: Mapping[str, Values]
    """Each output in the last cycle, [lanes, ...]."""
    failures: tuple[Failure, ...]
    """Of each claim that did not hold the first cycle in each lane."""
    covered: Mapping[str, int]
    """How often each cover point was true, over lanes."""
    code_s: float
    """CPU seconds of the compiled code, its inputs and outputs in memory."""
    cpu_s: float
    """Those, and what it takes to have the values from arrays of NumPy and in arrays."""
    end: State


def simulated(
    simulator: Simulator,
    stimulus: Stimulus,
    start: State,
    *,
    reset: Sequence[int] | None = None,
    watch: Sequence[Watch] = (),
    what: str = "simulating",
) -> Simulated:
    """Simulate all of a stimulus.

    Args:
        simulator: of the design.
        stimulus: what it is given.
        start: where it begins.
        reset: `rst` in each cycle, of a design that has it.
        watch: are shown every block.
        what: the work, for its progress.
    """
    module = simulator.module
    block = block_cycles(module, stimulus.lanes)
    sums = _Sums(module, stimulus.lanes)
    failures: dict[tuple[str, str, str, str, int], Failure] = {}
    covered: Counter[str] = Counter()
    code_s, cpu_s, state, last = 0.0, 0.0, start, {}
    for first in track(range(0, stimulus.cycles, block), what):
        cycles = min(block, stimulus.cycles - first)
        given = stimulus.block(first, cycles)
        rst = None if reset is None else reset[first : first + cycles]
        begin = time.process_time()
        run = simulator.run(
            given, None if given else cycles, reset=rst, start=state, lanes=stimulus.lanes
        )
        cpu_s += time.process_time() - begin
        code_s += run.code_s
        state, last = run.end, {port: values[-1] for port, values in run.outputs.items()}
        for one in run.failures:
            failures.setdefault((one.kind, one.text, one.path, one.where, one.lane), one)
        covered.update(run.covered)
        sums.add(run.outputs)
        for one_watch in watch:
            one_watch(first, given, run)
    found = sorted(failures.values(), key=lambda one: (one.cycle, one.lane))
    return Simulated(
        stimulus.cycles,
        stimulus.lanes,
        sums.found,
        last,
        tuple(found),
        dict(covered),
        code_s,
        cpu_s,
        state,
    )


def block_cycles(module: Module, lanes: int) -> int:
    """How many cycles to take at a time."""
    forms = (*module.inputs.values(), *output_forms(module).values())
    values = sum(form.size * -(-form.width // 64) for form in forms)
    return max(1, _BLOCK_VALUES // max(1, values * lanes))


def output_forms(module: Module) -> dict[str, Form]:
    """What each output is."""
    return {port: module.form(value) for port, value in module.outputs.items()}


class Kept:
    """A `Watch` that keeps all outputs."""

    def __init__(self, module: Module) -> None:
        """Begin with none."""
        self._forms = output_forms(module)
        self._parts: dict[str, list[Values]] = {port: [] for port in self._forms}

    def __call__(self, _: int, __: Mapping[str, Values], run: Run) -> None:
        """A block of cycles."""
        for port, parts in self._parts.items():
            parts.append(narrow(run.outputs[port], self._forms[port]))

    def write(self, path: Path) -> None:
        """Write a .npz file: each output, [cycles, lanes, ...], of the dtype that just holds it.

        What has more than 64 bits has words of 64 as its last axis, the lowest first.

        Raises:
            OSError: the system refuses.
        """
        write_arrays(path, {port: np.concatenate(parts) for port, parts in self._parts.items()})


class _Sums:
    """A checksum of each lane."""

    def __init__(self, module: Module, lanes: int) -> None:
        self._forms = output_forms(module)
        self._parts = {port: [0] * lanes for port in self._forms}
        self._lanes = lanes

    def add(self, outputs: Mapping[str, Values]) -> None:
        """Some cycles more, [cycles, lanes, ...]."""
        for port, parts in self._parts.items():
            values = np.ascontiguousarray(
                np.moveaxis(narrow(outputs[port], self._forms[port]), 1, 0)
            )
            for lane in range(self._lanes):
                parts[lane] = zlib.crc32(values[lane].data, parts[lane])

    @property
    def found(self) -> NDArray[np.uint32]:
        """So far, by lane."""
        rows = np.array(list(self._parts.values()), "<u4").reshape(-1, self._lanes)
        return np.array([zlib.crc32(row.tobytes()) for row in rows.T], np.uint32)
