"""The rules of streams as claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from zhufeng.hdl import Bool, Module, Signal, State, assert_, cover, module, pack, reg
from zhufeng.hdl.streams._stream import Stream, opaque, packed, payload_of

D = TypeVar("D")


def monitor(
    kind: type[Stream[D]], claim: Callable[[Signal, str], None] = assert_
) -> Module[State, [Stream[D], Signal], Signal]:
    """Watches a stream: ``state, kept = monitor(state, stream, ready)``.

    Claims that what is offered stays, and covers a transfer and an item that waits. Its output is
    whether the claims hold.

    Args:
        kind: what is watched.
        claim: `assert_` of a stream that the design makes, `assume` of one that it is given.

    Raises:
        HdlError: `kind` names no payload.
    """
    payload = payload_of(kind, "monitor")

    class Before(State):
        waited: Signal = reg(Bool, reset=0)
        data: Signal = reg(packed(payload), reset=None)

    def monitor(s: Before, watched: Stream[D], ready: Signal) -> tuple[Before, Signal]:
        data, waits = pack(watched.data), watched.valid & ~ready
        stays = ~s.waited | watched.valid
        same = ~(s.waited & watched.valid) | (data == s.data)
        claim(stays, "what was offered and not taken is offered still")
        claim(same, "what was offered and not taken is the same still")
        cover(watched.transfer(ready), "a transfer")
        cover(waits, "an item waits")
        return Before(waited=waits, data=data), stays & same

    return opaque(module(Before, watched=kind, ready=Bool)(monitor))
