"""One lane of a run once more, for its waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl import interpret
from zhufeng.hdl.compile import Run
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.interpret import Values, recorded_part
from zhufeng.hdl.ir import Module
from zhufeng.hdl.simulation._simulated import Start, simulated
from zhufeng.hdl.simulation._stimuli import Stimulus
from zhufeng.hdl.waves import Waves, signals, waves_of

_MOST_VALUES: Final = 20_000_000
"""In all waves: some hundred bytes of memory and file for ten of them."""


class _Lane:
    """A lane of a stimulus."""

    def __init__(self, of: Stimulus, lane: int) -> None:
        self._of, self._lane = of, lane
        self.lanes, self.cycles, self.resets = 1, of.cycles, of.resets

    def block(self, first: int, cycles: int) -> Mapping[str, Values]:
        """See `Stimulus`."""
        lane = self._lane
        every = self._of.block(first, cycles)
        return {port: values[:, lane : lane + 1] for port, values in every.items()}


def waves_of_lane(
    module: Module,
    stimulus: Stimulus,
    start: Start,
    lane: int,
    *,
    names: Sequence[str] | None = None,
    reset: Sequence[int] | None = None,
) -> Waves:
    """Simulate one lane alone, and look at what goes on inside.

    Args:
        module: of the design.
        stimulus: of all lanes.
        start: what all lanes begin with.
        lane: which.
        names: of the values to see beside the ports, as `record` of `compile` takes them; without
            them all that have a name.
        reset: `rst` in each cycle, of a design that has it.

    Raises:
        InputError: there is no such value or lane, or the waves would have too many values.
    """
    recorded = signals(module) if names is None else tuple(names)
    simulator = compiled(module, 1, record=recorded)
    given: list[Mapping[str, Values]] = []
    runs: list[Run] = []

    def watch(first: int, inputs: Mapping[str, Values], run: Run) -> None:
        given.append(inputs)
        runs.append(run)
        every = (*inputs.values(), *run.outputs.values(), *run.recorded.values())
        values = sum(one[0].size for one in every)
        if first == 0 and values * stimulus.cycles > _MOST_VALUES:
            raise InputError(
                f"the waves of {module.name}",
                expected=f"at most {_MOST_VALUES:,} values",
                came=f"{values:,} in each of {stimulus.cycles:,} cycles",
                do="name the signals to see, or run fewer cycles from a state that was saved",
            )

    begin = start(simulator).lane(lane)
    simulated(simulator, _Lane(stimulus, lane), begin, reset=reset, watch=[watch], what="waves")
    inputs = _joined(given)
    whole = interpret.Run(
        _joined([run.outputs for run in runs]), _joined([run.recorded for run in runs]), ()
    )
    return waves_of(module, inputs, whole, reset=reset)


def check_signals(module: Module, names: Sequence[str]) -> None:
    """Make sure that there are such values, before a long run.

    Raises:
        InputError: there is no such value.
    """
    for name in names:
        inside, rest = module, name
        while rest:
            part, rest = recorded_part(inside, rest)
            inside = inside.instances[part].module if rest else inside


def _joined(parts: Sequence[Mapping[str, Values]]) -> dict[str, Values]:
    names = parts[0] if parts else ()
    return {name: np.concatenate([one[name] for one in parts]) for name in names}
