"""What a simulator is given, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl.interpret import Values, given_inputs, given_size
from zhufeng.hdl.ir import Form, Module


def checked_lanes(module: Module, lanes: object, known: int | None, from_what: str) -> int:
    """How many lanes.

    Args:
        module: for the error.
        lanes: as asked for.
        known: how many there are, where something tells.
        from_what: that.

    Raises:
        InputError: it is no number from 1, or not that one.
    """
    whole = lanes is None or (isinstance(lanes, int | np.integer) and int(lanes) >= 1)
    if not whole or (known is not None and lanes not in (None, known)):
        raise InputError(
            f"the lanes of {module.name}",
            expected="a number from 1" if known is None else f"{known}, as {from_what}",
            came=repr(lanes),
            do="write for instance lanes=16" if known is None else "leave lanes out",
        )
    if known is not None:
        return known
    return int(lanes) if isinstance(lanes, int | np.integer) else 1


def checked_inputs(module: Module, inputs: Mapping[str, Values]) -> Mapping[str, Values]:
    """The inputs, once they are known to fit: as they are, where that is arrays of integers.

    Raises:
        InputError: as of `zhufeng.hdl.interpret.given_inputs`.
    """
    if inputs.keys() == module.inputs.keys() and all(
        fits(inputs[port], form, 2) for port, form in module.inputs.items()
    ):
        return inputs
    return given_inputs(module, inputs)


def fits(values: object, form: Form, before: int) -> bool:
    """Whether they are integers in an array, in their range, with so many axes before theirs."""
    if not isinstance(values, np.ndarray) or values.dtype == object:
        return False
    if values.shape[before:] != form.shape or values.ndim != before + len(form.shape):
        return False
    return fits_any(values, form)


def checked_size(
    module: Module, inputs: Mapping[str, Values], cycles: int | None
) -> tuple[int, int, int | None]:
    """Cycles to run, cycles of inputs, and the lanes that the inputs tell.

    Raises:
        InputError: as of `zhufeng.hdl.interpret.given_size`; inputs of no cycle are to begin again.
    """
    ring, lanes = given_size(module, inputs, None if inputs else cycles)
    if not inputs:
        return ring, ring, None
    length: object = ring if cycles is None else cycles
    if not isinstance(length, int | np.integer) or length < 0 or (length and not ring):
        raise InputError(
            f"the cycles of {module.name}",
            expected="a number of at least 0" if ring else "0, for its inputs have no cycle",
            came=repr(cycles),
            do="leave cycles out for as many as the inputs have",
        )
    return int(length), ring, lanes


def checked_outputs(module: Module, outputs: Sequence[str] | None) -> tuple[str, ...]:
    """The outputs that are wanted.

    Raises:
        InputError: there is no such output.
    """
    if outputs is None:
        return tuple(module.outputs)
    unknown = [port for port in outputs if port not in module.outputs]
    if unknown or isinstance(outputs, str):
        raise InputError(
            f"outputs of {module.name}",
            expected=f"of {', '.join(module.outputs) or 'none'}",
            came=repr(outputs) if isinstance(outputs, str) else ", ".join(map(str, unknown)),
            do="give a list of names; values inside are recorded: compile(..., record=[name])",
        )
    return tuple(dict.fromkeys(outputs))


def fits_any(values: Values, form: Form) -> bool:
    """Whether they are integers in the range of a form, whatever their axes."""
    if values.dtype.kind == "O":
        return all(isinstance(one, int | np.integer) and form.has(int(one)) for one in values.flat)
    if values.dtype.kind not in "bui":
        return False
    if not values.size:
        return True
    if values.dtype.kind == "b":
        return form.has(1) or not values.any()
    bounds = np.iinfo(values.dtype)
    least = form.has(int(bounds.min)) or form.has(int(values.min()))
    return least and (form.has(int(bounds.max)) or form.has(int(values.max())))
