"""Simulation by compiled code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from zhufeng.hdl import interpret
from zhufeng.hdl.compile._batch import Batch, covered_by, failures_of
from zhufeng.hdl.compile._build import WIDTHS, Kernel, build, most_lanes, worth_trying
from zhufeng.hdl.compile._data import Bytes, packed
from zhufeng.hdl.compile._expose import exposed
from zhufeng.hdl.compile._given import checked_inputs, checked_lanes, checked_outputs, checked_size
from zhufeng.hdl.compile._lower import lowered
from zhufeng.hdl.compile._session import Session
from zhufeng.hdl.compile._state import Keeping, State, origin_of
from zhufeng.hdl.interpret import Failure, Values, anything, given_reset
from zhufeng.hdl.ir import Module, need_module

_BLOCK: Final = 1 << 22
"""Bytes of inputs and outputs that are converted at once."""
_TRIAL_S: Final = 0.002
_TRIALS: Final = 8
_RING: Final = 16
"""Cycles of inputs of a trial."""


@dataclass(frozen=True)
class Run(interpret.Run):
    """What a run gave; of failures, each claim's first one in each lane."""

    end: State = field(kw_only=True)
    """What it leaves, from which another run may go on."""
    code_s: float = field(kw_only=True)
    """CPU seconds of the code itself, without what NumPy does before and behind it."""


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
        self.kernel = self._tried() if lanes is None else self._built(lanes)
        """Its code."""
        self.lanes = self.kernel.lanes
        """How many run side by side; of any number as many at a time."""
        self.keeping = Keeping(origin_of(module), self._low, self.kernel.places)
        """How the code has what the module holds."""

    def _built(self, lanes: int) -> Kernel:
        asked = checked_lanes(self.module, lanes, None, "")
        wide = next((width for width in (1, *WIDTHS) if width >= asked), None)
        if wide is None:
            return self._tried()
        return build(self._low.module, min(wide, most_lanes(self._low.module)))

    def _tried(self) -> Kernel:
        """The fastest of a few."""
        module = self._low.module
        made = [build(module, lanes) for lanes in worth_trying(module)]
        if len(made) == 1:
            return made[0]
        trials = [self._trial(kernel) for kernel in made]
        # In turns, for what else the machine does is no concern of theirs.
        rounds = [[trial() for trial in trials] for _ in range(_TRIALS)]
        costs = [min(each) for each in zip(*rounds, strict=True)]
        return made[costs.index(min(costs))]

    def _trial(self, kernel: Kernel) -> Callable[[], float]:
        """What measures a kernel: CPU seconds of a cycle of a lane."""
        draw = np.random.default_rng(0)
        given = {
            port: packed(
                anything(room.form, (_RING, kernel.lanes, *room.form.shape), draw),
                room,
                kernel.lanes,
            )
            for port, room in kernel.places.inputs.items()
        }
        keeping = Keeping(origin_of(self.module), self._low, kernel.places)
        (state,) = keeping.begun(kernel.lanes, 0, reset=False).batches

        def spent(cycles: int) -> float:
            batch = Batch(kernel, state, 0, (), claims=len(self._low.sites))
            batch.go(given, cycles, ring=_RING)
            return batch.code_s

        cycles = 4
        while spent(cycles) < _TRIAL_S:
            cycles *= 4
        return lambda: spent(cycles) / cycles / kernel.lanes

    def start(self, lanes: int, seed: int | None = 0, *, reset: bool = True) -> State:
        """The state before the first cycle.

        Args:
            lanes: how many simulations.
            seed: draws what nothing has set, differently in each lane; None for 0 instead.
            reset: whether registers stand at their reset values; else they hold anything.

        Raises:
            InputError: `lanes` is no number from 1.
        """
        lanes = checked_lanes(self.module, lanes, None, "")
        return self.keeping.begun(lanes, seed, reset=reset)

    def session(
        self, lanes: int | None = None, *, seed: int = 0, start: State | None = None
    ) -> Session:
        """A simulation to go on with a cycle at a time.

        Args:
            lanes: how many; without it one, or those of `start`.
            seed: draws what nothing has set.
            start: where to begin; without it registers stand as after a reset. With
                ``start(1, reset=False)`` everything holds anything, until a step with a reset.

        Raises:
            InputError: `lanes` is no number from 1, or not that of `start`; `start` is of another
                module.
        """
        count = checked_lanes(
            self.module, lanes, None if start is None else start.lanes, "the state has"
        )
        begin = self.start(count, seed) if start is None else start
        return Session(self, self._recorded, begin, self.lanes)

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
            InputError: inputs, cycles, lanes, outputs, a reset or a state that do not fit.
        """
        given = checked_inputs(self.module, inputs or {})
        length, ring, found = checked_size(self.module, given, cycles)
        rst = np.zeros(1, np.uint8)
        if reset is not None:
            rst = np.array(given_reset(self.module, reset, length), np.uint8)
        count = checked_lanes(self.module, lanes, found, "the inputs have")
        if start is None:
            begin = self.start(count, seed, reset=reset is None)
        else:
            asked = lanes if found is None else found
            checked_lanes(self.module, asked, start.lanes, "the state to start from has")
            begin = start
        wanted = (*checked_outputs(self.module, outputs), *self._recorded.values())
        batches = [
            self._batch(
                (one, begin.cycle),
                number,
                given,
                rst,
                sizes=(length, ring),
                wanted=wanted,
                last=last,
            )
            for number, one in enumerate(self.keeping.taken(begin))
        ]
        return self._gathered(begin, batches, length, wanted)

    def _batch(
        self,
        start: tuple[Bytes, int],
        number: int,
        given: Mapping[str, Values],
        rst: Bytes,
        *,
        sizes: tuple[int, int],
        wanted: Sequence[str],
        last: bool,
    ) -> Batch:
        first, (length, ring) = number * self.lanes, sizes
        here = {port: one[:, first : first + self.lanes] for port, one in given.items()}
        batch = Batch(self.kernel, *start, wanted, claims=len(self._low.sites), last=last)
        rooms = self.kernel.places.inputs
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
        self, begin: State, batches: Sequence[Batch], length: int, wanted: Sequence[str]
    ) -> Run:
        failures: list[Failure] = []
        covered: Counter[str] = Counter()
        outputs: dict[str, list[Values]] = {port: [] for port in wanted}
        for number, batch in enumerate(batches):
            first = number * self.lanes
            lanes = min(self.lanes, begin.lanes - first)
            for port, parts in outputs.items():
                parts.append(batch.output(port, lanes))
            failures += failures_of(self._low.sites, batch.claims, first, lanes)
            for text, count in covered_by(self._low.sites, batch.claims, lanes):
                covered[text] += count
        end = State(
            self.keeping.origin,
            begin.lanes,
            begin.cycle + length,
            keeping=self.keeping,
            batches=tuple(batch.state for batch in batches),
        )
        whole = {port: np.concatenate(parts, 1) for port, parts in outputs.items()}
        recorded = {name: whole.pop(port) for name, port in self._recorded.items()}
        order = sorted(failures, key=lambda one: (one.cycle, one.lane))
        code_s = sum(batch.code_s for batch in batches)
        return Run(whole, recorded, tuple(order), dict(covered), end=end, code_s=code_s)
