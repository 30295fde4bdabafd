"""Registers of an array that only pass on what comes in at its edge.

Such a register holds nothing but what came in some cycles ago. So for a block of cycles all of
its elements stand as one history in memory: what comes in during the block, the latest first, and
behind that what they hold at its beginning. An element is read one place further ahead in every
cycle; at the end, what they hold stands at the history's beginning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from llvmlite import ir as llvm

from zhufeng.hdl.compile._elements import Elements
from zhufeng.hdl.compile._lanes import BYTE, INDEX, container
from zhufeng.hdl.compile._layout import ALIGNMENT, Layout, Room
from zhufeng.hdl.compile._nest import Nest
from zhufeng.hdl.compile._operations import Value
from zhufeng.hdl.compile._plan import Plan, Shape
from zhufeng.hdl.compile._rooms import Index, alignment
from zhufeng.hdl.ir import Form


@dataclass(frozen=True)
class History:
    """Where it stands."""

    axis: int
    """Along which things are passed on."""
    offset: int
    """In scratch memory."""
    steps: tuple[int, int]
    """Bytes from an element to the next one along each axis."""
    pieces: int
    """So many pieces of the state it holds,"""
    piece: int
    """each of so many bytes."""
    apart: int
    """Bytes from one to the next."""

    @property
    def ahead(self) -> int:
        """Bytes from its beginning to what was held when it began."""
        return self.apart - self.piece

    @property
    def bytes(self) -> int:
        """Of all of it."""
        return -(-self.pieces * self.apart // ALIGNMENT) * ALIGNMENT

    @property
    def chunk(self) -> int:
        """How many bytes of a piece are moved at once."""
        return math.gcd(self.piece, ALIGNMENT)


def history(shape: Shape, axis: int, element: int, cycles: int, offset: int) -> History:
    """Of an array of a shape, with elements of so many bytes, for a block of so many cycles."""
    rows, columns = shape
    if axis == 0:
        row = columns * element
        return History(axis, offset, (row, element), 1, rows * row, (rows + cycles) * row)
    apart = (columns + cycles) * element
    return History(axis, offset, (apart, element), rows, columns * element, apart)


class Delays(Elements):
    """Writes how histories begin, are read, and end."""

    def __init__(
        self, nest: Nest, plan: Plan, places: Layout, unit: llvm.Module, cycles: int
    ) -> None:
        super().__init__(nest.module, plan, places, unit, "wave")
        self._nest, self._cycles = nest, cycles
        self.scratch_bytes = 0
        self._histories = dict[str, History]()
        for name, axis in nest.delays.items():
            element = places.registers[name].element
            one = history(nest.shape, axis, element, cycles, self.scratch_bytes)
            self._histories[name] = one
            self.scratch_bytes += one.bytes

    # Forms.

    def _forms(self, name: str) -> tuple[Form, Form]:
        """A register's in memory, and that in registers of the machine."""
        return self._nest.plain[name], self.module.registers[name].form

    def _keep(self, value: Any, register: str, address: Any, room: Room) -> None:
        """Store a register where it has its own form."""
        plain, wide = self._forms(register)
        if plain != wide:
            # It has been that number before it was made wide.
            bits = container(wide.width)
            value = self.operations.resized(value, bits, max(8, room.bits), signed=wide.signed)
            self.builder.store(value, address, align=alignment(room))
        else:
            self._store(value, address, room)

    def _kept(self, register: str, address: Any, room: Room) -> Any:
        """Load it from there."""
        form, to = self._forms(register)
        value = Value(self._load(address, room), clean=True)
        if form.width < to.width and form.signed and not to.signed:
            half = replace(form, width=to.width // 2, signed=False)
            value, form = self.operations.converted(value, form, half), half
        return self.operations.cleaned(self.operations.converted(value, form, to), to)

    # Histories.

    def _begin(self, time: Any) -> None:
        """A cycle of the block."""
        self._time = time
        self.stand(time, time)

    def _past(self, name: str, place: Index) -> Value:
        """What a register holds in this cycle, at a place that may be just before the first."""
        address = self._past_at(name, place)
        return Value(self._kept(name, address, self.layout.registers[name]), clean=True)

    def _past_at(self, name: str, place: Index) -> Any:
        one = self._histories[name]
        row, column = (self._times(at, step) for at, step in zip(place, one.steps, strict=True))
        start = self._plus(self._plus(row, column), one.offset + one.ahead)
        back = self.builder.mul(self._time, INDEX(one.steps[one.axis]))
        offset = self.builder.sub(self._index(start), back)
        return self.builder.gep(self.arguments["scratch"], [offset], source_etype=BYTE)

    def _remember(self) -> None:
        """Begin all histories."""
        for name, one in self._histories.items():
            self._moved(name, one.ahead, back=False)
            come = partial(self._come, name)
            self._count_over(0, self._cycles, come, descending=False)

    def _come(self, name: str, time: Any) -> None:
        """What comes in in a cycle: in the next one the first elements hold it."""
        axis, register = self._histories[name].axis, self.module.registers[name]
        self._begin(time.value)

        def one(other: Any) -> None:
            first, before = ((n, other) if axis == 0 else (other, n) for n in (0, -1))
            value = self.operations.cleaned(self._element(register.next, first), register.form)
            address = self._past_at(name, before)
            self._keep(value, name, address, self.layout.registers[name])

        self._count_over(0, self._nest.shape[1 - axis], one, descending=False)

    def _recall(self) -> None:
        """End them."""
        for name in self._histories:
            self._moved(name, 0, back=True)

    def _moved(self, name: str, ahead: int, *, back: bool) -> None:
        """Copy a register from the state into its history, or back."""
        one, room = self._histories[name], self.layout.registers[name]
        kind = llvm.VectorType(BYTE, one.chunk)
        state = self._at(self._current(name), room, 0)
        place = INDEX(one.offset + ahead)
        there = self.builder.gep(self.arguments["scratch"], [place], source_etype=BYTE)

        def chunk(number: Any, place: Any) -> None:
            addresses = []
            for base, apart in ((state, one.piece), (there, one.apart)):
                offset = self._plus(self._times(number, apart), self._times(place, one.chunk))
                at = self.builder.gep(base, [self._index(offset)], source_etype=BYTE)
                addresses.append(at)
            source, target = reversed(addresses) if back else addresses
            # Its beginning need not stand where vectors may begin.
            self.builder.store(self.builder.load(source, typ=kind, align=1), target, align=1)

        def piece(number: Any) -> None:
            chunks = one.piece // one.chunk
            self._count_over(0, chunks, partial(chunk, number), descending=False)

        self._count_over(0, one.pieces, piece, descending=False)
