"""Simulation by compiled code."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl import interpret
from zhufeng.hdl.compile._build import WIDTHS, Kernel, build
from zhufeng.hdl.compile._data import Bytes, aligned, packed, unpacked
from zhufeng.hdl.compile._expose import exposed
from zhufeng.hdl.compile._lower import lowered
from zhufeng.hdl.compile._state import State, begun
from zhufeng.hdl.interpret import Failure, Values, given_inputs, given_reset, given_size
from zhufeng.hdl.ir import Module, need_module

_BLOCK: Final = 1 << 22
"""Bytes of inputs and outputs that are converted at once."""
_TRIED: Final = (16, 32, 64)
_TRIAL_S: Final = 0.002
Claims = NDArray[np.int64]


@dataclass(frozen=True)
class Run(interpret.Run):
    """What a run gave; of failures, each claim's first one in each lane."""

    end: State = field(default_factory=lambda: State(0, ()))
    """What it leaves, from which another run may go on."""


def compile(  # noqa: A001
    module: Module, lanes: int | None = None, *, record: Sequence[str] = ()
) -> Simulator:
    """Make a module into code of this machine.

    Args:
        module: of the IR.
        lanes: how many simulations run side by side: 1; or more, which is rounded up to 8, 16, 32
            or 64. Without it a short trial tells what is best.
        record: values to keep, by name, those of an instance as ``instance.value``.

    Raises:
        InputError: there is no such value.
    """
    return Simulator(module, lanes, record)


class Simulator:
    """A module as code of this machine."""

    def __init__(self, module: Module, lanes: int | None, record: Sequence[str]) -> None:
        need_module(module)
        self.module = module
        whole, self._recorded = exposed(module, record)
        self._low = lowered(whole)
        self._kernel = self._tried() if lanes is None else self._built(lanes)
        self.lanes = self._kernel.lanes
        """How many run side by side; of any number as many at a time."""

    def _built(self, lanes: int) -> Kernel:
        wide = next((width for width in (1, *WIDTHS) if width >= lanes), None)
        return self._tried() if wide is None else build(self._low.module, wide)

    def _tried(self) -> Kernel:
        """The fastest of a few."""
        return min((build(self._low.module, lanes) for lanes in _TRIED), key=self._cost)

    def _cost(self, kernel: Kernel) -> float:
        """CPU seconds of a cycle of a lane."""
        draw = np.random.default_rng(0)
        given = {
            port: packed(
                draw.integers(0, 2, (1, kernel.lanes, *room.form.shape)), room, kernel.lanes
            )
            for port, room in kernel.places.inputs.items()
        }
        (state,) = begun(self._low, kernel.places, kernel.lanes, 0, reset=True).batches
        cycles, spent = 1, 0.0
        while spent < _TRIAL_S:
            cycles *= 4
            batch = _Batch(self._low.module, kernel, state, 0, outputs=())
            begin = time.process_time()
            batch.go(given, cycles, ring=1)
            spent = time.process_time() - begin
        return spent / cycles / kernel.lanes

    def start(self, lanes: int, seed: int = 0, *, reset: bool = True) -> State:
        """The state before the first cycle.

        Args:
            lanes: how many simulations.
            seed: draws what nothing has set, differently in each lane.
            reset: whether registers stand at their reset values; else they hold anything.
        """
        return begun(self._low, self._kernel.places, lanes, seed, reset=reset)

    def run(
        self,
        inputs: Mapping[str, Values] | None = None,
        cycles: int | None = None,
        *,
        lanes: int | None = None,
        outputs: Sequence[str] | None = None,
        last: bool = False,
        reset: Sequence[int] | None = None,
        seed: int = 0,
        start: State | None = None,
    ) -> Run:
        """Simulate.

        Args:
            inputs: each input, [cycles, lanes, ...] of integers that fit; where they are shorter
                than the run, they begin again.
            cycles: how many; without it, as many as the inputs have.
            lanes: how many, where there are no inputs to tell.
            outputs: which are wanted; without it, all. What is recorded comes with them.
            last: whether they are wanted of the last cycle only.
            reset: `rst` in each cycle, 0 or 1, the same in all lanes: then everything starts with
                anything. Without it nothing is reset, and registers start as after a reset.
            seed: draws what nothing has set.
            start: what another run has left; without it, from the start.

        Raises:
            InputError: inputs, cycles or a reset that do not fit.
        """
        given = given_inputs(self.module, inputs or {})
        ring, found = given_size(self.module, given, None if given else cycles)
        length = ring if cycles is None else cycles
        rst = np.zeros(1, np.uint8)
        if reset is not None:
            rst = np.array(given_reset(self.module, reset, length), np.uint8)
        named = tuple(self.module.outputs) if outputs is None else tuple(outputs)
        wanted = (*named, *self._recorded.values())
        begin = start or self.start(lanes or found, seed, reset=reset is None)
        batches = [
            self._batch(begin, number, given, rst, sizes=(length, ring), wanted=wanted, last=last)
            for number in range(len(begin.batches))
        ]
        return self._gathered(begin, batches, length, wanted)

    def _batch(
        self,
        begin: State,
        number: int,
        given: Mapping[str, Values],
        rst: Bytes,
        *,
        sizes: tuple[int, int],
        wanted: Sequence[str],
        last: bool,
    ) -> _Batch:
        first, (length, ring) = number * self.lanes, sizes
        here = {port: one[:, first : first + self.lanes] for port, one in given.items()}
        batch = _Batch(
            self._low.module, self._kernel, begin.batches[number], begin.cycle, wanted, last=last
        )
        rooms = self._kernel.places.inputs
        if length > ring:
            packed_ring = {p: packed(here[p], room, self.lanes) for p, room in rooms.items()}
            batch.go(packed_ring, length, ring=ring, rst=rst)
            return batch
        block = max(1, _BLOCK // max(1, sum(room.bytes for room in rooms.values())))
        for at in range(0, length, block):
            some = {
                p: packed(here[p][at : min(at + block, length)], room, self.lanes)
                for p, room in rooms.items()
            }
            size = min(block, length - at)
            batch.go(some, size, ring=size, rst=rst[at:] if rst.size > 1 else rst)
        return batch

    def _gathered(
        self, begin: State, batches: Sequence[_Batch], length: int, wanted: Sequence[str]
    ) -> Run:
        failures: list[Failure] = []
        covered: Counter[str] = Counter()
        outputs: dict[str, list[Values]] = {port: [] for port in wanted}
        for number, batch in enumerate(batches):
            first = number * self.lanes
            lanes = min(self.lanes, begin.lanes - first)
            for port, parts in outputs.items():
                parts.append(batch.output(port, lanes))
            failures += self._failures(batch.claims, first, lanes)
            for site, (_, counts) in zip(self._low.sites, batch.claims, strict=True):
                if site.kind == "cover":
                    covered[f"{site.path}: {site.text}"] += int(counts[:lanes].sum())
        end = State(begin.lanes, tuple(b.state for b in batches), begin.cycle + length)
        whole = {port: np.concatenate(parts, 1) for port, parts in outputs.items()}
        recorded = {name: whole.pop(port) for name, port in self._recorded.items()}
        order = sorted(failures, key=lambda one: (one.cycle, one.lane))
        return Run(whole, recorded, tuple(order), dict(covered), end)

    def _failures(self, claims: Claims, first: int, lanes: int) -> Iterator[Failure]:
        for site, (cycles, _) in zip(self._low.sites, claims, strict=True):
            if site.kind == "cover":
                continue
            for lane in np.flatnonzero(cycles[:lanes] >= 0).tolist():
                yield Failure(
                    int(cycles[lane]), first + lane, site.kind, site.text, site.path, site.where
                )


class _Batch:
    """As many simulations as run side by side."""

    def __init__(
        self,
        module: Module,
        kernel: Kernel,
        start: Bytes,
        cycle: int,
        outputs: Sequence[str],
        *,
        last: bool = True,
    ) -> None:
        self._kernel = kernel
        self._cycle = cycle
        self._last = last
        self.state = aligned(len(start))
        self.state[:] = start
        self.claims: Claims = np.zeros((len(module.claims), 2, kernel.lanes), np.int64)
        self.claims[:, 0] = -1
        self._scratch = aligned(kernel.places.scratch_bytes)
        self._parts: dict[str, list[Bytes]] = {port: [] for port in outputs}

    def go(
        self, given: Mapping[str, Bytes], cycles: int, *, ring: int, rst: Bytes | None = None
    ) -> None:
        """Some cycles more.

        Args:
            given: each input, [cycles, bytes of a cycle].
            cycles: how many.
            ring: after how many the inputs begin again.
            rst: a byte for each of them, or one for all.
        """
        places, rst = self._kernel.places, np.zeros(1, np.uint8) if rst is None else rst
        table = [n for data in given.values() for n in (data.ctypes.data, data.shape[1])]
        held = []
        for port, room in places.outputs.items():
            kept = port in self._parts
            rows = cycles if kept and not self._last else 1
            data = aligned(rows * room.bytes).reshape(rows, -1)
            held.append(data)
            table += [data.ctypes.data, data.shape[1] if rows > 1 else 0]
            if kept:
                self._parts[port] = [data] if self._last else [*self._parts[port], data]
        pointers = np.array(table, np.int64)
        self._kernel.code.run(
            self.state.ctypes.data,
            self._scratch.ctypes.data,
            pointers.ctypes.data,
            rst.ctypes.data,
            self.claims.ctypes.data,
            cycles,
            self._cycle,
            0,
            ring,
            int(rst.size > 1),
            places.doubled * (self._cycle % 2),
        )
        self._cycle += cycles

    def output(self, port: str, lanes: int) -> Values:
        """What an output was, [cycles, lanes, ...]."""
        room = self._kernel.places.outputs[port]
        every = [unpacked(data, room, self._kernel.lanes, lanes) for data in self._parts[port]]
        return np.concatenate(every) if every else np.zeros((0, lanes, *room.form.shape), np.int64)
