"""A module in three parts, each of which runs a block of cycles before the next one does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir as llvm

from zhufeng.hdl.compile._frame import Entry
from zhufeng.hdl.compile._lanes import BYTE, INDEX, Lanes
from zhufeng.hdl.compile._layout import ALIGNMENT, Layout, Room, layout
from zhufeng.hdl.compile._loops import Loops, loops
from zhufeng.hdl.compile._nest import Nest
from zhufeng.hdl.compile._plan import NOTHING
from zhufeng.hdl.compile._split import Parts
from zhufeng.hdl.compile._wave import CYCLES, Wave
from zhufeng.hdl.ir import Module

_PAIR = 16
"""Bytes that tell where a port stands."""


@dataclass(frozen=True)
class _Part:
    """A function, and where its memory begins in that of the whole."""

    function: Loops
    state: int
    scratch: int
    table: int


class Blocks(Entry):
    """Writes a function that calls those of the parts."""

    def __init__(self, module: Module, parts: Parts, nest: Nest, lanes: Lanes) -> None:
        self._unit = llvm.Module(name=module.name)
        self._scratch = self._state = 0
        self._streams: dict[str, tuple[int, Room]] = {}
        self._parts = [
            self._part(name, one, lanes, parts.streams)
            for name, one in (
                ("before", parts.before),
                ("array", parts.array),
                ("behind", parts.behind),
            )
        ]
        array = self._parts[1].function
        self._wave = Wave(nest, array.plan, array.layout, self._unit)
        self._wave_scratch = self._reserved(self._wave.scratch_bytes)
        super().__init__(module, self._whole(module, lanes), self._unit)

    def _part(self, name: str, module: Module, lanes: Lanes, streams: frozenset[str]) -> _Part:
        function = loops(module, lanes, streams, self._unit, name)
        places = function.layout
        state, self._state = self._state, self._state + places.state_bytes
        table = self._reserved(_PAIR * (len(module.inputs) + len(module.outputs)))
        for port, room in places.outputs.items():
            if port in streams:
                self._streams[port] = self._reserved(CYCLES * room.bytes), room
        return _Part(function, state, self._reserved(places.scratch_bytes), table)

    def _reserved(self, size: int) -> int:
        """A place in scratch memory."""
        place = self._scratch
        self._scratch += -(-size // ALIGNMENT) * ALIGNMENT
        return place

    def _whole(self, module: Module, lanes: Lanes) -> Layout:
        """Where things stand for who calls."""
        plain = layout(module, NOTHING, lanes)
        registers, memories = dict[str, Room](), dict[str, Room]()
        for part in self._parts:
            places = part.function.layout
            for rooms, found in ((places.registers, registers), (places.memories, memories)):
                for name, room in rooms.items():
                    found[name] = replace(room, offset=room.offset + part.state)
        # What each part has twice it finds by the number of the cycle: whether that is odd.
        return replace(
            plain,
            registers=registers,
            memories=memories,
            scratch={},
            doubled=1,
            state_bytes=self._state,
            scratch_bytes=self._scratch,
        )

    # The function.

    def written(self) -> None:
        """All of it."""
        for part in self._parts:
            part.function.written()
            _set_apart(part.function.function)
        self._wave.written()
        _set_apart(self._wave.function)
        self._tables()
        builder, numbers = self.builder, self.arguments
        entry = builder.block
        head, end = (builder.append_basic_block(name) for name in ("block", "end"))
        some = builder.icmp_unsigned(">", numbers["cycles"], INDEX(0))
        builder.cbranch(some, head, end)
        builder.position_at_end(head)
        time, turn = builder.phi(INDEX, "t"), builder.phi(INDEX, "turn")
        left = builder.sub(numbers["cycles"], time)
        whole = builder.icmp_unsigned(">=", left, INDEX(CYCLES))
        count = builder.select(whole, INDEX(CYCLES), left)
        self._block(time, turn, count, whole)
        after = builder.add(time, count)
        onward = builder.urem(builder.add(turn, count), numbers["ring"])
        for phi, first, then in ((time, INDEX(0), after), (turn, numbers["turn"], onward)):
            phi.add_incoming(first, entry)
            phi.add_incoming(then, builder.block)
        builder.cbranch(builder.icmp_unsigned("<", after, numbers["cycles"]), head, end)
        builder.position_at_end(end)
        builder.ret_void()

    def _tables(self) -> None:
        """Where the ports of the parts stand, but for the outputs of the whole."""
        for part in self._parts:
            places = part.function.layout
            for number, port in enumerate((*places.inputs, *places.outputs)):
                if port in self._streams:
                    offset, room = self._streams[port]
                    self._put(part, number, self._in_scratch(offset), INDEX(room.bytes))
                elif number < len(places.inputs):
                    start, step = self._standing[[*self.module.inputs].index(port)]
                    self._put(part, number, start, step)

    def _put(self, part: _Part, number: int, start: Any, step: Any) -> None:
        at = part.table + number * _PAIR
        self.builder.store(start, self._in_scratch(at))
        self.builder.store(step, self._in_scratch(at + _PAIR // 2))

    def _in_scratch(self, offset: int) -> Any:
        return self.builder.gep(self.arguments["scratch"], [INDEX(offset)], source_etype=BYTE)

    def _block(self, time: Any, turn: Any, count: Any, whole: Any) -> None:
        before, array, behind = self._parts
        builder, inputs = self.builder, behind.function.module.inputs
        for number in range(len(self.module.outputs)):
            start, step = self._standing[len(self.module.inputs) + number]
            here = builder.gep(start, [builder.mul(time, step)], source_etype=BYTE)
            self._put(behind, len(inputs) + number, here, step)
        self._call(before, before.function.function, time, count, turn=turn)
        quick = builder.and_(whole, builder.not_(self._is_reset(time, count)))
        with builder.if_else(quick) as (then, otherwise):
            with then:
                wave = replace(array, scratch=self._wave_scratch)
                self._call(wave, self._wave.function, time, count)
            with otherwise:
                self._call(array, array.function.function, time, count)
        self._call(behind, behind.function.function, time, count)

    def _call(self, part: _Part, function: Any, time: Any, count: Any, turn: Any = None) -> None:
        builder, given = self.builder, self.arguments
        odd = builder.and_(builder.add(given["now"], time), INDEX(1))
        reset = builder.mul(time, given["reset_step"])
        builder.call(
            function,
            [
                builder.gep(given["state"], [INDEX(part.state)], source_etype=BYTE),
                self._in_scratch(part.scratch),
                self._in_scratch(part.table),
                builder.gep(given["reset"], [reset], source_etype=BYTE),
                given["claims"],
                count,
                builder.add(given["first"], time),
                INDEX(0) if turn is None else turn,
                INDEX(CYCLES) if turn is None else given["ring"],
                given["reset_step"],
                builder.mul(odd, INDEX(part.function.layout.doubled)),
            ],
        )

    def _is_reset(self, time: Any, count: Any) -> Any:
        """Whether `rst` is 1 in a cycle of a block."""
        builder, given, before = self.builder, self.arguments, self.builder.block
        head, onward = (builder.append_basic_block(name) for name in ("rst", "known"))
        builder.branch(head)
        builder.position_at_end(head)
        number, some = builder.phi(INDEX), builder.phi(BYTE)
        where = builder.mul(builder.add(time, number), given["reset_step"])
        here = builder.load(builder.gep(given["reset"], [where], source_etype=BYTE), typ=BYTE)
        after, found = builder.add(number, INDEX(1)), builder.or_(some, here)
        for phi, first, then in ((number, INDEX(0), after), (some, BYTE(0), found)):
            phi.add_incoming(first, before)
            phi.add_incoming(then, head)
        builder.cbranch(builder.icmp_unsigned("<", after, count), head, onward)
        builder.position_at_end(onward)
        return builder.icmp_unsigned("!=", found, BYTE(0))


def _set_apart(function: Any) -> None:
    function.linkage = "internal"
    function.attributes.add("noinline")
