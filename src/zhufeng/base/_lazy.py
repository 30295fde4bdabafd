"""Packages whose names are loaded on first use, because what they need is heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from zhufeng.base._errors import needs_extra


def lazy_names(package: str, names: Mapping[str, str], extra: str) -> Callable[[str], Any]:
    """A module-level ``__getattr__`` that imports a public name's module when it is asked for.

    So that a configuration can be read, and ``--help`` answered, without importing torch.

    Args:
        package: the package's ``__name__``.
        names: public name to the private module that holds it.
        extra: the extra that brings what those modules import.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with needs_extra(extra):
            module = import_module(f"{package}.{names[name]}")
        return getattr(module, name)

    return load
