"""What a run is given, checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl import ir
from zhufeng.hdl.interpret._values import Values, dtype


def given_inputs(module: ir.Module, inputs: Mapping[str, Values]) -> dict[str, Values]:
    """The inputs, once they are known to fit.

    Args:
        module: of the IR.
        inputs: each input, [cycles, lanes, ...] of integers.

    Raises:
        InputError: an input is missing or unknown, of another shape, or out of its range.
    """
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
    return {port: found[port].astype(dtype(form)) for port, form in module.inputs.items()}


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


def given_size(
    module: ir.Module, inputs: Mapping[str, Values], cycles: int | None
) -> tuple[int, int]:
    """Cycles and lanes.

    Args:
        module: of the IR.
        inputs: as `given_inputs` gives them.
        cycles: how many, where there are no inputs to tell; one lane then.

    Raises:
        InputError: the inputs differ in that, or the cycles are missing or are not those.
    """
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


def given_reset(module: ir.Module, reset: object, length: int) -> list[int]:
    """`rst` in each cycle.

    Args:
        module: of the IR.
        reset: 0 or 1 for each cycle.
        length: how many cycles there are.

    Raises:
        InputError: it is anything else.
    """
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


def recorded_part(module: ir.Module, name: str) -> tuple[str, str]:
    """A value to record, and nothing; or an instance, and the name within it.

    Args:
        module: of the IR.
        name: of a value; of one of an instance as ``instance.value``.

    Raises:
        InputError: there is no such value or instance.
    """
    part, _, rest = name.partition(".")
    known = module.instances if rest else module.lets
    if part not in known:
        raise InputError(
            f"a value to record in {module.name}",
            expected=", ".join(known) or "an instance, of which there is none",
            came=name,
            do="name a value, or a value of an instance as instance.value",
        )
    return part, rest


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
