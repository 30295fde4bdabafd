"""Stages one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import new_class
from typing import Any, Protocol, TypeVar, overload

from zhufeng.hdl import Bool, Module, Signal, State, connect, instance, module, wire
from zhufeng.hdl._scope import wrong
from zhufeng.hdl._struct import AnyType
from zhufeng.hdl.streams._buffers import mapped
from zhufeng.hdl.streams._stream import (
    Stage,
    StageOut,
    Stream,
    declared,
    opaque,
    payload_of,
)

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class _Ends(Protocol[B]):
    @property
    def up_ready(self) -> Signal: ...
    @property
    def down(self) -> Stream[B]: ...


class _Linked(Protocol[A, B]):
    """What `row` takes: a module of anybody's, whatever else it gives."""

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, AnyType]: ...
    def __call__(
        self, state: Any, up: Stream[A], down_ready: Signal, /
    ) -> tuple[Any, _Ends[B]]: ...


@overload
def row(first: _Linked[A, B], second: _Linked[B, C], /) -> Stage[A, C]: ...


@overload
def row(first: _Linked[A, B], second: _Linked[B, C], third: _Linked[C, D], /) -> Stage[A, D]: ...


@overload
def row(*stages: _Linked[A, A]) -> Stage[A, A]: ...


def row(*stages: _Linked[Any, Any]) -> Stage[Any, Any]:
    """Stages one behind the other, as one; each stays a module of its own.

    Args:
        stages: modules of `stage`, `skid`, `fifo`, `row`, or of yours with the inputs `up` and
            `down_ready` and, among others, the outputs `up_ready` and `down`.

    Raises:
        HdlError: there are none, or one gives what the next does not take.
    """
    if not stages:
        raise wrong("row()", expected="at least one stage", came="none", do="give some")
    names = [f"{one.name}_{number}" for number, one in enumerate(stages)]
    fields = {name: instance(one) for name, one in zip(names, stages, strict=True)}
    held: Any = new_class("Row", (State,), exec_body=lambda body: body.update(fields))

    def row(s: Any, up: Stream[Any], down_ready: Signal) -> tuple[Any, StageOut[Any]]:
        ready: list[Signal] = [*(wire(Bool) for _ in stages), down_ready]
        after, flowing = {}, up
        for number, (name, one) in enumerate(zip(names, stages, strict=True)):
            after[name], out = one(getattr(s, name), flowing, ready[number + 1])
            connect(ready[number], out.up_ready)
            flowing = out.down
        ends = declared(StageOut[Any], up_ready=Bool, down=type(flowing))
        return held(**after), ends(ready[0], flowing)

    given: Any = stages[0].inputs["up"]
    made: Module[Any, [Stream[Any], Signal], StageOut[Any]]
    made = module(held, up=given, down_ready=Bool)(row)
    return opaque(made)


def pipeline(kind: type[Stream[A]], *functions: Callable[[A], A]) -> Stage[A, A]:
    """An elastic pipeline: a stage for each function, in which it is applied.

    An item takes as many cycles as there are functions, and waits where what is before it does;
    one enters in each cycle in which `down_ready` is 1. For functions from one struct to another,
    write ``row(stage(kind, f), stage(other, g))``.

    Args:
        kind: what enters.
        functions: each of what the one before it gives, whose widths may differ.

    Raises:
        HdlError: there are none, or one of them describes no hardware.
    """
    payload, stages = payload_of(kind, "pipeline"), []
    for f in functions:
        one, payload = mapped(payload, f)
        stages.append(one)
    return row(*stages)
