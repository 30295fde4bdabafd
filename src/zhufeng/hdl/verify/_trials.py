"""Inputs cycle by cycle, for one lane, and many of them tried side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zhufeng.hdl.compile import State
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.verify._bench import Bench, ClaimName


@dataclass(frozen=True)
class Stimulus:
    """What is given to a design."""

    inputs: Mapping[str, Values]
    """Each input, [cycles, ...]."""
    reset: tuple[int, ...]
    """`rst` in each cycle."""

    def __len__(self) -> int:
        return len(self.reset)

    def of(self, cycles: Sequence[int] | slice) -> Stimulus:
        """Some of its cycles."""
        rows = np.arange(len(self))[cycles if isinstance(cycles, slice) else list(cycles)]
        return Stimulus(
            {port: values[rows] for port, values in self.inputs.items()},
            tuple(self.reset[row] for row in rows),
        )

    def with_value(self, port: str, place: tuple[int, ...], value: int) -> Stimulus:
        """With another value of an input: in a cycle, of an element."""
        values = self.inputs[port].copy()
        values[place] = value
        return replace(self, inputs={**self.inputs, port: values})


class Trials:
    """Tells of sequences whether a claim fails."""

    def __init__(self, bench: Bench, claim: ClaimName, start: State) -> None:
        """All begin from the same.

        Args:
            bench: what is run.
            claim: of it.
            start: of one lane.
        """
        self._bench = bench
        self._claim = claim
        self._start = start
        self._starts: dict[int, State] = {}

    def failing(self, candidates: Sequence[Stimulus]) -> list[int | None]:
        """The cycle of each in which the claim fails, with no assumption broken up to then."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, one in enumerate(candidates):
            groups.setdefault(_schedule(one), []).append(number)
        found: list[int | None] = [None] * len(candidates)
        for numbers in groups.values():
            some = self._tried([candidates[number] for number in numbers])
            for number, cycle in zip(numbers, some, strict=True):
                found[number] = cycle
        return found

    def _tried(self, candidates: Sequence[Stimulus]) -> list[int | None]:
        cycles = max(map(len, candidates))
        lanes = 1 << (len(candidates) - 1).bit_length()
        longest = max(candidates, key=len)
        inputs = {}
        for port, form in self._bench.inputs.items():
            kind = longest.inputs[port].dtype
            inputs[port] = np.zeros((cycles, lanes, *form.shape), kind)
            for lane, one in enumerate(candidates):
                inputs[port][: len(one), lane] = one.inputs[port]
        run = self._bench.simulator.run(
            inputs,
            cycles,
            lanes=lanes,
            outputs=(),
            last=True,
            reset=longest.reset,
            start=self._spread(lanes),
        )
        found: list[int | None] = [None] * len(candidates)
        for failure in run.failures:
            if failure.lane < len(candidates) and failure.cycle < len(candidates[failure.lane]):
                named = self._bench.named(failure)
                if named == self._claim and found[failure.lane] is None:
                    found[failure.lane] = failure.cycle
        return found

    def _spread(self, lanes: int) -> State:
        """The start, in so many lanes."""
        if lanes not in self._starts:
            start = spread(self._start, lanes)
            keeping = self._bench.simulator.keeping
            self._starts[lanes] = State(
                start.origin, lanes, 0, keeping=keeping, batches=keeping.taken(start)
            )
        return self._starts[lanes]


def spread(state: State, lanes: int) -> State:
    """The state of one lane, in several."""
    parts = {
        key: part._replace(values=np.repeat(part.values, lanes, 0))
        for key, part in state.parts.items()
    }
    return State(state.origin, lanes, state.cycle, parts=parts)


def _schedule(one: Stimulus) -> tuple[int, ...]:
    """Its resets: sequences that differ only in the cycles after them are run together."""
    last = max((cycle for cycle, rst in enumerate(one.reset) if rst), default=-1)
    return one.reset[: last + 1]
