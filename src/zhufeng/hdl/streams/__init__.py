"""Streams: values handed on with valid and ready.

A stream is a struct of `valid` and `data`, which go downstream, and a Bool `ready`, which comes
back. A transfer takes place in every cycle without reset in which both are 1. The rules:

1. `valid` never waits for `ready`: no way leads from the `ready` of a stream to its own `valid` or
   `data` within a cycle, and a source that has something says so whether it is ready or not.
   `ready` may wait for `valid`.
2. What is offered stays: after `valid & ~ready`, `valid` is 1 and `data` the same in the next
   cycle.
3. `data` means something only while `valid`; `ready` may come and go.

Every module here keeps the rules downstream if they are kept upstream. Rules 1 and 3 hold by
construction; `monitor` claims rule 2 of any stream. Losing nothing, doubling nothing and keeping
the order need no rules: they hold for any stimulus.

    Byte = stream(UInt(8))
    queue = fifo(Byte, depth=16)

    class Top(State):
        queue: State = instance(queue)

    @module(Top, up=Byte, down_ready=Bool)
    def top(s: Top, up: Stream[Signal], down_ready: Signal) -> tuple[Top, FifoOut[Signal]]:
        held, out = queue(s.queue, up, down_ready)
        return Top(queue=held), out

| module  | up to down within the cycle | down_ready to up_ready within it | holds |
|---------|-----------------------------|----------------------------------|-------|
| stage   | no                          | yes                              | 1     |
| skid    | yes                         | no                               | 1     |
| fifo    | no                          | no                               | depth |
| arbiter | yes                         | yes                              | 0     |

All can pass one item in each cycle, but a fifo of depth 1, which passes one in two. A stage and a
skid in a `row` cut both ways.
"""

from zhufeng.hdl.streams._arbiter import ArbiterOut, arbiter
from zhufeng.hdl.streams._buffers import FifoOut, fifo, skid, stage
from zhufeng.hdl.streams._monitor import monitor
from zhufeng.hdl.streams._row import pipeline, row
from zhufeng.hdl.streams._stream import Stage, StageOut, Stream, stream

__all__ = [
    "ArbiterOut",
    "FifoOut",
    "Stage",
    "StageOut",
    "Stream",
    "arbiter",
    "fifo",
    "monitor",
    "pipeline",
    "row",
    "skid",
    "stage",
    "stream",
]
