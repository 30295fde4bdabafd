"""What the tests of the numbered rules share: small programs, run over all or given inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pytest

from zhufeng.hdl import Function, HdlError, Module, Signal, State, Struct, Type, function, module
from zhufeng.hdl.interpret import interpret

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhufeng.hdl._struct import StructType

Program: TypeAlias = Callable[..., Any]
AnyType: TypeAlias = "Type | type[Struct] | StructType"
Held: TypeAlias = Function[..., Any] | Module[Any, ..., Any]


class Computed(NamedTuple):
    """What a program computes over all values of its inputs."""

    kind: Type
    found: list[Any]
    given: list[tuple[int, ...]]


def made(f: Program, *kinds: AnyType) -> Function[..., Any]:
    """A function of inputs x0, x1, ... of these types."""

    def traced(**given: Any) -> Any:
        return f(*given.values())

    return function(**_ports(kinds))(traced)


def stepped(state: type[State], f: Program, *kinds: AnyType) -> Module[Any, ..., Any]:
    """A module with that state and of inputs x0, x1, ... of these types."""

    def traced(s: State, **given: Any) -> Any:
        return f(s, *given.values())

    return module(state, **_ports(kinds))(traced)


def _ports(kinds: Sequence[AnyType]) -> dict[str, AnyType]:
    return {f"x{n}": kind for n, kind in enumerate(kinds)}


def computed(f: Program, *kinds: Type) -> Computed:
    """A program over all combinations of the values of its inputs, which are single elements."""
    seen: list[Type] = []

    def watched(*given: Signal) -> Any:
        found = f(*given)
        seen.append(found.type)
        return found

    traced = made(watched, *kinds)
    axes = [np.arange(kind.low, kind.high + 1) for kind in kinds]
    lanes = [grid.reshape(1, -1) for grid in np.meshgrid(*axes, indexing="ij")]
    run = interpret(traced.ir, dict(zip(traced.ir.inputs, lanes, strict=True)), cycles=1)
    given = list(zip(*(one[0].tolist() for one in lanes), strict=True))
    return Computed(seen[0], run.outputs["out"][0].tolist(), given)


def kind_of(f: Program, *kinds: Type) -> Type:
    """The type of what a program gives."""
    seen: list[Type] = []

    def watched(*given: Signal) -> Any:
        found = f(*given)
        seen.append(found.type)
        return found

    made(watched, *kinds)
    return seen[0]


def constant_of(f: Callable[..., object], *given: Any) -> Any:
    """The value of a program that only computes with constants."""
    return interpret(made(lambda: f(*given)).ir, {}, cycles=1).outputs["out"][0, 0].tolist()


def refused(act: Callable[..., object], *given: Any, **named: Any) -> str:
    """The text of the error of the language that `act` ends in."""
    with pytest.raises(HdlError) as caught:
        act(*given, **named)
    return str(caught.value)


def refuses(f: Program, *kinds: AnyType) -> str:
    """The text of the error that a program of these inputs ends in."""
    return refused(made, f, *kinds)


def lanes(**inputs: Any) -> dict[str, NDArray[Any]]:
    """One lane of inputs, of [cycles, ...] each."""
    return {port: np.asarray(values)[:, None] for port, values in inputs.items()}


def outputs(
    held: Held, /, *, reset: Sequence[int] | None = None, seed: int = 0, **inputs: Any
) -> dict[str, list[Any]]:
    """The outputs of one lane, [cycles, ...] each."""
    run = interpret(held.ir, lanes(**inputs), reset=reset, seed=seed)
    return {port: values[:, 0].tolist() for port, values in run.outputs.items()}


def free(held: Held, cycles: int, **options: Any) -> dict[str, list[Any]]:
    """The outputs of one lane of a module without inputs, [cycles, ...] each."""
    run = interpret(held.ir, {}, cycles=cycles, **options)
    return {port: values[:, 0].tolist() for port, values in run.outputs.items()}


def text_of(bits: int, width: int) -> str:
    """Bits as text, the highest first."""
    return f"{bits & ((1 << width) - 1):0{width}b}" if width else ""
