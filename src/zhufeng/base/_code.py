"""Code of the user's, named on the command line or in a recipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
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
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise InputError(
            f"{shown(name)} names nothing in a module",
            expected=expected,
            came="no name behind a colon" if not attribute or ":" not in name else "no module",
            do="write the module or the file, a colon, and the name: file.py:name",
        )
    if file := _file(place):
        return file
    came = shown(name)
    try:
        spec = util.find_spec(place)
    except InputError:
        raise
    except (ModuleNotFoundError, ValueError):
        spec = None
    except (Exception, SystemExit) as error:  # noqa: BLE001 (packages around it are imported)
        spec, came = None, _told(error)
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
        InputError: there is no such thing; the code around it fails; or one that the code itself
            has raised.
    """
    place, _, attribute = name.rpartition(":")
    file = code or _file(place)
    try:
        module = _module_of_file(file) if file else importlib.import_module(place)
        return getattr(module, attribute)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if not _is_missing(error, place, attribute, file):
            raise _failed(name, file, error) from error
        raise InputError(
            f"{shown(name)} cannot be found",
            expected="package.module:name, or a name in a Python file",
            came=_told(error),
            do="check the name, and that its package is installed",
        ) from error


def _is_missing(error: BaseException, place: str, attribute: str, file: Path | None) -> bool:
    """Whether it says that there is no such name, and not that the code around it fails."""
    match error:
        case AttributeError():
            return isinstance(error.obj, ModuleType) and str(error.name) == attribute
        case ModuleNotFoundError() if file is None:
            return f"{place}.".startswith(f"{error.name}.")
        case OSError() if file is not None:
            return bool(error.filename == str(file))
    return not place and file is None


def _failed(name: str, file: Path | None, error: BaseException) -> InputError:
    """The error for code that cannot be run, with its line where that is known."""
    lines = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_code.co_filename != __file__ and not frame.f_code.co_filename.startswith("<")
    ]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        lines = [(Path(error.filename), error.lineno)]
    # A library that it imports may fail further in: what is asked for is the user's own line.
    lines = [one for one in lines if one[0] == file] or lines
    place = f"{lines[-1][0]}:{lines[-1][1]}: " if lines else ""
    return InputError(
        f"{place}the code of {shown(name)} fails when it is imported",
        expected="code that Python can import",
        came=_told(error),
        do="install what it imports"
        if isinstance(error, ModuleNotFoundError)
        else "run the file by itself in Python, and mend it",
    )


def _told(error: BaseException) -> str:
    text = brief(error) if isinstance(error, Exception) else shown(str(error))
    return f"{type(error).__name__}: {text}"


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
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{shown(name)} has failed",
            expected=expected,
            came=_told(error),
            do="call it by itself in Python, and mend it",
        ) from error
