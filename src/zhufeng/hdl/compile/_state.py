"""What a simulation holds between two cycles: in memory, and in a file."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from zhufeng.base import InputError, generator
from zhufeng.hdl.compile._data import Bytes, aligned, packed, unpacked
from zhufeng.hdl.compile._layout import Layout, Room
from zhufeng.hdl.compile._lower import Lowered
from zhufeng.hdl.compile._parts import Part, read_parts, write_parts
from zhufeng.hdl.interpret import Values, anything
from zhufeng.hdl.ir import Module, print_ir

log = logging.getLogger(__name__)
_WHERE: Final = re.compile(r' @"(?:[^"\\]|\\.)*"$', re.MULTILINE)


class Origin(NamedTuple):
    """Of which module a state is."""

    title: str
    content: str
    """The hash of its text, but for the lines of source that it comes from."""


def origin_of(module: Module) -> Origin:
    """Tell a module by its content."""
    text = _WHERE.sub("", print_ir(module))
    return Origin(module.name, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class Keeping:
    """How a kernel has what a module holds, and what it starts with."""

    origin: Origin
    low: Lowered
    places: Layout

    def begun(self, lanes: int, seed: int | None, *, reset: bool) -> State:
        """The state before the first cycle: what the interpreter draws, too.

        Args:
            lanes: how many simulations.
            seed: draws what nothing has set, differently in each lane; without one that is 0.
            reset: whether registers stand at their reset values; else they hold anything.
        """
        held = {}
        for key, room, known in self._starts(reset=reset):
            shape = (lanes, *room.form.shape)
            if known is not None:
                held[key] = np.broadcast_to(np.array(known, object).reshape(shape[1:]), shape)
            elif seed is None:
                held[key] = np.zeros(shape, np.int64)
            else:
                held[key] = anything(room.form, shape, generator(seed, *self._draws[key]))
        return State(self.origin, lanes, 0, keeping=self, batches=self.batches(held, lanes, 0))

    def batches(self, held: Mapping[str, Values], lanes: int, cycle: int) -> tuple[Bytes, ...]:
        """What all of `lanes` hold, [lanes, ...] of each part, as the kernel has it."""
        width = self.places.lanes.count
        batches = tuple(aligned(self.places.state_bytes) for _ in range(0, lanes, width))
        for key, room in self._rooms.items():
            at = self._place(room, cycle)
            for number, batch in enumerate(batches):
                some = held[key][number * width : (number + 1) * width]
                data = packed(some[None], room, width).reshape(-1)
                batch[at : at + data.size] = data
        return batches

    def parts(self, batches: Sequence[Bytes], lanes: int, cycle: int) -> dict[str, Part]:
        """What all lanes hold, by part."""
        width, found = self.places.lanes.count, {}
        for key, room in self._rooms.items():
            at = self._place(room, cycle)
            every = [
                unpacked(batch[None, at : at + room.bytes], room, width, width)[0]
                for batch in batches
            ]
            values = np.concatenate(every)[:lanes] if every else np.zeros((0, *room.form.shape))
            found[key] = Part(room.form, values)
        return found

    def taken(self, state: State) -> tuple[Bytes, ...]:
        """A state as the kernel has it; of the same memory, where it is this kernel's.

        What the state's own simulator did not compute, because nothing recorded asked for it,
        starts with anything: a warning names it.

        Raises:
            InputError: it is one of another module.
        """
        if state.keeping is self:
            return state.batches
        if state.origin != self.origin:
            raise InputError(
                f"a state to start {self.origin.title} from",
                expected=f"one of this {self.origin.title}, {self.origin.content[:12]}",
                came=f"one of {state.origin.title}, {state.origin.content[:12]}",
                do="start from a state of the same design, unchanged",
            )
        held = {key: part.values for key, part in state.parts.items()}
        missing = {key: room for key, room in self._rooms.items() if key not in held}
        if missing:
            # What nothing that was seen depended on was not computed; now it is to be recorded.
            log.warning(
                "the state of %s does not have %s: it starts with anything",
                self.origin.title,
                ", ".join(missing),
            )
            for key, room in missing.items():
                draw = generator(0, *self._draws[key])
                held[key] = anything(room.form, (state.lanes, *room.form.shape), draw)
        return self.batches(held, state.lanes, state.cycle)

    @property
    def _rooms(self) -> dict[str, Room]:
        places = self.places
        registers = {self._key("register", name): one for name, one in places.registers.items()}
        return registers | {self._key("memory", name): one for name, one in places.memories.items()}

    @property
    def _draws(self) -> dict[str, tuple[str | int, ...]]:
        module = self.low.module
        kinds = (("register", module.registers), ("memory", module.memories))
        return {
            self._key(kind, name): self.low.draws[name] for kind, every in kinds for name in every
        }

    def _key(self, kind: str, name: str) -> str:
        """A name that does not depend on what else is in the module once it is one."""
        path, *port = self.low.draws[name]
        return f"{kind} {path}" + "".join(f" read {number}" for number in port)

    def _place(self, room: Room, cycle: int) -> int:
        """Where it stands in the state; what stands there twice changes its place each cycle."""
        return room.offset + room.apart * (cycle % 2)

    def _starts(self, *, reset: bool) -> Iterator[tuple[str, Room, Sequence[int] | None]]:
        """Each part, and what it is known to hold at the start."""
        module, places = self.low.module, self.places
        for name, register in module.registers.items():
            known = register.reset if reset else None
            yield self._key("register", name), places.registers[name], known
        for name, memory in module.memories.items():
            init = memory.init
            if init is not None:
                init = (*init, *[0] * (memory.depth - len(init))) * memory.form.size
            yield self._key("memory", name), places.memories[name], init


class State:
    """Everything that all lanes hold: what a run leaves, and another one can go on from.

    It is of one module, however many lanes that is compiled for. No run changes it.
    """

    def __init__(
        self,
        origin: Origin,
        lanes: int,
        cycle: int,
        *,
        keeping: Keeping | None = None,
        batches: tuple[Bytes, ...] = (),
        parts: Mapping[str, Part] | None = None,
    ) -> None:
        """Made by a run, by `Simulator.start`, by `lane` or by `read`."""
        self.origin = origin
        self.lanes = lanes
        """How many simulations."""
        self.cycle = cycle
        """How many cycles it has behind it."""
        self.keeping = keeping
        """Whose `batches` it has, of the lanes that run side by side; or it has `parts`."""
        self.batches = batches
        self._parts = parts

    @property
    def parts(self) -> Mapping[str, Part]:
        """By name, what is held, [lanes, ...]: ``"register top.u0.count"``."""
        if self._parts is None:
            assert self.keeping is not None
            self._parts = self.keeping.parts(self.batches, self.lanes, self.cycle)
        return self._parts

    def lane(self, lane: int) -> State:
        """The state of one of them, from which it may go on alone.

        Raises:
            InputError: there is no such lane.
        """
        if not 0 <= lane < self.lanes:
            raise InputError(
                f"a state of {self.origin.title}",
                expected=f"a lane from 0 to {self.lanes - 1}",
                came=str(lane),
                do="name a lane that it has",
            )
        parts = {
            key: Part(one.form, one.values[lane : lane + 1]) for key, one in self.parts.items()
        }
        return State(self.origin, 1, self.cycle, parts=parts)

    def write(self, path: Path) -> None:
        """Write it to a file (.npz of NumPy); the same state gives the same bytes.

        Raises:
            OSError: the system refuses.
        """
        told = {**self.origin._asdict(), "lanes": self.lanes, "cycle": self.cycle}
        write_parts(path, told, self.parts)

    @classmethod
    def read(cls, path: Path) -> State:
        """Read what `write` has written.

        Raises:
            InputError: the file is not there, or is no state.
        """
        told, parts = read_parts(path)
        origin = Origin(told["title"], told["content"])
        return cls(origin, told["lanes"], told["cycle"], parts=parts)
