"""Many cycles, many lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl import ir
from zhufeng.hdl.interpret._cell import Cell
from zhufeng.hdl.interpret._values import Values, dtype


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
        cycles: how many, where there are no inputs to tell.
        reset: `rst` in each cycle, the same in all lanes: then everything starts with anything.
            Without it nothing is reset, and registers start as after a reset.
        seed: draws what is not reset, differently in each lane.
        record: values to keep, by name, those of an instance as ``instance.value``.

    Raises:
        InputError: inputs that do not fit.
    """
    ir.need_module(module)
    length, lanes = _size(module, inputs, cycles)
    if reset is not None and len(reset) < length:
        raise InputError(
            f"the reset of {module.name}",
            expected=f"rst in each of {length} cycles",
            came=f"{len(reset)} of them",
            do="give 0 for the cycles without reset",
        )
    given: dict[str, Values] = {
        port: np.asarray(inputs[port]).astype(dtype(form)) for port, form in module.inputs.items()
    }
    cell = Cell(module, lanes, seed, module.name, reset=reset is None)
    outputs: dict[str, list[Values]] = {port: [] for port in module.outputs}
    recorded: dict[str, list[Values]] = {name: [] for name in record}
    failures: list[Failure] = []
    covered: Counter[str] = Counter()
    on = np.ones(lanes, np.int64)
    for cycle in range(length):
        rst = np.full(lanes, reset[cycle] if reset is not None else 0, np.int64)
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
    part, _, rest = name.partition(".")
    known = cell.inside if rest else cell.module.lets
    if part not in known:
        raise InputError(
            f"a value to record in {cell.module.name}",
            expected=", ".join(known) or "an instance, of which there is none",
            came=name,
            do="name a value, or a value of an instance as instance.value",
        )
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


def _size(module: ir.Module, inputs: Mapping[str, Values], cycles: int | None) -> tuple[int, int]:
    if inputs.keys() != module.inputs.keys():
        raise InputError(
            f"the inputs of {module.name}",
            expected=", ".join(module.inputs) or "none",
            came=", ".join(inputs) or "none",
            do="give an array for each",
        )
    if cycles is None and not inputs:
        raise InputError(
            f"the cycles of {module.name}",
            expected="a number, for it has no inputs to tell",
            came="none",
            do="write cycles=100",
        )
    sizes = {np.asarray(values).shape[:2] for values in inputs.values()} or {(cycles or 0, 1)}
    for port, form in module.inputs.items():
        values = np.asarray(inputs[port])
        _check(module, port, form, values)
    if len(sizes) != 1:
        raise InputError(
            f"the inputs of {module.name}",
            expected="arrays of as many cycles and lanes",
            came=", ".join(map(str, sorted(sizes))),
            do="repeat the shorter ones",
        )
    ((length, lanes),) = sizes
    return (length if cycles is None else min(cycles, length)), lanes


def _check(module: ir.Module, port: str, form: ir.Form, values: Values) -> None:
    if values.dtype == object:
        whole = all(isinstance(one, int | np.integer) for one in values.flat)
    else:
        whole = values.dtype == bool or np.issubdtype(values.dtype, np.integer)
    shaped = values.ndim == 2 + len(form.shape) and values.shape[2:] == form.shape
    ends = (int(values.min()), int(values.max())) if whole and values.size else ()
    if whole and shaped and all(map(form.has, ends)):
        return
    axes = ", ".join(("cycles", "lanes", *map(str, form.shape)))
    raise InputError(
        f"input {port} of {module.name}",
        expected=f"integers [{axes}] from {form.low} to {form.high}",
        came=f"{values.dtype} {list(values.shape)}"
        + (f" from {ends[0]} to {ends[1]}" if ends else ""),
        do="reshape or convert it",
    )
