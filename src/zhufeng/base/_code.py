"""Code of the user's, named on the command line or in a recipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any

from zhufeng.base._errors import InputError
from zhufeng.base._typed import brief, shown


def code_of(name: str, *, expected: str) -> Path | None:
    """The Python file of what `name` stands for; None where its module is no Python file.

    Args:
        name: ``"package.module:name"``, or ``"file.py:name"``.
        expected: what may be named, for the error.

    Raises:
        InputError: there is no such file or module.
    """
    place = name.rpartition(":")[0]
    if file := _file(place):
        return file
    came = shown(name)
    try:
        spec = util.find_spec(place)
    except InputError:
        raise
    except (ModuleNotFoundError, ValueError):
        spec = None
    except Exception as error:  # noqa: BLE001 (packages around it are imported)
        spec, came = None, f"{type(error).__name__}: {brief(error)}"
    if spec is None or spec.origin is None:
        raise InputError(
            f"there is no module {shown(place)}",
            expected=expected,
            came=came,
            do="check the name; a module is looked for where Python looks, PYTHONPATH among it",
        )
    return Path(spec.origin) if spec.origin.endswith(".py") else None


def _file(place: str) -> Path | None:
    return Path(place) if place.endswith(".py") and Path(place).is_file() else None


def load_named(name: str, code: Path | None) -> Any:
    """What `name` stands for.

    Args:
        name: ``"package.module:name"`` or ``"file.py:name"``; with `code`, the part behind the
            colon alone will do.
        code: the Python file.

    Raises:
        InputError: there is no such thing; or one that the code itself has raised.
    """
    place, _, attribute = name.rpartition(":")
    file = code or _file(place)
    try:
        module = _module_of_file(file) if file else importlib.import_module(place)
        return getattr(module, attribute)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{shown(name)} cannot be found",
            expected="package.module:name, or a name in a Python file",
            came=f"{type(error).__name__}: {brief(error)}",
            do="check the name, and that its package is installed",
        ) from error


def _module_of_file(path: Path) -> Any:
    # No name that could be imported: a user's queue.py must not stand in for Python's own.
    name = f"code:{path.stem}"
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file")
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def call_named(
    function: Callable[..., Any], name: str, arguments: Mapping[str, Any], *, expected: str
) -> Any:
    """What a function of the user's returns.

    Args:
        function: is called with `arguments`.
        name: its name, for the error.
        arguments: by name.
        expected: what it should be, for the error.

    Raises:
        InputError: it has failed; or one that it has raised itself.
    """
    try:
        return function(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{shown(name)} has failed",
            expected=expected,
            came=f"{type(error).__name__}: {brief(error)}",
            do="call it by itself in Python, and mend it",
        ) from error
