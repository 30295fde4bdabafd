"""Functions of hardware under names of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from zhufeng.hdl import Function, Type, function

P = ParamSpec("P")
O = TypeVar("O")  # noqa: E741 (what comes out)


def named(name: str, step: Callable[P, O], **inputs: Type) -> Function[P, O]:
    """A function of hardware under a name, which Verilog has too.

    Args:
        name: its own, for every format another one.
        step: what it does; it is called so from now on.
        inputs: the type of each input, by its name.
    """
    step.__name__ = name
    return function(**inputs)(step)
