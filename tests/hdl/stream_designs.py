"""Designs of streams that the tests simulate, and what each should do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zhufeng.hdl import (
    Bool,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    connect,
    instance,
    ir,
    module,
    mux,
    of,
    reg,
    vmap,
    wire,
    wrap,
)
from zhufeng.hdl.streams import (
    Stage,
    Stream,
    arbiter,
    fifo,
    monitor,
    pipeline,
    row,
    skid,
    stage,
    stream,
)

Item = tuple[int, ...]


# What is known of them without looking inside.


@dataclass
class Place:
    """A stage as a queue of transfers."""

    holds: int
    passes: bool = False
    """What comes while it is empty is seen downstream in the same cycle."""
    refills: bool = False
    """It takes an item while it is full, if one leaves in the same cycle."""
    f: Callable[[Item], Item] = lambda item: item
    items: deque[Item] = field(default_factory=deque)

    def forward(self, valid: bool, item: Item) -> tuple[bool, Item]:
        """What stands downstream."""
        if self.items:
            return True, self.items[0]
        return valid and self.passes, self.f(item)

    def backward(self, ready: bool) -> bool:
        """Whether it takes an item."""
        return len(self.items) < self.holds or (self.refills and ready)

    def clock(self, item: Item | None, leaves: bool) -> None:
        """Goes on by a cycle."""
        if item is not None:
            self.items.append(self.f(item))
        if leaves:
            self.items.popleft()


@dataclass
class Gate(Place):
    """Closed, both ways, in the cycle after a transfer."""

    holds: int = 0
    closed: bool = False

    def forward(self, valid: bool, item: Item) -> tuple[bool, Item]:
        return valid and not self.closed, item

    def backward(self, ready: bool) -> bool:
        return ready and not self.closed

    def clock(self, item: Item | None, leaves: bool) -> None:
        assert (item is not None) == leaves
        self.closed = leaves


@dataclass(frozen=True)
class Design:
    """A module from one stream to another."""

    made: Stage[Any, Any]
    places: Callable[[], list[Place]]

    @property
    def module(self) -> ir.Module:
        return self.made.ir

    @property
    def holds(self) -> int:
        return sum(one.holds for one in self.places())

    def f(self, item: Item) -> Item:
        for one in self.places():
            item = one.f(item)
        return item


def _design(made: Stage[Any, Any], *places: Callable[[], Place]) -> Design:
    return Design(made, lambda: [one() for one in places])


# Payloads and functions.


class Pixel(Struct):
    red: Signal = of(UInt(5))
    green: Signal = of(SInt(6).array(2, 3))


class Frame(Struct):
    pixels: Pixel = of(Pixel.array(2))
    last: Signal = of(Bool)


Byte = stream(UInt(8))
Event = stream(UInt(0))
Pixels = stream(Pixel)
Frames = stream(Frame)
Pairs = stream(Pixel.array(2))
Wide = stream(SInt(70).array(3))


class Closing(State):
    closed: Signal = reg(Bool, reset=0)


class GateOut(Struct):
    up_ready: Signal = of(Bool)
    passed: Signal = of(Bool)
    down: Stream[Signal] = of(Byte)


@module(Closing, up=Byte, down_ready=Bool)
def gate(s: Closing, up: Stream[Signal], down_ready: Signal) -> tuple[Closing, GateOut]:
    down = Byte(valid=up.valid & ~s.closed, data=up.data)
    passed = down.transfer(down_ready)
    return Closing(closed=passed), GateOut(down_ready & ~s.closed, passed, down)


def twice(x: Signal) -> Signal:
    return x + x


def plus3(x: Signal) -> Signal:
    return wrap(x + 3, x.width)


def flipped(pixel: Pixel) -> Pixel:
    return Pixel(red=~pixel.red, green=pixel.green[::-1])


def swapped(pixels: Any) -> Any:
    return pixels[::-1]


def reddest(pixel: Pixel) -> Signal:
    return pixel.red


def _flipped(item: Item) -> Item:
    red, *green = item
    return (31 - red, *green[3:], *green[:3])


def _holder(holds: int) -> Callable[[], Place]:
    return lambda: Place(holds)


def _skid() -> Place:
    return Place(1, passes=True)


def _register(f: Callable[[Item], Item] = lambda item: item) -> Callable[[], Place]:
    return lambda: Place(1, refills=True, f=f)


DESIGNS = {
    "stage": _design(stage(Byte), _register()),
    "stage_struct": _design(stage(Frames), _register()),
    "stage_structs": _design(stage(Pairs), _register()),
    "stage_array": _design(stage(Wide), _register()),
    "stage_function": _design(stage(Pixels, flipped), _register(_flipped)),
    "stage_function_of_structs": _design(
        stage(Pairs, swapped), _register(lambda item: (item[1], item[0], *item[8:], *item[2:8]))
    ),
    "skid": _design(skid(Byte), _skid),
    "skid_struct": _design(skid(Frames), _skid),
    "skid_event": _design(skid(Event), _skid),
    **{f"fifo_{n}": _design(fifo(Byte, n), _holder(n)) for n in (1, 2, 4, 7)},
    **{f"fifo_sync_{n}": _design(fifo(Byte, n, "sync"), _holder(n)) for n in (1, 5, 8)},
    "fifo_struct": _design(fifo(Frames, 3, "sync"), _holder(3)),
    "fifo_event": _design(fifo(Event, 3), _holder(3)),
    "row_cut": _design(row(stage(Byte), skid(Byte)), _register(), _skid),
    "row_cut_too": _design(row(skid(Byte), stage(Byte)), _skid, _register()),
    "row_mixed": _design(
        row(skid(Pixels), fifo(Pixels, 2), stage(Pixels, reddest)),
        _skid,
        _holder(2),
        _register(lambda item: item[:1]),
    ),
    "row_of_rows": _design(
        row(row(fifo(Byte, 2), skid(Byte)), row(skid(Byte))), _holder(2), _skid, _skid
    ),
    "gates": _design(row(gate, gate, gate), Gate, Gate, Gate),
    "gates_around": _design(
        row(row(gate, skid(Byte)), stage(Byte), gate), Gate, _skid, _register(), Gate
    ),
    "pipeline": _design(
        pipeline(Byte, twice, plus3, lambda x: x ^ 0x55, twice),
        _register(lambda item: (2 * item[0],)),
        _register(lambda item: ((item[0] + 3) % 512,)),
        _register(lambda item: (item[0] ^ 0x55,)),
        _register(lambda item: (2 * item[0],)),
    ),
}


# Modules that need one another's outputs within a cycle.


class Source(State):
    n: Signal = reg(UInt(8), reset=0)


class SourceOut(Struct):
    down: Stream[Signal] = of(Byte)
    gone: Signal = of(Bool)


class Sink(State):
    total: Signal = reg(UInt(16), reset=0)


class SinkOut(Struct):
    up_ready: Signal = of(Bool)
    got: Signal = of(Bool)
    total: Signal = of(UInt(16))


class PairOut(Struct):
    gone: Signal = of(Bool)
    got: Signal = of(Bool)
    total: Signal = of(UInt(16))


@module(Source, on=Bool, down_ready=Bool)
def source(s: Source, on: Signal, down_ready: Signal) -> tuple[Source, SourceOut]:
    """Counts what it has got rid of; that follows from `down_ready` in the same cycle."""
    down = Byte(valid=on, data=s.n)
    gone = down.transfer(down_ready)
    return Source(n=mux(gone, wrap(s.n + 1, 8), s.n)), SourceOut(down, gone)


@module(Sink, opened=Bool, up=Byte)
def sink(s: Sink, opened: Signal, up: Stream[Signal]) -> tuple[Sink, SinkOut]:
    """Its readiness follows from what is offered in the same cycle."""
    ready = up.valid & (opened | ((up.data & 3) == 0))
    got = up.transfer(ready)
    return Sink(total=mux(got, wrap(s.total + up.data, 16), s.total)), SinkOut(ready, got, s.total)


class Handshake(State):
    source: Source = instance(source)
    sink: Sink = instance(sink)


@module(Handshake, on=Bool, opened=Bool)
def source_first(s: Handshake, on: Signal, opened: Signal) -> tuple[Handshake, PairOut]:
    ready = wire(Bool)
    source_then, given = source(s.source, on, ready)
    sink_then, taken = sink(s.sink, opened, given.down)
    connect(ready, taken.up_ready)
    return Handshake(source_then, sink_then), PairOut(given.gone, taken.got, taken.total)


@module(Handshake, on=Bool, opened=Bool)
def sink_first(s: Handshake, on: Signal, opened: Signal) -> tuple[Handshake, PairOut]:
    offered: Stream[Signal] = wire(Byte)
    sink_then, taken = sink(s.sink, opened, offered)
    source_then, given = source(s.source, on, taken.up_ready)
    connect(offered, given.down)
    return Handshake(source_then, sink_then), PairOut(given.gone, taken.got, taken.total)


# Streams that join.


Word = stream(UInt(16))


def joined(n: int) -> ir.Module:
    """As many registers, which make any stimulus keep the rules, an arbiter, and a monitor."""
    stage_, arbiter_, monitor_ = stage(Word), arbiter(Word, n), monitor(Word)
    number = UInt((n - 1).bit_length())

    class Out(Struct):
        up_ready: Signal = of(Bool.array(n))
        waiting: Signal = of(Bool.array(n))
        taken: Signal = of(Bool.array(n))
        down: Stream[Signal] = of(Word)
        chosen: Signal = of(number)
        kept: Signal = of(Bool)

    class Joined(State):
        registers: State = instance(stage_, n)
        chooser: State = instance(arbiter_)
        watcher: State = instance(monitor_)

    @module(Joined, up=Word.array(n), down_ready=Bool)
    def bench(s: Joined, up: Stream[Signal], down_ready: Signal) -> tuple[Joined, Out]:
        taken = wire(Bool.array(n))
        registers, held = vmap(stage_)(s.registers, up, taken)
        choice, out = arbiter_(s.chooser, held.down, down_ready)
        connect(taken, out.up_ready)
        watched, kept = monitor_(s.watcher, out.down, down_ready)
        outputs = Out(held.up_ready, held.down.valid, taken, out.down, out.chosen, kept)
        return Joined(registers, choice, watched), outputs

    return bench.ir
