"""Several streams become one."""

from __future__ import annotations

from typing import Generic, TypeVar

from zhufeng.hdl import (
    Bool,
    Module,
    Signal,
    State,
    Struct,
    UInt,
    assert_,
    const,
    leading_zeros,
    module,
    mux,
    pack,
    reg,
    wrap,
)
from zhufeng.hdl._scope import wrong
from zhufeng.hdl.streams._stream import Stream, declared, opaque, payload_of

D = TypeVar("D")


class ArbiterOut(Struct, Generic[D]):
    """What an arbiter gives."""

    up_ready: Signal
    """Bool, of shape [n]."""
    down: Stream[D]
    chosen: Signal
    """UInt: the stream that `down` comes from, while it is valid."""


def arbiter(kind: type[Stream[D]], n: int) -> Module[State, [Stream[D], Signal], ArbiterOut[D]]:
    """The items of `n` streams, of which those that have some take turns.

    Guaranteed:

    - `down` is valid whenever a stream is, in the same cycle;
    - an item of one stream alone is taken in a cycle, those of a stream in their order;
    - what is offered stays: no other stream is chosen while `down.valid & ~down_ready`;
    - fair: while an item waits, each other stream hands on at most one. With all of them busy,
      each has one in every `n` transfers.

    The last two hold where the streams keep the rules.

    Args:
        kind: what each of the streams carries; `up` is of type ``kind.array(n)``: `stack` makes it.
        n: how many streams, at least 1.

    Raises:
        HdlError: `kind` names no payload, or `n` is less than 1.
    """
    payload_of(kind, "arbiter")
    if n < 1:
        raise wrong("arbiter", expected="at least 1 stream", came=str(n), do="change it")
    number = UInt((n - 1).bit_length())
    out = declared(ArbiterOut[D], up_ready=Bool.array(n), down=kind, chosen=number)

    class Turn(State):
        turn: Signal = reg(number, reset=0)

    def arbiter(s: Turn, up: Stream[D], down_ready: Signal) -> tuple[Turn, ArbiterOut[D]]:
        numbers = const(number.array(n), range(n))
        in_turn = up.valid & (numbers >= s.turn)
        chosen = wrap(mux(_any(in_turn), _first(in_turn), _first(up.valid)), number)
        down = kind(_any(up.valid), up[chosen].data)
        assert_(~down.valid | up.valid[chosen], "an arbiter chooses a stream that has an item")
        after = mux(chosen == n - 1, const(number, 0), wrap(chosen + 1, number))
        # What is offered and not taken comes first in the next cycle too.
        turn = mux(down.valid, mux(down_ready, after, chosen), s.turn)
        return Turn(turn=turn), out((numbers == chosen) & down_ready, down, chosen)

    return opaque(module(Turn, up=kind.array(n), down_ready=Bool)(arbiter))


def _any(flags: Signal) -> Signal:
    return pack(flags) != 0


def _first(flags: Signal) -> Signal:
    """The number of the first one that is true; how many there are where none is."""
    return leading_zeros(pack(flags[::-1]))
