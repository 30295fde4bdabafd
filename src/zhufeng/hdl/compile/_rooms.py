"""Where elements stand, how they are reached, and loops over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from llvmlite import ir as llvm

from zhufeng.hdl.compile._frame import ENTRY, Carried, Entry
from zhufeng.hdl.compile._lanes import BYTE, INDEX, WORD, container
from zhufeng.hdl.compile._layout import ALIGNMENT, Layout, Room
from zhufeng.hdl.compile._operations import Operations, Value
from zhufeng.hdl.compile._plan import Plan
from zhufeng.hdl.ir import Form, Let, Module

Index = tuple[Any, ...]
"""The place of an element: along each axis a number, or a `Place`."""
BIT = llvm.IntType(1)


class Place(NamedTuple):
    """An index that a loop counts."""

    value: Any
    """Of LLVM."""
    low: int
    high: int
    """The least and the greatest that it can be."""


class Rooms(Entry):
    """A function whose values stand in memory, element by element."""

    now: Any
    """How many bytes further registers that stand in memory twice are read."""

    def __init__(
        self,
        module: Module,
        plan: Plan,
        layout: Layout,
        unit: llvm.Module | None = None,
        name: str = ENTRY,
    ) -> None:
        super().__init__(module, layout, unit, name)
        self.plan = plan
        self.operations = Operations(self.builder, self.lanes)
        self.tables: dict[str, Any] = {}
        self.held: Carried = {}
        """Of the registers that are written out, what they hold in this cycle."""

    # Constants.

    def _constant(self, name: str, let: Let, index: Index) -> Value:
        numbers = [number for number in let.data if isinstance(number, int)]
        if len(numbers) == 1:
            return self.operations.number(numbers[0], let.form)
        flat = self._flat(index, let.form.shape)
        if isinstance(flat, int):
            return self.operations.number(numbers[flat], let.form)
        table = self._table(name, let.form, numbers)
        return self._from_table(table, flat, let.form, numbers)

    def _table(self, name: str, form: Form, numbers: Sequence[int]) -> Any:
        if name not in self.tables:
            bits = max(8, container(form.width))
            kind = llvm.ArrayType(llvm.IntType(bits), len(numbers))
            table = llvm.GlobalVariable(self.unit, kind, f"{self.function.name}_{len(self.tables)}")
            table.global_constant = True
            table.linkage = "internal"
            mask = (1 << bits) - 1
            table.initializer = llvm.Constant(kind, [number & mask for number in numbers])
            self.tables[name] = table
        return self.tables[name]

    def _from_table(self, table: Any, flat: Any, form: Form, numbers: Sequence[int]) -> Value:
        bits = max(8, container(form.width))
        element = llvm.IntType(bits)
        if isinstance(flat, int):
            return self.operations.number(numbers[flat], form)
        found = self.builder.load(
            self.builder.gep(table, [flat.value], source_etype=element), typ=element
        )
        if container(form.width) == 1:
            found = self.builder.trunc(found, BIT)
        return Value(self.splat(found), clean=True)

    def _spread(self, index: Any, bits: int) -> Any:
        """An index in every lane."""
        number = llvm.IntType(bits)
        one = index.value
        if bits != WORD:
            one = (self.builder.trunc if bits < WORD else self.builder.zext)(one, number)
        return self.splat(one)

    # Places.

    def _flat(self, index: Index, shape: tuple[int, ...]) -> Any:
        flat: Any = 0
        for one, size in zip(index, shape, strict=True):
            flat = self._plus(self._times(flat, size), one)
        return flat

    def _plus(self, a: Any, b: Any) -> Any:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(a, int):
            return a + b
        if isinstance(b, int):
            moved = self.builder.add(a.value, INDEX(b)) if b else a.value
            return Place(moved, a.low + b, a.high + b)
        return Place(self.builder.add(a.value, b.value), a.low + b.low, a.high + b.high)

    def _times(self, a: Any, b: int) -> Any:
        if isinstance(a, int):
            return a * b
        scaled = a.value if b == 1 else self.builder.mul(a.value, INDEX(b))
        return Place(scaled, a.low * b, a.high * b)

    def _index(self, a: Any) -> Any:
        return INDEX(a) if isinstance(a, int) else a.value

    def _at(self, base: Any, room: Room, flat: Any) -> Any:
        offset = self._plus(self._times(flat, room.element), room.offset)
        return self.builder.gep(base, [self._index(offset)], source_etype=BYTE)

    def _address_in(self, room: Room, index: Index) -> Any:
        return self._at(self.arguments["scratch"], room, self._flat(index, room.form.shape))

    def _current(self, register: str) -> Any:
        """The state in which a register is read."""
        state = self.arguments["state"]
        if register not in self.plan.doubled:
            return state
        return self.builder.gep(state, [self.now], source_etype=BYTE)

    def _next(self, register: str) -> Any:
        """The state in which it is set."""
        state = self.arguments["state"]
        if register not in self.plan.doubled:
            return state
        other = self.builder.sub(INDEX(self.layout.doubled), self.now)
        return self.builder.gep(state, [other], source_etype=BYTE)

    def _load(self, address: Any, room: Room) -> Any:
        align, bits = alignment(room), container(room.form.width)
        if room.bits > 1:
            found = self.builder.load(address, typ=self.lanes.type(room.bits), align=align)
            return found if room.bits == bits else self._narrowed(found, room)
        number = self.builder.load(address, typ=self.lanes.mask, align=align)
        if self.lanes.count == 1:
            return self.builder.trunc(number, BIT)
        return self.builder.bitcast(number, self.lanes.type(1))

    def _narrowed(self, wide: Any, room: Room) -> Any:
        # What is widened again costs nothing: LLVM knows that nothing was lost.
        kind = self.lanes.type(container(room.form.width))
        name = "trunc nsw" if room.form.signed else "trunc nuw"
        found = llvm.CastInstr(self.builder.block, name, wide, kind)
        self.builder._insert(found)  # noqa: SLF001
        return found

    def _store(self, value: Any, address: Any, room: Room) -> None:
        bits = container(room.form.width)
        if room.bits == 1:
            value = self.as_number(value)
        elif bits != room.bits:
            widened = self.builder.sext if room.form.signed else self.builder.zext
            value = widened(value, self.lanes.type(room.bits))
        self.builder.store(value, address, align=alignment(room))

    # Loops.

    def _loop(
        self,
        shape: tuple[int, ...],
        body: Callable[[Index], None],
        *,
        descending: bool,
        cuts: Sequence[Sequence[int]] = (),
        unroll: int = 1,
    ) -> None:
        """Around a body, over all places of a shape.

        Args:
            shape: of the places.
            body: writes the code for one.
            descending: whether the last place comes first.
            cuts: for each axis, where another loop begins.
            unroll: how many places of the last axis may be written out.
        """

        def over(axis: int, index: Index) -> None:
            if axis == len(shape):
                body(index)
                return
            starts = [0, *(cuts[axis] if cuts else ()), shape[axis]]
            ranges = list(pairwise(starts))
            for low, end in reversed(ranges) if descending else ranges:
                most = unroll if axis == len(shape) - 1 else 1
                if end - low <= most:
                    places = range(low, end)
                    for place in reversed(places) if descending else places:
                        over(axis + 1, (*index, place))
                else:
                    self._count_over(low, end, lambda p: over(axis + 1, (*index, p)), descending)

        over(0, ())

    def _count_over(
        self, low: int, end: int, body: Callable[[Place], None], descending: bool
    ) -> None:
        builder, before = self.builder, self.builder.block
        head = builder.append_basic_block("loop")
        onward = builder.append_basic_block("done")
        builder.branch(head)
        builder.position_at_end(head)
        place = builder.phi(INDEX, "i")
        place.add_incoming(INDEX(end - 1 if descending else low), before)
        body(Place(place, low, end - 1))
        after = builder.add(place, INDEX(-1 if descending else 1))
        place.add_incoming(after, builder.block)
        last = builder.icmp_unsigned("==", place, INDEX(low if descending else end - 1))
        builder.cbranch(last, onward, head)
        builder.position_at_end(onward)


def alignment(room: Room) -> int:
    """Of its elements, in bytes."""
    return math.gcd(ALIGNMENT, room.element) if room.aligned else 1
