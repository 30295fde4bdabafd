"""Streams as types, and what is between two of them."""

from __future__ import annotations

from functools import cache
from types import new_class
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from zhufeng.hdl import Bits, Bool, Module, Signal, State, Struct, Type, of
from zhufeng.hdl._scope import wrong
from zhufeng.hdl._struct import AnyType, StructType, flatten, leaves_of

A = TypeVar("A")
B = TypeVar("B")
D = TypeVar("D")
O = TypeVar("O")  # noqa: E741 (what comes out)
P = ParamSpec("P")
S = TypeVar("S", bound=Struct)


class Stream(Struct, Generic[D]):
    """What goes downstream: annotated ``Stream[Signal]``, of a type such as ``stream(UInt(8))``."""

    valid: Signal = of(Bool)
    data: D

    def transfer(self, ready: Signal) -> Signal:
        """Whether an item is handed on in this cycle."""
        return self.valid & ready


class StageOut(Struct, Generic[D]):
    """What a stage gives to both sides."""

    up_ready: Signal
    down: Stream[D]


Stage: TypeAlias = Module[State, [Stream[A], Signal], StageOut[B]]
"""A module from one stream to another: ``state, out = stage(state, up, down_ready)``."""


@overload
def stream(payload: Type) -> type[Stream[Signal]]: ...


@overload
def stream(payload: type[S]) -> type[Stream[S]]: ...


@overload
def stream(payload: StructType) -> type[Stream[Any]]: ...


def stream(payload: AnyType) -> type[Stream[Any]]:
    """The type of streams of a payload; of equal payloads, the same type.

    Args:
        payload: the type of `data`; ``UInt(0)`` for a stream of mere events.
    """
    return stream_of(payload)


@cache
def stream_of(payload: AnyType) -> type[Stream[Any]]:
    """As `stream`, of a payload that is not known to the type checker."""
    name = payload.__name__ if isinstance(payload, type) else str(payload)
    return declared(Stream[Any], f"Stream({name})", data=payload)


def declared(struct: type[S], name: str = "", /, **fields: AnyType) -> type[S]:
    """A struct whose other fields have these types."""
    made: type[S] = new_class(
        name or struct.__name__,
        (struct,),
        exec_body=lambda body: body.update({one: of(kind) for one, kind in fields.items()}),
    )
    return made


def opaque(made: Module[Any, P, O]) -> Module[State, P, O]:
    """A module whose state is nobody's business but its own."""
    return made


def payload_of(kind: type[Stream[Any]], what: str) -> AnyType:
    """The type of a stream's data.

    Raises:
        HdlError: it is the class of all streams, or none.
    """
    fields = getattr(kind, "fields_", {})
    if "data" not in fields:
        raise wrong(
            f"the stream of {what}",
            expected="a type of streams, such as stream(UInt(8))",
            came=getattr(kind, "__name__", str(kind)),
            do="name the payload: stream(type)",
        )
    payload: AnyType = fields["data"]
    return payload


def packed(payload: AnyType) -> Type:
    """What `pack` makes of a value of that type."""
    leaves = leaves_of(payload, "").values()
    return Bits(sum(leaf.width * leaf.form.size for leaf in leaves))


def type_of(value: Signal | Struct) -> AnyType:
    """The type of a value."""
    if isinstance(value, Signal):
        return value.type
    cls = type(value)
    first, *_ = flatten(value)[0]
    own, *_ = leaves_of(cls, "").values()
    # An array of structs has its axes before those of each signal.
    shape = first.shape[: len(first.shape) - len(own.shape)]
    return StructType(cls, shape) if shape else cls
