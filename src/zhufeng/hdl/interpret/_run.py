"""Many cycles, many lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zhufeng.hdl import ir
from zhufeng.hdl.interpret._cell import Cell
from zhufeng.hdl.interpret._given import given_inputs, given_reset, given_size, recorded_part
from zhufeng.hdl.interpret._values import Values


@dataclass(frozen=True)
class Failure:
    """A claim that did not hold."""

    cycle: int
    lane: int
    kind: str
    text: str
    path: str
    where: str


@dataclass(frozen=True)
class Run:
    """What a run gave."""

    outputs: Mapping[str, Values]
    """Each output, [cycles, lanes, ...]."""
    recorded: Mapping[str, Values]
    """Each value that was asked for, likewise."""
    failures: tuple[Failure, ...]
    """Assertions and assumptions that did not hold."""
    covered: Mapping[str, int] = field(default_factory=dict)
    """How often each cover point was true, over lanes and instances."""


def interpret(
    module: ir.Module,
    inputs: Mapping[str, Values],
    *,
    cycles: int | None = None,
    reset: Sequence[int] | None = None,
    seed: int = 0,
    record: Sequence[str] = (),
) -> Run:
    """Simulate a module from its start: slowly, and obviously right.

    Args:
        module: of the IR.
        inputs: each input, [cycles, lanes, ...] of integers that fit.
        cycles: how many; needed where there are no inputs to tell.
        reset: `rst` in each cycle, 0 or 1, the same in all lanes: then everything starts with
            anything. Without it nothing is reset, and registers start as after a reset.
        seed: draws what is not reset, differently in each lane.
        record: values to keep, by name, those of an instance as ``instance.value``.

    Raises:
        InputError: inputs, cycles or a reset that do not fit.
    """
    ir.need_module(module)
    given = given_inputs(module, inputs)
    length, lanes = given_size(module, given, cycles)
    resets = [0] * length if reset is None else given_reset(module, reset, length)
    cell = Cell(module, lanes, seed, module.name, reset=reset is None)
    outputs: dict[str, list[Values]] = {port: [] for port in module.outputs}
    recorded: dict[str, list[Values]] = {name: [] for name in record}
    failures: list[Failure] = []
    covered: Counter[str] = Counter()
    on = np.ones(lanes, np.int64)
    for cycle in range(length):
        rst = np.full(lanes, resets[cycle], np.int64)
        cell.begin(lambda port, at=cycle: given[port][at])  # type: ignore[misc]
        for port, values in outputs.items():
            values.append(cell.output(port))
        for name, values in recorded.items():
            values.append(_recorded(cell, name))
        for path, claim, held in cell.claims(rst, on):
            if claim.kind == "cover":
                covered[f"{path}: {claim.text}"] += int((held == 1).sum())
            else:
                failures += _failed(cycle, path, claim, held, lanes)
        cell.settle(rst, on)
        cell.commit()
    return Run(
        {port: _stacked(values) for port, values in outputs.items()},
        {name: _stacked(values) for name, values in recorded.items()},
        tuple(failures),
        covered,
    )


def _stacked(values: list[Values]) -> Values:
    return np.stack(values) if values else np.zeros((0,), np.int64)


def _recorded(cell: Cell, name: str) -> Values:
    part, rest = recorded_part(cell.module, name)
    if not rest:
        return cell.value(part)
    shape = cell.module.instances[part].shape
    found = _recorded(cell.inside[part], rest)
    return found.reshape(cell.lanes, *shape, *found.shape[1:])


def _failed(cycle: int, path: str, claim: ir.Claim, held: Values, lanes: int) -> list[Failure]:
    rows = held.reshape(lanes, -1)
    return [
        Failure(cycle, lane, claim.kind, claim.text, path, claim.where)
        for lane in np.flatnonzero((rows == 0).any(1)).tolist()
    ]
