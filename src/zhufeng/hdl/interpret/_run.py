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
        cycles: how many; needed where there are no inputs to tell.
        reset: `rst` in each cycle, 0 or 1, the same in all lanes: then everything starts with
            anything. Without it nothing is reset, and registers start as after a reset.
        seed: draws what is not reset, differently in each lane.
        record: values to keep, by name, those of an instance as ``instance.value``.

    Raises:
        InputError: inputs, cycles or a reset that do not fit.
    """
    ir.need_module(module)
    arrays = _arrays(module, inputs)
    length, lanes = _size(module, arrays, cycles)
    resets = [0] * length if reset is None else _resets(module, reset, length)
    given: dict[str, Values] = {
        port: arrays[port].astype(dtype(form)) for port, form in module.inputs.items()
    }
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


def _arrays(module: ir.Module, inputs: Mapping[str, Values]) -> dict[str, Values]:
    """What is given for each input, once it is known to fit."""
    if inputs.keys() != module.inputs.keys():
        raise InputError(
            f"the inputs of {module.name}",
            expected=", ".join(module.inputs) or "none",
            came=", ".join(inputs) or "none",
            do="give an array for each",
        )
    found = {port: _array(inputs[port], f"input {port} of {module.name}") for port in inputs}
    for port, form in module.inputs.items():
        _check(module, port, form, found[port])
    return found


def _array(values: object, what: str) -> Values:
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's word for it is "inhomogeneous"
        raise InputError(
            what,
            expected="an array",
            came="lists of different lengths",
            do="give as many lanes in every cycle, and as many elements in every lane",
        ) from None


def _size(module: ir.Module, inputs: Mapping[str, Values], cycles: int | None) -> tuple[int, int]:
    """Cycles and lanes."""
    what = f"the cycles of {module.name}"
    if cycles is None and not inputs:
        raise InputError(
            what,
            expected="a number, for it has no inputs to tell",
            came="none",
            do="write cycles=100",
        )
    sizes = {values.shape[:2] for values in inputs.values()} or {(cycles, 1)}
    if len(sizes) != 1:
        raise InputError(
            f"the inputs of {module.name}",
            expected="arrays of as many cycles and lanes",
            came=", ".join(map(str, sorted(sizes))),
            do="repeat the shorter ones",
        )
    ((length, lanes),) = sizes
    whole = isinstance(length, int | np.integer)
    if not whole or length < 0 or cycles not in (None, length):
        raise InputError(
            what,
            expected=f"{length}, as the inputs have" if inputs else "a number of at least 0",
            came=repr(cycles),
            do="leave cycles out, and cut or lengthen the inputs" if inputs else "write cycles=100",
        )
    return length, lanes


def _resets(module: ir.Module, reset: object, length: int) -> list[int]:
    """`rst` in each cycle."""
    what = f"the reset of {module.name}"
    values = _array(reset, what)
    known = values.dtype == bool or np.issubdtype(values.dtype, np.integer) or not values.size
    if values.shape != (length,) or not known or not np.isin(values, (0, 1)).all():
        raise InputError(
            what,
            expected=f"rst in each of {length} cycles: 0 or 1",
            came=f"{values.dtype} {list(values.shape)}"
            + (f" from {values.min()} to {values.max()}" if known and values.size else ""),
            do="give 0 for the cycles without reset; it is the same in all lanes",
        )
    return [int(one) for one in values]


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
