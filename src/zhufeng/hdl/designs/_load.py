"""A design by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, call_named, load_named, shown
from zhufeng.hdl import ir
from zhufeng.hdl._module import Function, Module

_EXPECTED = "a module or a function of zhufeng.hdl, or a function that returns one"


def load_design(name: str, code: Path | None, parameters: Mapping[str, Any]) -> ir.Module:
    """The module that is called so, or that a function of this name returns.

    Args:
        name: ``"package.module:name"``; with `code`, the part behind the colon alone will do.
        code: the Python file.
        parameters: the function's arguments, by name.

    Raises:
        InputError: there is no such thing, it is no hardware, or it takes other parameters; it
            is a module that was made by hand, and breaks a rule; it has no output and no claim.
        HdlError: the code describes no hardware.
    """
    found = load_named(name, code)
    if isinstance(found, Module | Function | ir.Module):
        _refuse_parameters(name, parameters)
    elif callable(found):
        _check_parameters(found, name, parameters)
        found = call_named(found, name, parameters, expected=_EXPECTED)
    if isinstance(found, Module | Function):
        found = found.ir
    elif isinstance(found, ir.Module):
        _need_sound(found, name)
    if isinstance(found, ir.Module):
        _need_use(found, name)
        return found
    raise InputError(
        f"{shown(name)} is no hardware",
        expected=_EXPECTED,
        came=type(found).__name__,
        do="decorate it with @module or @function, or name a function that returns such a one",
    )


def _need_sound(module: ir.Module, name: str) -> None:
    """Refuse a module, made by hand, that could not be simulated or printed."""
    try:
        ir.check(module)
        for one in ir.below(module):
            ir.port_graph(one)
    except ir.IrError as error:
        came = str(error)
    except ir.CycleError as error:
        came = f"{error}: {' <- '.join(error.path)}"
    else:
        return
    raise InputError(
        f"{shown(name)} is no module that could be hardware",
        expected="what zhufeng.hdl.ir.check lets pass, and no value that follows from itself",
        came=came,
        do="mend what makes it; @module and @function make none that is not",
    )


def _need_use(module: ir.Module, name: str) -> None:
    """Refuse hardware of which nothing is seen."""
    if not module.outputs and not any(one.claims for one in ir.below(module)):
        raise InputError(
            f"{shown(name)} does nothing",
            expected="an output or a claim",
            came="none",
            do="return a signal, or a Struct with a field for each output",
        )


def _refuse_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    if parameters:
        raise InputError(
            f"{shown(name)} takes no parameters",
            expected="none: it is a module already",
            came=shown(", ".join(parameters)),
            do="leave them out, or name a function that returns the module",
        )


def _check_parameters(
    function: Callable[..., Any], name: str, parameters: Mapping[str, Any]
) -> None:
    with suppress(ValueError):  # some functions of C do not tell what they take
        signature = inspect.signature(function)
        try:
            signature.bind(**parameters)
        except TypeError as error:
            takes = ", ".join(str(one).partition(":")[0] for one in signature.parameters.values())
            raise InputError(
                f"{shown(name)} does not take these parameters: {error}",
                expected=shown(takes) or "none",
                came=shown(", ".join(f"{key}={one}" for key, one in parameters.items())) or "none",
                do="give each parameter that has no value of its own, as NAME=VALUE",
            ) from None
