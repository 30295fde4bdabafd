"""One simulation: whole arrays in vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir as llvm

from zhufeng.hdl.compile._frame import Carried, Frame, splat
from zhufeng.hdl.compile._lanes import BYTE, INDEX, WORD, Lanes, container
from zhufeng.hdl.compile._layout import Layout, Room
from zhufeng.hdl.compile._operations import Operations, Value
from zhufeng.hdl.compile._sources import Ints, Places, Sources
from zhufeng.hdl.ir import Form, Let, Module, order

_MOVES = frozenset({"spread", "reshape", "transpose", "slice", "join"})
_CHAIN = 16
"""Elements of the longest array of which one is chosen by comparing."""
_I32, _BIT = llvm.IntType(32), llvm.IntType(1)


class Whole(Frame):
    """The elements of an array are the lanes of a vector."""

    def __init__(self, module: Module, layout: Layout) -> None:
        super().__init__(module, layout)
        self._sources = Sources(module, lambda name: module.lets[name].op in _MOVES)
        self._known: dict[str, Value] = {}
        self._held: Carried = {}

    # The cycles.

    def loaded(self) -> Carried:
        """See `Frame`."""
        state = self.arguments["state"]
        return {name: [self._load(state, room)] for name, room in self.layout.registers.items()}

    def cycle(self, held: Carried) -> Carried:
        """See `Frame`."""
        self._held = held
        for name in order(self.module):
            let = self.module.lets[name]
            if let.op not in _MOVES:
                self._known[name] = self._made(let)
        for port, value in self.module.outputs.items():
            self._store(self._clean(value), self.made[port], self.layout.outputs[port])
        for number, claim in enumerate(self.module.claims):
            self.tell(number, self._claimed(claim.kind, self._value(claim.value).lanes))
        after = {name: [self._clean(one.next)] for name, one in self.module.registers.items()}
        for name in self.module.memories:
            self._write(name)
        return after

    def reset_values(self, after: Carried) -> Carried:
        """See `Frame`."""
        del after
        return {
            name: [self._constant(one.form, one.reset).lanes]
            for name, one in self.module.registers.items()
            if one.reset is not None
        }

    def kept(self, held: Carried) -> None:
        """See `Frame`."""
        for name, (value,) in held.items():
            self._store(value, self.arguments["state"], self.layout.registers[name])

    def _claimed(self, kind: str, bits: Any) -> Any:
        if isinstance(bits.type, llvm.VectorType):
            number = self.builder.bitcast(bits, llvm.IntType(bits.type.count))
        else:
            number = bits
        if kind != "cover":
            return self.builder.icmp_unsigned("==", number, number.type(-1))
        if number.type.width > 1:
            number = self.builder.ctpop(number)
        if number.type.width > WORD:
            return self.builder.trunc(number, INDEX)
        return number if number.type.width == WORD else self.builder.zext(number, INDEX)

    # Values.

    def _operations(self, form: Form) -> Operations:
        return Operations(self.builder, Lanes(form.size))

    def _clean(self, name: str) -> Any:
        form = self.module.form(name)
        return self._operations(form).cleaned(self._value(name), form)

    def _value(self, name: str) -> Value:
        """All elements of a value."""
        if name not in self._known:
            self._known[name] = self._gathered(self._sources.of(name))
        return self._known[name]

    def _made(self, let: Let) -> Value:
        match let.op, *let.data:
            case "const", *numbers:
                return self._constant(let.form, [n for n in numbers if isinstance(n, int)])
            case "input", str(port):
                return Value(self._load(self.given[port], self.layout.inputs[port]), clean=True)
            case "register", str(name):
                return Value(self._held[name][0], clean=True)
            case "read", str(memory), int(number):
                return self._read(memory, number)
        moved = {
            "unpack": self._unpacked,
            "pack": self._packed,
            "take": self._taken,
            "put": self._put,
        }
        if let.op in moved:
            return moved[let.op](let)
        forms = [self.module.form(arg) for arg in let.args]
        return self._operations(let.form).made(let, forms, [self._value(arg) for arg in let.args])

    def _constant(self, form: Form, numbers: Sequence[int]) -> Value:
        every = [*numbers] * form.size if len(numbers) == 1 else [*numbers]
        return Value(self._vector_of(container(form.width), every), clean=True)

    def _vector_of(self, bits: int, numbers: Sequence[int]) -> Any:
        mask = (1 << bits) - 1
        if len(numbers) == 1:
            return llvm.IntType(bits)(numbers[0] & mask)
        kind = llvm.VectorType(llvm.IntType(bits), len(numbers))
        return llvm.Constant(kind, [number & mask for number in numbers])

    # Moving elements.

    def _gathered(self, places: Places) -> Value:
        which, where = places.which.reshape(-1), places.where.reshape(-1)
        parts = [self._value(base) for base in places.bases]
        if which.size == 1:
            (number,) = which.tolist()
            return Value(self._one(parts[number].lanes, int(where[0])), parts[number].clean)
        found = None
        for number, part in enumerate(parts):
            here = which == number
            if found is None:
                found = self._picked(part.lanes, where, here)
            elif not isinstance(part.lanes.type, llvm.VectorType):
                for place in np.flatnonzero(here).tolist():
                    found = self.builder.insert_element(found, part.lanes, _I32(place))
            else:
                moved = self._picked(part.lanes, where, here)
                order = np.arange(which.size) + np.where(here, which.size, 0)
                found = self._shuffled(found, moved, order)
        return Value(found, clean=all(part.clean for part in parts))

    def _picked(self, vector: Any, where: Ints, here: Ints) -> Any:
        """Elements of a vector at the places that are wanted, anything at the others."""
        size = where.size
        if not isinstance(vector.type, llvm.VectorType):
            return splat(self.builder, vector, size)
        if size == 1:
            return self.builder.extract_element(vector, _I32(int(where[0])))
        if size == vector.type.count and (where[here] == np.flatnonzero(here)).all():
            return vector
        return self._shuffled(vector, vector, np.where(here, where, 0))

    def _shuffled(self, a: Any, b: Any, places: Ints) -> Any:
        kind = llvm.VectorType(_I32, places.size)
        return self.builder.shuffle_vector(a, b, llvm.Constant(kind, places.tolist()))

    def _at(self, value: str, places: Ints) -> Value:
        """Elements of a value, by their numbers in row-major order."""
        of, flat = self._value(value), places.reshape(-1)
        every = np.ones(flat.size, bool)
        return Value(self._picked(of.lanes, flat, every), clean=of.clean)

    def _numbers(self, value: str) -> Ints:
        form = self.module.form(value)
        return np.arange(form.size).reshape(form.shape)

    def _unpacked(self, let: Let) -> Value:
        (arg,) = let.args
        form, width, count = self.module.form(arg), let.form.width, let.form.shape[-1]
        size = let.form.size
        # LLVM 22.1 fails on bits of numbers in vectors of 31: they are in one of 32.
        more = (1 << (size - 1).bit_length()) - size
        operations, bits = Operations(self.builder, Lanes(size + more)), container(form.width)
        places = np.repeat(self._numbers(arg).reshape(-1), count)
        every = self._at(arg, np.pad(places, (0, more)))
        amounts = [n % count * width for n in range(size + more)]
        moved = self.builder.lshr(operations.bits_of(every, form), self._vector_of(bits, amounts))
        found = operations.part(Value(moved, clean=False), form, 0, let.form)
        if not more:
            return found
        return Value(self._shuffled(found.lanes, found.lanes, np.arange(size)), found.clean)

    def _packed(self, let: Let) -> Value:
        (arg,) = let.args
        numbers, form = self._numbers(arg), self.module.form(arg)
        parts = [self._at(arg, numbers[..., n]) for n in reversed(range(form.shape[-1]))]
        return self._operations(let.form).made(Let("cat", let.form), [form] * len(parts), parts)

    def _index(self, let: Let) -> tuple[Any, Form]:
        """The index of `take` or `put`, for every element of the result."""
        chosen = let.args[1]
        form, shape = self.module.form(chosen), let.form.shape
        numbers = self._numbers(chosen)
        numbers = numbers.reshape((*form.shape, *[1] * (len(shape) - len(form.shape))))
        value = self._at(chosen, np.broadcast_to(numbers, shape))
        return self._operations(let.form).cleaned(value, form), form

    def _taken(self, let: Let) -> Value:
        array = let.args[0]
        index, form = self._index(let)
        outer = len(self.module.form(let.args[1]).shape)
        size = self.module.form(array).shape[outer]
        numbers = np.moveaxis(self._numbers(array), outer, 0)
        bits = container(form.width)
        if size > _CHAIN:
            return self._fetched(let, numbers, index, form)
        found = self._constant(let.form, [0])
        for place in range(min(size, form.high + 1)):
            here = self._at(array, numbers[place])
            at = self._vector_of(bits, [place] * let.form.size)
            same = self.builder.icmp_unsigned("==", index, at)
            lanes = self.builder.select(same, here.lanes, found.lanes)
            found = Value(lanes, clean=here.clean and found.clean)
        return found

    def _fetched(self, let: Let, numbers: Ints, index: Any, form: Form) -> Value:
        """Elements of an array that is put into memory for it."""
        array = let.args[0]
        of = self.module.form(array)
        bits = max(8, container(of.width))
        room = Room(0, of, bits, Lanes(1).bytes(bits))
        held = self.own(room.bytes)
        self._store(self._value(array).lanes, held, room)
        size, first = len(numbers), numbers[0].reshape(-1).tolist()
        apart = int(numbers[1].reshape(-1)[0]) - first[0]
        found = []
        for place, start in enumerate(first):
            at, fits = self._placed(index, form, place, size)
            offset = self.builder.mul(at, INDEX(apart * room.element))
            offset = self.builder.add(offset, INDEX(start * room.element))
            one = self._load_one(held, offset, of)
            found.append(one if fits is None else self.builder.select(fits, one, one.type(0)))
        return Value(self._joined(found), clean=self._value(array).clean)

    def _put(self, let: Let) -> Value:
        array, chosen, value = let.args
        index, form = self._index(let)
        outer = len(self.module.form(chosen).shape)
        shape, bits = let.form.shape, container(form.width)
        every = np.broadcast_to(
            np.arange(shape[outer]).reshape((-1, *[1] * (len(shape) - outer - 1))), shape
        ).reshape(-1)
        places = [n if n <= form.high else 0 for n in every.tolist()]
        same = self.builder.icmp_unsigned("==", index, self._vector_of(bits, places))
        if form.high < shape[outer] - 1:
            fits = self._vector_of(1, [int(n <= form.high) for n in every.tolist()])
            same = self.builder.and_(same, fits)
        numbers = np.broadcast_to(np.expand_dims(self._numbers(value), outer), shape)
        new, old = self._at(value, numbers), self._value(array)
        lanes = self.builder.select(same, new.lanes, old.lanes)
        return Value(lanes, clean=new.clean and old.clean)

    def _joined(self, elements: Sequence[Any]) -> Any:
        if len(elements) == 1:
            return elements[0]
        kind = llvm.VectorType(elements[0].type, len(elements))
        found = llvm.Constant(kind, llvm.Undefined)
        for number, one in enumerate(elements):
            found = self.builder.insert_element(found, one, _I32(number))
        return found

    def _one(self, vector: Any, number: int) -> Any:
        if not isinstance(vector.type, llvm.VectorType):
            return vector
        return self.builder.extract_element(vector, _I32(number))

    # Memories.

    def _placed(self, index: Any, form: Form, number: int, size: int) -> tuple[Any, Any]:
        """An index as a number of LLVM, and whether something is there, if it may be not."""
        one = self._one(index, number)
        fits = None
        if form.high >= size:
            fits = self.builder.icmp_unsigned("<", one, one.type(size))
        if one.type.width < WORD:
            one = self.builder.zext(one, INDEX)
        elif one.type.width > WORD:
            one = self.builder.trunc(one, INDEX)
        return (one if fits is None else self.builder.select(fits, one, INDEX(0))), fits

    def _read(self, memory: str, number: int) -> Value:
        of, room = self.module.memories[memory], self.layout.memories[memory]
        address = of.reads[number].address
        index, form = self._clean(address), self.module.form(address)
        found = []
        for bank in range(of.form.size):
            at, fits = self._placed(index, form, bank, of.depth)
            one = self._load_one(
                self.arguments["state"], self._word(room, bank, of.depth, at), of.form
            )
            found.append(one if fits is None else self.builder.select(fits, one, one.type(0)))
        return Value(self._joined(found), clean=True)

    def _word(self, room: Room, bank: int, depth: int, at: Any) -> Any:
        offset = self.builder.mul(at, INDEX(room.element))
        return self.builder.add(offset, INDEX(room.offset + bank * depth * room.element))

    def _write(self, memory: str) -> None:
        of, room = self.module.memories[memory], self.layout.memories[memory]
        for port in of.writes:
            index, form = self._clean(port.address), self.module.form(port.address)
            data = self._clean(port.data)
            on = None if port.enable is None else self._value(port.enable).lanes
            mask = None if port.mask is None else self._mask(port.mask, of.form)
            for bank in range(of.form.size):
                at, fits = self._placed(index, form, bank, of.depth)
                offset = self._word(room, bank, of.depth, at)
                conditions = [] if fits is None else [fits]
                conditions += [] if on is None else [self._one(on, bank)]
                new, old = self._one(data, bank), None
                if conditions or mask is not None:
                    old = self._load_one(self.arguments["state"], offset, of.form)
                if mask is not None:
                    new = self._merged_bits(old, new, self._one(mask, bank), of.form)
                for condition in conditions:
                    new = self.builder.select(condition, new, old)
                self._store_one(new, self.arguments["state"], offset)

    def _merged_bits(self, old: Any, new: Any, mask: Any, form: Form) -> Any:
        builder = self.builder
        found = builder.or_(builder.and_(old, builder.not_(mask)), builder.and_(new, mask))
        return Operations(builder, Lanes(1)).cleaned(Value(found, clean=False), form)

    def _mask(self, name: str, form: Form) -> Any:
        """The bits of each element that are written."""
        value, of = self._value(name), self.module.form(name)
        width, operations = form.width // of.width, self._operations(of)
        whole = operations.number(0, form).lanes
        for group in range(of.width):
            bit = operations.part(value, of, group, Form(1, signed=False, shape=of.shape)).lanes
            ones = operations.number(((1 << width) - 1) << (group * width), form).lanes
            none = operations.number(0, form).lanes
            whole = self.builder.or_(whole, self.builder.select(bit, ones, none))
        return whole

    def _load_one(self, base: Any, offset: Any, form: Form) -> Any:
        address = self.builder.gep(base, [offset], source_etype=BYTE)
        bits = container(form.width)
        one = self.builder.load(address, typ=llvm.IntType(max(8, bits)), align=1)
        return self.builder.trunc(one, _BIT) if bits == 1 else one

    def _store_one(self, value: Any, base: Any, offset: Any) -> None:
        if value.type.width == 1:
            value = self.builder.zext(value, BYTE)
        address = self.builder.gep(base, [offset], source_etype=BYTE)
        self.builder.store(value, address, align=1)

    def _load(self, base: Any, room: Room) -> Any:
        bits, count = container(room.form.width), room.form.size
        address = self.builder.gep(base, [INDEX(room.offset)], source_etype=BYTE)
        found = self.builder.load(address, typ=Lanes(count).type(max(8, bits)), align=1)
        return self.builder.trunc(found, Lanes(count).type(1)) if bits == 1 else found

    def _store(self, value: Any, base: Any, room: Room) -> None:
        if container(room.form.width) == 1:
            widened = self.builder.sext if room.form.signed else self.builder.zext
            value = widened(value, Lanes(room.form.size).type(8))
        address = self.builder.gep(base, [INDEX(room.offset)], source_etype=BYTE)
        self.builder.store(value, address, align=1)
