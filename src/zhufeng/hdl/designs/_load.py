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
        InputError: there is no such thing, it is no hardware, or it takes other parameters.
        HdlError: the code describes no hardware.
    """
    found = load_named(name, code)
    if isinstance(found, Module | Function | ir.Module):
        _refuse_parameters(name, parameters)
    elif callable(found):
        _check_parameters(found, name, parameters)
        found = call_named(found, name, parameters, expected=_EXPECTED)
    if isinstance(found, Module | Function):
        return found.ir
    if isinstance(found, ir.Module):
        return found
    raise InputError(
        f"{shown(name)} is no hardware",
        expected=_EXPECTED,
        came=f"a {type(found).__name__}",
        do="decorate it with @module or @function, or name a function that returns such a one",
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
