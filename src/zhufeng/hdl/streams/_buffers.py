"""What holds items on their way: a register, a skid buffer, a queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from zhufeng.hdl import (
    Bool,
    Memory,
    Module,
    Signal,
    State,
    Struct,
    UInt,
    as_uint,
    assert_,
    const,
    function,
    mem,
    module,
    mux,
    pack,
    reg,
    unpack,
    wrap,
)
from zhufeng.hdl._scope import wrong
from zhufeng.hdl._struct import AnyType
from zhufeng.hdl.streams._stream import (
    Stage,
    StageOut,
    Stream,
    declared,
    opaque,
    packed,
    payload_of,
    stream_of,
    type_of,
)

A = TypeVar("A")
B = TypeVar("B")
D = TypeVar("D")


@overload
def stage(kind: type[Stream[A]]) -> Stage[A, A]: ...


@overload
def stage(kind: type[Stream[A]], f: Callable[[A], B]) -> Stage[A, B]: ...


def stage(kind: type[Stream[Any]], f: Callable[[Any], Any] | None = None) -> Stage[Any, Any]:
    """A register for one item, with a function before it.

    It takes an item when it is empty or being emptied: what comes closes up behind what waits. An
    item is seen downstream in the cycle after the one in which it was taken.

    Args:
        kind: what comes from upstream.
        f: what is done to each item; its result, a signal or a struct, goes downstream.

    Raises:
        HdlError: `kind` names no payload, or `f` describes no hardware.
    """
    return mapped(payload_of(kind, "stage"), f)[0]


def mapped(payload: AnyType, f: Callable[[Any], Any] | None) -> tuple[Stage[Any, Any], AnyType]:
    """A stage, and the type of what leaves it."""
    if f is None:
        return _register(payload, lambda data: data, payload, "stage"), payload
    name, after = _name(f), _result(payload, f)
    return _register(payload, f, after, f"stage_{name}" if name else "stage"), after


def _result(payload: AnyType, f: Callable[[Any], Any]) -> AnyType:
    found: list[AnyType] = []

    def traced(data: Any) -> Any:
        made = f(data)
        found.extend([type_of(made)] if isinstance(made, Signal | Struct) else [])
        return made

    traced.__name__ = _name(f) or "stage"
    function(data=payload)(traced)
    return found[0]


def _name(f: Callable[..., Any]) -> str:
    name = str(getattr(f, "name", getattr(f, "__name__", "")))
    return name if name.isidentifier() else ""


def _register(
    payload: AnyType, f: Callable[[Any], Any], after: AnyType, name: str
) -> Stage[Any, Any]:
    down = stream_of(after)
    out = declared(StageOut[Any], up_ready=Bool, down=down)

    class Held(State):
        valid: Signal = reg(Bool, reset=0)
        data: Signal = reg(packed(after), reset=None)

    def step(s: Held, up: Stream[Any], down_ready: Signal) -> tuple[Held, StageOut[Any]]:
        up_ready = down_ready | ~s.valid
        held = Held(
            valid=mux(up_ready, up.valid, s.valid), data=mux(up_ready, pack(f(up.data)), s.data)
        )
        return held, out(up_ready, down(s.valid, unpack(after, s.data)))

    step.__name__ = name
    return opaque(module(Held, up=stream_of(payload), down_ready=Bool)(step))


def skid(kind: type[Stream[D]]) -> Stage[D, D]:
    """A spare place for the item that is on its way when downstream stops.

    `up_ready` comes from a register alone; an item that need not wait passes within the cycle.

    Args:
        kind: what passes.

    Raises:
        HdlError: `kind` names no payload.
    """
    payload = payload_of(kind, "skid")
    out = declared(StageOut[D], up_ready=Bool, down=kind)

    class Skid(State):
        full: Signal = reg(Bool, reset=0)
        spare: Signal = reg(packed(payload), reset=None)

    def skid(s: Skid, up: Stream[D], down_ready: Signal) -> tuple[Skid, StageOut[D]]:
        valid = up.valid | s.full
        data = mux(s.full, unpack(payload, s.spare), up.data)
        after = Skid(full=valid & ~down_ready, spare=mux(s.full, s.spare, pack(up.data)))
        return after, out(~s.full, kind(valid, data))

    return opaque(module(Skid, up=kind, down_ready=Bool)(skid))


class FifoOut(StageOut[D]):
    """What a queue gives."""

    level: Signal
    """UInt: how many items it holds."""


def fifo(
    kind: type[Stream[D]], depth: int, read: Literal["async", "sync"] = "async"
) -> Module[State, [Stream[D], Signal], FifoOut[D]]:
    """A queue: first in, first out; what is first stands at `down` without being asked for.

    An item is seen downstream in the cycle after the one in which it was taken. It takes one
    whenever it is not full, whether or not one leaves in the same cycle.

    Args:
        kind: what is queued.
        depth: how many items it holds, at least 1.
        read: the kind of read port its memory has; the ports of the queue are the same, cycle by
            cycle. 'async' suits registers and distributed memory, 'sync' memory blocks: a
            cycle ahead they are asked for what will be first, and hand a write through.

    Raises:
        HdlError: `kind` names no payload, or `depth` is less than 1.
    """
    payload = payload_of(kind, "fifo")
    if depth < 1:
        raise wrong("fifo", expected="a depth of at least 1", came=str(depth), do="change it")
    place, count = UInt((depth - 1).bit_length()), UInt(depth.bit_length())
    out = declared(FifoOut[D], up_ready=Bool, down=kind, level=count)

    class Fifo(State):
        items: Memory = mem(packed(payload), depth, reads=(read,), transparent=read == "sync")
        first: Signal = reg(place, reset=0)
        free: Signal = reg(place, reset=0)
        held: Signal = reg(count, reset=0)

    def fifo(s: Fifo, up: Stream[D], down_ready: Signal) -> tuple[Fifo, FifoOut[D]]:
        up_ready, valid = s.held != depth, s.held != 0
        comes, leaves = up.transfer(up_ready), valid & down_ready
        first_then = mux(leaves, _next(s.first, depth), s.first)
        items, data = s.items.read(first_then if read == "sync" else s.first)
        items = items.write(s.free, pack(up.data), comes)
        empty_or_full = ~valid | ~up_ready
        assert_(
            (s.first == s.free) == empty_or_full,
            "the places of a fifo meet when it is empty or full",
        )
        after = Fifo(
            items=items,
            first=first_then,
            free=mux(comes, _next(s.free, depth), s.free),
            held=wrap(s.held + as_uint(comes) - as_uint(leaves), count),
        )
        return after, out(up_ready, kind(valid, unpack(payload, data)), s.held)

    return opaque(module(Fifo, up=kind, down_ready=Bool)(fifo))


def _next(place: Signal, depth: int) -> Signal:
    """The place after one of `depth`."""
    after = wrap(place + 1, place.width)
    if depth == 1 << place.width:
        return after
    return mux(place == depth - 1, const(place.type, 0), after)
