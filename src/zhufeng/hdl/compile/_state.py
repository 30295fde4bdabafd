"""What a simulation holds between two cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zhufeng.base import generator
from zhufeng.hdl.compile._data import Bytes, aligned, packed
from zhufeng.hdl.compile._layout import Layout, Room
from zhufeng.hdl.compile._lower import Lowered
from zhufeng.hdl.interpret import anything


@dataclass(frozen=True)
class State:
    """Everything that all lanes hold: what a run leaves, and another one can go on from."""

    lanes: int
    batches: tuple[Bytes, ...]
    """Of the lanes that run side by side; the kernel knows what stands where."""
    cycle: int = 0
    """How many cycles it has behind it."""


def begun(low: Lowered, places: Layout, lanes: int, seed: int, *, reset: bool) -> State:
    """The state before the first cycle: what the interpreter draws, too.

    Args:
        low: the module.
        places: of the kernel.
        lanes: how many simulations.
        seed: draws what nothing has set, differently in each lane.
        reset: whether registers stand at their reset values; else they hold anything.
    """
    width = places.lanes.count
    batches = tuple(aligned(places.state_bytes) for _ in range(0, lanes, width))

    def put(name: str, room: Room, known: Sequence[int] | None) -> None:
        shape = (lanes, *room.form.shape)
        if known is None:
            values = anything(room.form, shape, generator(seed, *low.draws[name]))
        else:
            values = np.broadcast_to(np.array(known, object).reshape(room.form.shape), shape)
        for number, batch in enumerate(batches):
            some = values[number * width : (number + 1) * width]
            data = packed(some[None], room, width).reshape(-1)
            batch[room.offset : room.offset + data.size] = data

    for name, one in low.module.registers.items():
        put(name, places.registers[name], one.reset if reset else None)
    for name, memory in low.module.memories.items():
        init = memory.init
        if init is not None:
            init = (*init, *[0] * (memory.depth - len(init))) * memory.form.size
        put(name, places.memories[name], init)
    return State(lanes, batches)
