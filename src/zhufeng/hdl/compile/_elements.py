"""Elements of values: computed, or found where they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from llvmlite import ir as llvm

from zhufeng.hdl.compile._frame import ENTRY
from zhufeng.hdl.compile._lanes import BYTE, INDEX, WORD, container
from zhufeng.hdl.compile._layout import Layout, Room
from zhufeng.hdl.compile._operations import Value
from zhufeng.hdl.compile._plan import Plan, Sink, is_view
from zhufeng.hdl.compile._rooms import BIT, Index, Place, Rooms
from zhufeng.hdl.compile._sources import Sources
from zhufeng.hdl.ir import Form, Let, Module

_CHAIN: Final = 16
"""Elements of the longest array of which one is chosen by comparing."""


class _Column(NamedTuple):
    """Elements of which one is chosen."""

    base: Any
    """Where the first one stands,"""
    room: Room
    """and in which room."""
    depth: int
    """How many there are."""
    apart: int = 1
    """How many elements lie from one to the next."""


class _Part(NamedTuple):
    """Of what is joined."""

    value: str
    start: int
    """Its place along the axis,"""
    end: int
    """and that of the next one."""


class Elements(Rooms):
    """Values as they are needed, an element at a time."""

    def __init__(
        self,
        module: Module,
        plan: Plan,
        layout: Layout,
        unit: llvm.Module | None = None,
        name: str = ENTRY,
    ) -> None:
        super().__init__(module, plan, layout, unit, name)
        self.straight: dict[str, dict[Index, Value]] = {}
        """Elements of what is written out."""
        self.element_of: dict[str, Value] = {}
        """What the loop that is being written has computed at its place."""
        self.place: Index = ()
        self.off: str | None = None
        """A bit that is 0 in all lanes where code is being written."""
        self._sources = Sources(module, lambda name: is_view(module, name))

    # Elements.

    def _made(self, name: str, index: Index) -> Value:
        """Compute an element."""
        let = self.module.lets[name]
        match let.op, *let.data:
            case "read", str(memory), int(number):
                address = self.module.memories[memory].reads[number].address
                return self._read(memory, address, index)
            case "mux", *_ if self.off is not None and self.chooser(let) == self.off:
                return self._element(let.args[-1], index)
        moved = {
            "take": self._taken,
            "put": self._put,
            "pack": self._packed,
            "join": self._chosen,
        }
        if let.op in moved:
            return moved[let.op](let, index)
        forms = [self.module.form(arg) for arg in let.args]
        return self.operations.made(let, forms, [self._element(arg, index) for arg in let.args])

    def chooser(self, let: Let) -> str | None:
        """The bit by which all elements of a value are chosen, if it is one bit."""
        if let.op != "mux" or not let.form.shape:
            return None
        bases = self._sources.of(let.args[0]).bases
        return bases[0] if len(bases) == 1 and not self.module.form(bases[0]).shape else None

    def _element(self, name: str, index: Index) -> Value:
        """What stands for an element."""
        if name in self.element_of and (index == self.place or name not in self.layout.scratch):
            # However its place is told: what is needed at others stands in memory.
            return self.element_of[name]
        let = self.module.lets[name]
        fixed = all(isinstance(one, int) for one in index)
        if name in self.straight and fixed:
            return self.straight[name][index]
        if let.op == "register" and fixed and let.data[0] in self.held:
            number = self._flat(index, let.form.shape)
            return Value(self.held[str(let.data[0])][number], clean=True)
        if is_view(self.module, name):
            return self._viewed(let, index)
        if let.op == "const":
            return self._constant(name, let, index)
        stands = self._address(name, index)
        assert stands is not None, name
        return Value(self._load(*stands), clean=self._is_clean(name))

    def _is_clean(self, name: str) -> bool:
        return self.module.lets[name].op in ("register", "input")

    def _viewed(self, let: Let, index: Index) -> Value:
        (arg, *_) = let.args
        if let.op == "join":
            return self._chosen(let, index)
        if let.op == "unpack":
            return self._unpacked(let, index)
        return self._element(arg, self._through(let, index))

    def _through(self, let: Let, index: Index) -> Index:
        """The place in its operand of a place in a view."""
        shape = self.module.form(let.args[0]).shape
        match let.op, *let.data:
            case "spread", *axes:
                return tuple(one for axis, one in enumerate(index) if axis not in axes)
            case "transpose", *axes:
                found = dict(zip(axes, index, strict=True))
                return tuple(found[axis] for axis in range(len(index)))
            case "slice", int(axis), int(start), int(step):
                moved = self._plus(self._times(index[axis], step), start)
                return (*index[:axis], moved, *index[axis + 1 :])
        return self._reshaped(index, let.form.shape, shape)

    def _reshaped(self, index: Index, shape: tuple[int, ...], to: tuple[int, ...]) -> Index:
        long = [one for one, size in zip(index, shape, strict=True) if size != 1]
        if [size for size in shape if size != 1] == [size for size in to if size != 1]:
            return tuple(long.pop(0) if size != 1 else 0 for size in to)
        flat, found = self._flat(index, shape), list[Any]()
        for size in reversed(to):
            place: Any
            if isinstance(flat, int):
                flat, place = divmod(flat, size)
            else:
                place = Place(self.builder.urem(flat.value, INDEX(size)), 0, size - 1)
                whole = self.builder.udiv(flat.value, INDEX(size))
                flat = Place(whole, flat.low // size, flat.high // size)
            found.append(place)
        return tuple(reversed(found))

    def _chosen(self, let: Let, index: Index) -> Value:
        """An element of one of those that are joined."""
        axis, start, parts = let.data[0], 0, list[_Part]()
        assert isinstance(axis, int)
        for arg in let.args:
            parts.append(_Part(arg, start, start + self.module.form(arg).shape[axis]))
            start = parts[-1].end
        return self._of_parts(parts, axis, index)

    def _of_parts(self, parts: Sequence[_Part], axis: int, index: Index) -> Value:
        def within(part: _Part, place: Any) -> Index:
            return (*index[:axis], self._plus(place, -part.start), *index[axis + 1 :])

        place = index[axis]
        low, high = (place, place) if isinstance(place, int) else place[1:]
        first, *others = (one for one in parts if one.start <= high and low < one.end)
        if not others:
            return self._element(first.value, within(first, place))
        builder, end = self.builder, INDEX(first.end)
        before = builder.icmp_unsigned("<", place.value, end)
        here = Place(builder.select(before, place.value, INDEX(low)), low, first.end - 1)
        there = Place(builder.select(before, end, place.value), first.end, high)
        if len(others) == 1:
            both = ((first, here), (others[0], there))
            one, other = (self._address(part.value, within(part, at)) for part, at in both)
            if one is not None and other is not None and one[1].bits == other[1].bits:
                address = builder.select(before, one[0], other[0])
                clean = all(self._is_clean(self._behind(part.value)) for part, _ in both)
                return Value(self._load(address, one[1]), clean=clean)
        a = self._element(first.value, within(first, here))
        b = self._of_parts(others, axis, (*index[:axis], there, *index[axis + 1 :]))
        return Value(builder.select(before, a.lanes, b.lanes), clean=a.clean and b.clean)

    def _behind(self, name: str) -> str:
        """What a value that has an address is a view of."""
        while is_view(self.module, name):
            name = self.module.lets[name].args[0]
        return name

    def _address(self, name: str, index: Index) -> tuple[Any, Room] | None:
        """Where an element stands in memory, if it does."""
        let = self.module.lets[name]
        if let.op in ("spread", "reshape", "transpose", "slice"):
            return self._address(let.args[0], self._through(let, index))
        if name in self.element_of and index == self.place:
            return None
        if name in self.layout.scratch:
            room = self.layout.scratch[name]
            return self._address_in(room, index), room
        if let.op == "input":
            room = self.layout.inputs[str(let.data[0])]
            return self._at(
                self.given[str(let.data[0])], room, self._flat(index, let.form.shape)
            ), room
        if let.op == "register" and let.data[0] not in self.held:
            room = self.layout.registers[str(let.data[0])]
            flat = self._flat(index, let.form.shape)
            return self._at(self._current(str(let.data[0])), room, flat), room
        return None

    def _unpacked(self, let: Let, index: Index) -> Value:
        (arg,) = let.args
        form, width, place = self.module.form(arg), let.form.width, index[-1]
        value = self._element(arg, index[:-1])
        if isinstance(place, int):
            return self.operations.part(value, form, place * width, let.form)
        size = container(form.width)
        amount = self._spread(self._times(place, width), size)
        moved = self.builder.lshr(self.operations.bits_of(value, form), amount)
        return self.operations.part(Value(moved, clean=False), form, 0, let.form)

    def _packed(self, let: Let, index: Index) -> Value:
        (arg,) = let.args
        form = self.module.form(arg)
        parts = [self._element(arg, (*index, place)) for place in range(form.shape[-1])]
        whole = Let("cat", let.form, ())
        return self.operations.made(whole, [form] * len(parts), parts[::-1])

    def _taken(self, let: Let, index: Index) -> Value:
        array, chosen = let.args
        form, outer = self.module.form(chosen), len(self.module.form(chosen).shape)
        size = self.module.form(array).shape[outer]
        at = self._element(chosen, index[:outer])
        number = self.operations.cleaned(at, form)
        if size > _CHAIN:
            stands = self._address(array, (*index[:outer], 0, *index[outer:]))
            if stands is not None:
                deeper = math.prod(self.module.form(array).shape[outer + 1 :])
                return self._gathered(_Column(*stands, size, deeper), (number, form), let.form)
        found = self.operations.number(0, let.form)
        bits = container(form.width)
        for place in range(min(size, form.high + 1)):
            here = self._element(array, (*index[:outer], place, *index[outer:]))
            same = self.builder.icmp_unsigned("==", number, self.lanes.constant(bits, place))
            chosen_here = self.builder.select(same, here.lanes, found.lanes)
            found = Value(chosen_here, clean=found.clean and here.clean)
        return found

    def _put(self, let: Let, index: Index) -> Value:
        array, chosen, value = let.args
        form, outer = self.module.form(chosen), len(self.module.form(chosen).shape)
        number = self.operations.cleaned(self._element(chosen, index[:outer]), form)
        here, bits = index[outer], container(form.width)
        old = self._element(array, index)
        if isinstance(here, int):
            if here > form.high:
                return old
            at: Any = self.lanes.constant(bits, here)
        else:
            at = self._spread(here, bits)
        same = self.builder.icmp_unsigned("==", number, at)
        if not isinstance(here, int) and form.high < here.high:
            # Where the number of the element does not fit the index, it is another one.
            fits = self.builder.icmp_unsigned("<=", here.value, INDEX(form.high))
            same = self.builder.select(fits, same, self.lanes.constant(1, 0))
        new = self._element(value, (*index[:outer], *index[outer + 1 :]))
        return Value(self.builder.select(same, new.lanes, old.lanes), clean=new.clean and old.clean)

    # Memories.

    def _read(self, memory: str, address: str, index: Index) -> Value:
        of, room = self.module.memories[memory], self.layout.memories[memory]
        form = self.module.form(address)
        number = self.operations.cleaned(self._element(address, index), form)
        flat = self._flat((*index, 0), room.form.shape)
        base = self._at(self.arguments["state"], room, flat)
        return self._gathered(_Column(base, room, of.depth), (number, form), of.form)

    def _gathered(self, column: _Column, at: tuple[Any, Form], form: Form) -> Value:
        """An element of a column for each lane, by an index of a form; 0 where there is none."""
        number, index_form = at
        within = self._within(number, index_form, column.depth)
        lanes = []
        for lane in range(self.lanes.count):
            place = self._lane(number, container(index_form.width), lane)
            ok = None if within is None else self._bit(within, lane)
            if ok is not None:
                place = self.builder.select(ok, place, INDEX(0))
            place = self._times(Place(place, 0, column.depth), column.apart)
            found = self._lane_load(column.base, place, lane, column.room)
            if column.room.bits != container(form.width):
                found = self.builder.trunc(found, llvm.IntType(container(form.width)))
            if ok is not None:
                found = self.builder.select(ok, found, found.type(0))
            lanes.append(found)
        return Value(self._vector(lanes), clean=True)

    def _within(self, number: Any, form: Form, depth: int) -> Any:
        if form.high < depth:
            return None
        end = self.lanes.constant(container(form.width), depth)
        return self.builder.icmp_unsigned("<", number, end)

    def _lane(self, vector: Any, bits: int, lane: int) -> Any:
        one = vector
        if self.lanes.count > 1:
            one = self.builder.extract_element(vector, llvm.IntType(32)(lane))
        if bits > WORD:
            return self.builder.trunc(one, INDEX)
        return one if bits == WORD else self.builder.zext(one, INDEX)

    def _bit(self, mask: Any, lane: int) -> Any:
        if self.lanes.count == 1:
            return mask
        return self.builder.extract_element(mask, llvm.IntType(32)(lane))

    def _vector(self, lanes: Sequence[Any]) -> Any:
        if self.lanes.count == 1:
            return lanes[0]
        found = llvm.Constant(llvm.VectorType(lanes[0].type, len(lanes)), llvm.Undefined)
        for number, one in enumerate(lanes):
            found = self.builder.insert_element(found, one, llvm.IntType(32)(number))
        return found

    def _lane_place(self, base: Any, place: Any, lane: int, room: Room) -> tuple[Any, Any]:
        """Where a lane of an element stands: its byte, and the bit in it of a single bit."""
        offset = self._times(place, room.element)
        if room.bits == 1:
            byte = self._plus(offset, lane // 8)
            return self.builder.gep(base, [self._index(byte)], source_etype=BYTE), lane % 8
        offset = self._plus(offset, lane * (room.bits // 8))
        return self.builder.gep(base, [self._index(offset)], source_etype=BYTE), 0

    def _lane_load(self, base: Any, place: Any, lane: int, room: Room) -> Any:
        address, bit = self._lane_place(base, place, lane, room)
        if room.bits == 1:
            byte = self.builder.load(address, typ=BYTE)
            return self.builder.trunc(self.builder.lshr(byte, BYTE(bit)), BIT)
        return self.builder.load(address, typ=llvm.IntType(room.bits), align=1)

    def _write(self, sink: Sink, index: Index) -> Callable[[], None]:
        of, room = self.module.memories[sink.name], self.layout.memories[sink.name]
        port = of.writes[sink.number]
        form = self.module.form(port.address)
        number = self.operations.cleaned(self._element(port.address, index), form)
        data = self._element(port.data, index)
        on = self._within(number, form, of.depth)
        if port.enable is not None:
            enable = self._element(port.enable, index).lanes
            on = enable if on is None else self.builder.and_(on, enable)
        mask = None
        if port.mask is not None:
            mask = self._mask(port.mask, index, of.form)
        known = self.operations.cleaned(data, of.form)
        base = self._at(self.arguments["state"], room, self._flat((*index, 0), room.form.shape))

        def write() -> None:
            for lane in range(self.lanes.count):
                self._write_lane(base, (number, form), (known, mask, on), lane, room)

        return write

    def _mask(self, name: str, index: Index, form: Form) -> Any:
        """The bits of an element that are written."""
        value, of = self._element(name, index), self.module.form(name)
        width, size = form.width // of.width, container(form.width)
        whole = None
        for group in range(of.width):
            bit = self.operations.part(value, of, group, Form(1)).lanes
            ones = self.lanes.constant(size, ((1 << width) - 1) << (group * width))
            part = self.builder.select(bit, ones, self.lanes.constant(size, 0))
            whole = part if whole is None else self.builder.or_(whole, part)
        return whole

    def _write_lane(
        self, base: Any, at: tuple[Any, Form], what: tuple[Any, Any, Any], lane: int, room: Room
    ) -> None:
        form = room.form
        builder, (number, index_form), (data, mask, on) = self.builder, at, what
        place = self._lane(number, container(index_form.width), lane)
        value = self._bit(data, lane)
        if on is not None:
            ok = self._bit(on, lane)
            place = builder.select(ok, place, INDEX(0))
        address, bit = self._lane_place(base, Place(place, 0, 0), lane, room)
        if container(form.width) == 1:
            ones: Any = BIT(1) if mask is None else self._bit(mask, lane)
            ones = ones if on is None else builder.and_(ones, ok)
            ones = builder.shl(builder.zext(ones, BYTE), BYTE(bit))
            value = builder.shl(builder.zext(value, BYTE), BYTE(bit))
            before = builder.load(address, typ=BYTE)
            kept = builder.and_(before, builder.not_(ones))
            builder.store(builder.or_(kept, builder.and_(value, ones)), address)
            return
        kind = value.type
        if mask is not None or on is not None:
            before = builder.load(address, typ=kind, align=1)
            if mask is not None:
                ones = self._bit(mask, lane)
                value = builder.or_(
                    builder.and_(before, builder.not_(ones)), builder.and_(value, ones)
                )
                value = self._canonical(value, form)
            if on is not None:
                value = builder.select(ok, value, before)
        builder.store(value, address, align=1)

    def _canonical(self, value: Any, form: Form) -> Any:
        """One lane, its sign continued above its bits."""
        bits = container(form.width)
        if form.width in {bits, 0}:
            return value
        up = value.type(bits - form.width)
        moved = self.builder.shl(value, up)
        return self.builder.ashr(moved, up) if form.signed else self.builder.lshr(moved, up)
