"""Code that runs a module for every row of stimuli against every column of them.

What follows from a row's inputs alone is computed once for the row, what follows from a column's
once for the column; only what needs both is computed for every pair. Columns are the lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, Literal, NamedTuple

from llvmlite import ir as llvm

from zhufeng.hdl.compile._frame import ARGUMENTS, ENTRY, KIND, NUMBERS, splat
from zhufeng.hdl.compile._lanes import BYTE, INDEX, POINTER, WORD, Lanes, container
from zhufeng.hdl.compile._layout import ALIGNMENT
from zhufeng.hdl.compile._operations import Operations, Value, is_exact
from zhufeng.hdl.compile._sources import Sources
from zhufeng.hdl.ir import Form, Let, Module, order

Side = Literal["row", "column"]
Of = Literal["none", "row", "column", "pair"]
_VIEWS: Final = frozenset({"spread", "reshape", "transpose", "slice", "join"})
_BYTES: Final = 16
"""Bits of a sum of products of bytes."""
_HALF: Final = 32
_LOSSLESS: Final = frozenset({"add", "sub", "mul"})


def sides(module: Module, given: Mapping[str, Side]) -> dict[str, Of]:
    """Of what each value is: of a row, of a column, of both, or of nothing.

    Args:
        module: without instances and folds.
        given: the side of each input.
    """
    found: dict[str, Of] = {}
    for name in order(module):
        let = module.lets[name]
        every: set[Of]
        if let.op == "input":
            every = {given[str(let.data[0])]}
        elif let.op == "register":
            every = {"pair"}
        else:
            every = {found[arg] for arg in let.args} - {"none"}
        found[name] = "none" if not every else every.pop() if len(every) == 1 else "pair"
    return found


@dataclass(frozen=True)
class Kept:
    """What is kept of a row or a column in a cycle, made of elements of its values."""

    parts: tuple[tuple[str, int], ...]
    """Values and the numbers of their elements."""
    bits: int
    """Of a lane."""
    how: Literal["number", "pair", "sum"] = "number"
    """The one part; two of them, in the lower and the upper half; or the sum of all."""
    bias: int = 0
    """Added to each of a pair; what a sum is multiplied by."""


@dataclass
class Record:
    """What is kept of a row, or of a column, in each cycle."""

    lanes: int
    size: int = 0
    places: dict[Kept, int] = field(default_factory=dict)
    """Bytes from the start."""

    def place(self, kept: Kept) -> int:
        """Where it is kept."""
        if kept not in self.places:
            each = kept.bits // 8 * self.lanes
            self.places[kept] = -(-self.size // each) * each
            self.size = self.places[kept] + each
        return self.places[kept]


class Product(NamedTuple):
    """Of an element of a row's value and one of a column's."""

    row: tuple[str, int]
    column: tuple[str, int]


class GridCode:
    """Writes the function. Of the arguments of every kernel it takes

    - `state`: memory for the records of the rows of a batch, and `scratch`: for those of the
      columns side by side,
    - `ports`: where each input begins, then each output,
    - `cycles`: of a run; `first`: rows; `turn`: columns; `ring`: batches; and from which panel of
      columns on (`reset_step`) to before which one (`now`).
    """

    def __init__(self, module: Module, given: Mapping[str, Side], lanes: int) -> None:
        """Begin.

        Args:
            module: without instances, folds and memories.
            given: the side of each input.
            lanes: columns that are computed side by side.
        """
        self.module, self._given = module, given
        self._wide = Lanes(lanes)
        self._sides = sides(module, given)
        self._sources = Sources(module, lambda name: module.lets[name].op in _VIEWS)
        self.unit = llvm.Module(name=module.name)
        function = llvm.Function(self.unit, KIND, name=ENTRY)
        self._arguments = dict(zip((*ARGUMENTS, *NUMBERS), function.args, strict=True))
        for one in ARGUMENTS:
            self._arguments[one].add_attribute("noalias")
        self._builder = llvm.IRBuilder(function.append_basic_block("entry"))
        ports = (*module.inputs, *module.outputs)
        self._ports = {port: self._port(number) for number, port in enumerate(ports)}
        self.records: dict[Side, Record] = {"row": Record(1), "column": Record(lanes)}
        self._known: dict[tuple[str, int], Value] = {}
        self._held: dict[tuple[str, int], Any] = {}
        self._fetched_already: dict[Kept, Any] = {}
        self._here: dict[Side, Any] = {}
        self._load: Callable[[str, int, int], Any]

    # Memory.

    def _port(self, number: int) -> Any:
        place = self._builder.gep(self._arguments["ports"], [INDEX(number)], source_etype=INDEX)
        return self._builder.load(place, typ=POINTER)

    def _at(self, base: Any, *steps: tuple[Any, int]) -> Any:
        """An address so many times so many bytes further."""
        for count, size in steps:
            offset = self._builder.mul(count, INDEX(size))
            base = self._builder.gep(base, [offset], source_etype=BYTE)
        return base

    def _bytes(self, port: str, *, made: bool = False) -> int:
        """Of all elements of a port."""
        module = self.module
        form = module.form(module.outputs[port]) if made else module.inputs[port]
        return max(8, container(form.width)) // 8 * form.size

    def _variable(self, kind: llvm.Type) -> Any:
        with self._builder.goto_entry_block():
            return self._builder.alloca(kind)

    @contextmanager
    def _counted(self, first: Any, end: Any) -> Iterator[Any]:
        """A loop; its number."""
        builder, number = self._builder, self._variable(INDEX)
        builder.store(first, number)
        head, body, onward = (builder.append_basic_block(one) for one in ("head", "body", "onward"))
        builder.branch(head)
        builder.position_at_end(head)
        here = builder.load(number, typ=INDEX)
        builder.cbranch(builder.icmp_unsigned("<", here, end), body, onward)
        builder.position_at_end(body)
        yield here
        builder.store(builder.add(here, INDEX(1)), number)
        builder.branch(head)
        builder.position_at_end(onward)

    # The whole.

    def written(self) -> str:
        """The text of the function."""
        builder, of = self._builder, self._arguments
        # The pairs tell what is kept of rows and columns; they are written first, run last.
        pairs = self._apart("pairs", self._pairs, ("batch", "panel"))
        column = self._apart("columns", self._columns, ("batch", "panel"))
        row = self._apart("rows", self._rows, ("batch",))
        for side, record in self.records.items():
            record.size = -(-record.size // ALIGNMENT) * ALIGNMENT
            self._bytes_of(side).initializer = INDEX(record.size)
        with self._counted(INDEX(0), of["ring"]) as batch:
            builder.call(row, [*of.values(), batch])
            with self._counted(of["reset_step"], of["now"]) as panel:
                builder.call(column, [*of.values(), batch, panel])
                builder.call(pairs, [*of.values(), batch, panel])
        builder.ret_void()
        return str(self.unit)

    def _apart(self, name: str, body: Callable[..., None], more: Sequence[str]) -> Any:
        """A function of its own, of the same arguments and some more."""
        kind = llvm.FunctionType(llvm.VoidType(), [*KIND.args, *[INDEX] * len(more)])
        function = llvm.Function(self.unit, kind, name=name)
        function.linkage = "internal"
        before = self._builder, self._arguments, self._ports
        count = len(before[1])
        self._arguments = dict(zip(before[1], function.args[:count], strict=True))
        for one in ARGUMENTS:
            self._arguments[one].add_attribute("noalias")
        self._builder = llvm.IRBuilder(function.append_basic_block("entry"))
        self._ports = {port: self._port(number) for number, port in enumerate(before[2])}
        self._known, self._held = {}, {}
        body(*function.args[count:])
        self._builder.ret_void()
        self._builder, self._arguments, self._ports = before
        return function

    # Rows and columns.

    def _rows(self, batch: Any) -> None:
        of = self._arguments
        count = self._builder.mul(of["first"], of["cycles"])
        before = self._builder.mul(batch, count)
        with self._counted(INDEX(0), count) as number:
            self._known = {}
            place = self._builder.add(before, number)

            def load(port: str, element: int) -> Any:
                size = self._bytes(port) // self.module.inputs[port].size
                return self._at(
                    self._ports[port], (place, self._bytes(port)), (INDEX(element), size)
                )

            self._load = lambda port, element, bits: self._builder.load(
                load(port, element), typ=llvm.IntType(max(8, bits)), align=1
            )
            self._kept("row", of["state"], number)

    def _columns(self, batch: Any, panel: Any) -> None:
        of, builder = self._arguments, self._builder
        first = builder.mul(panel, INDEX(self._wide.count))
        last = builder.sub(of["turn"], INDEX(1))
        lines = []
        for lane in range(self._wide.count):
            number = builder.add(first, INDEX(lane))
            # Lanes behind the last column are like it.
            inside = builder.icmp_unsigned("<", number, last)
            number = builder.select(inside, number, last)
            number = builder.add(number, builder.mul(batch, of["turn"]))
            lines.append(builder.mul(number, of["cycles"]))
        beside = {p: self._beside(f) for p, f in self.module.inputs.items() if self._is_column(p)}
        with self._counted(INDEX(0), of["cycles"]) as time:
            self._known = {}
            places = [builder.add(line, time) for line in lines]
            for port, memory in beside.items():
                self._side_by_side(port, memory, places)
            self._load = lambda port, element, bits: builder.load(
                self._at(beside[port], (INDEX(element), self._wide.bytes(max(8, bits)))),
                typ=self._wide.type(max(8, bits)),
                align=1,
            )
            self._kept("column", of["scratch"], time)

    def _is_column(self, port: str) -> bool:
        return self._given[port] == "column"

    def _beside(self, form: Form) -> Any:
        """Memory for an input of all columns of a panel."""
        size = self._wide.bytes(max(8, container(form.width))) * form.size
        with self._builder.goto_entry_block():
            found = self._builder.alloca(llvm.ArrayType(BYTE, size))
        found.align, found.type = ALIGNMENT, POINTER
        return found

    def _side_by_side(self, port: str, memory: Any, places: Sequence[Any]) -> None:
        """Put an input of all columns into memory, element by element."""
        form, size, builder = self.module.inputs[port], self._bytes(port), self._builder
        kind, each = llvm.IntType(max(8, container(form.width))), size // form.size
        # A loop: written out, it would take longer to compile than all else.
        with self._counted(INDEX(0), INDEX(form.size)) as element:
            found = llvm.Constant(llvm.VectorType(kind, len(places)), llvm.Undefined)
            for lane, place in enumerate(places):
                address = self._at(self._ports[port], (place, size), (element, each))
                one = builder.load(address, typ=kind, align=1)
                found = builder.insert_element(found, one, llvm.IntType(32)(lane))
            builder.store(found, self._at(memory, (element, each * len(places))), align=1)

    def _kept(self, side: Side, start: Any, number: Any) -> None:
        """Write a record."""
        base = self._record(side, start, number)
        for kept, offset in self.records[side].places.items():
            address = self._builder.gep(base, [INDEX(offset)], source_etype=BYTE)
            self._builder.store(self._made_for(side, kept), address, align=kept.bits // 8)

    def _made_for(self, side: Side, kept: Kept) -> Any:
        builder, lanes = self._builder, Lanes(self.records[side].lanes)
        operations = Operations(builder, lanes)

        def number(part: tuple[str, int]) -> Any:
            form = self.module.form(part[0])
            found = operations.cleaned(self._value(side, *part), form)
            return operations.resized(found, container(form.width), kept.bits, signed=form.signed)

        numbers = [number(part) for part in kept.parts]
        bias = lanes.constant(kept.bits, kept.bias)
        if kept.how == "number":
            return numbers[0]
        if kept.how == "sum":
            return builder.mul(reduce(builder.add, numbers), bias)
        low, high = (builder.add(one, bias) for one in numbers)
        half = kept.bits // 2
        low = builder.and_(low, lanes.constant(kept.bits, (1 << half) - 1))
        return builder.or_(low, builder.shl(high, lanes.constant(kept.bits, half)))

    # Pairs.

    def _pairs(self, batch: Any, panel: Any) -> None:
        of, builder = self._arguments, self._builder
        with self._counted(INDEX(0), of["first"]) as row:
            self._begin()
            # How much is kept of a row is known when all of this has been written.
            line = builder.mul(row, of["cycles"])
            with self._counted(INDEX(0), of["cycles"]) as time:
                self._known, self._fetched_already = {}, {}
                self._here = {
                    "row": (of["state"], builder.add(line, time)),
                    "column": (of["scratch"], time),
                }
                self._cycle()
            self._known = {}
            self._give(batch, row, panel)

    def _begin(self) -> None:
        for name, register in self.module.registers.items():
            assert register.reset is not None
            every = register.reset
            for element in range(register.form.size):
                number = every[element if len(every) > 1 else 0]
                start = self._wide.constant(container(register.form.width), number)
                if (name, element) not in self._held:
                    self._held[name, element] = self._variable(start.type)
                self._builder.store(start, self._held[name, element])

    def _cycle(self) -> None:
        operations, after = Operations(self._builder, self._wide), {}
        for name, register in self.module.registers.items():
            for element in range(register.form.size):
                value = self._through(register.next, element)
                after[name, element] = operations.cleaned(value, register.form)
        for place, value in after.items():
            self._builder.store(value, self._held[place])

    def _give(self, batch: Any, row: Any, panel: Any) -> None:
        of, builder, lanes = self._arguments, self._builder, self._wide
        operations = Operations(builder, lanes)
        line = builder.add(builder.mul(batch, of["first"]), row)
        across = builder.udiv(builder.add(of["turn"], INDEX(lanes.count - 1)), INDEX(lanes.count))
        place = builder.add(builder.mul(line, across), panel)
        for port, name in self.module.outputs.items():
            form = self.module.form(name)
            bits = max(8, container(form.width))
            # An element at a time: [rows, panels, elements, columns of a panel].
            base = self._at(self._ports[port], (place, lanes.bytes(bits) * form.size))
            for element in range(form.size):
                value = operations.cleaned(self._through(name, element), form)
                value = operations.resized(value, container(form.width), bits, signed=form.signed)
                at = self._at(base, (INDEX(element), lanes.bytes(bits)))
                builder.store(value, at, align=1)

    # Values.

    def _through(self, name: str, element: int, bits: int = 0) -> Value:
        """An element of a value of pairs, wherever it comes from."""
        base, place = self._source(name, element)
        side = self._sides[base]
        if side in ("row", "column"):
            return self._taken(side, base, place, bits)
        return self._value("pair", base, place)

    def _taken(self, side: Side, name: str, element: int, bits: int) -> Value:
        """An element of a value of a row or a column."""
        form = self.module.form(name)
        size = max(8, container(form.width), bits)
        found = self._fetched(side, Kept(((name, element),), size))
        if container(form.width) == 1:
            found = self._builder.trunc(found, self._wide.type(1))
        return Value(found, clean=True)

    def _fetched(self, side: Side, kept: Kept) -> Any:
        """What is kept, in all lanes."""
        if kept not in self._fetched_already:
            record, builder = self.records[side], self._builder
            start = self._record(side, *self._here[side])
            address = builder.gep(start, [INDEX(record.place(kept))], source_etype=BYTE)
            kind = Lanes(record.lanes).type(kept.bits)
            found = builder.load(address, typ=kind, align=kept.bits // 8)
            if side == "row":
                found = splat(builder, found, self._wide.count)
            self._fetched_already[kept] = found
        return self._fetched_already[kept]

    def _record(self, side: Side, start: Any, number: Any) -> Any:
        size = self._builder.load(self._bytes_of(side), typ=INDEX)
        offset = self._builder.mul(number, size)
        return self._builder.gep(start, [offset], source_etype=BYTE)

    def _bytes_of(self, side: Side) -> Any:
        """A number that is known in the end: the bytes of a record."""
        name = f"{side}_bytes"
        found = self.unit.globals.get(name)
        if found is None:
            found = llvm.GlobalVariable(self.unit, INDEX, name)
            found.global_constant, found.linkage = True, "internal"
        return found

    def _value(self, side: Of, name: str, element: int) -> Value:
        """An element of a value that is computed here."""
        key = (name, element)
        if key not in self._known:
            self._known[key] = self._made(side, name, element)
        return self._known[key]

    def _made(self, side: Of, name: str, element: int) -> Value:
        let = self.module.lets[name]
        operations = Operations(self._builder, Lanes(1) if side == "row" else self._wide)
        match let.op, *let.data:
            case "const", *numbers:
                number = numbers[element if len(numbers) > 1 else 0]
                assert isinstance(number, int)
                return operations.number(number, let.form)
            case "register", str(register):
                held = self._held[register, element]
                return Value(self._builder.load(held, typ=self._wide.of(let.form)), clean=True)
            case "input", str(port):
                return self._loaded(operations, port, element, let)
            case ("unpack" | "pack") as op, *_:
                moved = self._unpacked if op == "unpack" else self._packed
                return moved(operations, side, let, element)
        if side == "pair" and let.op == "add" and (products := self._products(name, element)):
            return self._summed(operations, products, container(let.form.width))
        forms = [self.module.form(arg) for arg in let.args]
        bits = container(let.form.width) if let.op in _LOSSLESS else 0
        if let.op == "mul" and bits == WORD and all(form.width <= _HALF for form in forms):
            # As halves of a word, which the machine knows how to multiply.
            bits = _HALF
        args = [self._arg(side, arg, element, bits) for arg in let.args]
        return operations.made(let, forms, args)

    def _arg(self, side: Of, name: str, element: int, bits: int = 0) -> Value:
        if side == "pair":
            return self._through(name, element, bits)
        return self._value(side, *self._source(name, element))

    def _loaded(self, operations: Operations, port: str, element: int, let: Let) -> Value:
        bits = container(let.form.width)
        found = self._load(port, element, bits)
        if bits == 1:
            found = self._builder.trunc(found, operations.lanes.type(1))
        return Value(found, clean=True)

    def _unpacked(self, operations: Operations, side: Of, let: Let, element: int) -> Value:
        (arg,) = let.args
        count = let.form.shape[-1]
        value = self._arg(side, arg, element // count)
        return operations.part(
            value, self.module.form(arg), element % count * let.form.width, let.form
        )

    def _packed(self, operations: Operations, side: Of, let: Let, element: int) -> Value:
        (arg,) = let.args
        form = self.module.form(arg)
        count = form.shape[-1]
        places = reversed(range(element * count, (element + 1) * count))
        parts = [self._arg(side, arg, place) for place in places]
        return operations.made(Let("cat", let.form), [form] * count, parts)

    # Sums of products.

    def _products(self, name: str, element: int) -> list[Product]:
        """The products of which a value is the sum; none where the machine has no instruction
        that multiplies and adds two of them.
        """
        bits = container(self.module.form(name).width)
        found = list(self._terms(name, element) or ())
        known = Operations(self._builder, self._wide).multiplies_pairs(bits)
        alike = len({self.module.form(one.row[0]).width for one in found}) == 1
        fits = alike and all(self._fits(one, bits) for one in found)
        return found if known and fits and len(found) % 2 == 0 else []

    def _terms(self, name: str, element: int) -> list[Product] | None:
        """The products of which an element is the sum, if it is one of such products alone."""
        base, place = self._source(name, element)
        let = self.module.lets[base]
        if self._sides[base] != "pair" or not is_exact(let, [*map(self.module.form, let.args)]):
            return None
        if let.op == "add":
            parts = [self._terms(arg, place) for arg in let.args]
            return None if None in parts else [one for part in parts if part for one in part]
        if let.op == "mul":
            factors = {self._sides[at]: (at, n) for at, n in self._factors(let, place)}
            if factors.keys() == {"row", "column"}:
                return [Product(factors["row"], factors["column"])]
        return None

    def _factors(self, let: Let, element: int) -> list[tuple[str, int]]:
        return [self._source(arg, element) for arg in let.args]

    def _source(self, name: str, element: int) -> tuple[str, int]:
        """Where an element comes from."""
        places = self._sources.of(name)
        base = places.bases[int(places.which.reshape(-1)[element])]
        return base, int(places.where.reshape(-1)[element])

    def _fits(self, product: Product, bits: int) -> bool:
        """Whether two of such products, in halves of so many bits, have a sum of so many."""
        row, column = (self.module.form(name) for name, _ in product)
        if not (row.signed and column.signed and max(row.width, column.width) <= bits // 2):
            return False
        if bits == _BYTES:
            return ((1 << row.width) - 1) << column.width < 1 << (bits - 1)
        return row.width + column.width < bits

    def _summed(self, operations: Operations, products: Sequence[Product], bits: int) -> Value:
        """The sum of products, two at a time."""
        # Instructions on bytes take a factor without sign: what that adds is taken away again.
        width = self.module.form(products[0].row[0]).width
        bias = 1 << (width - 1) if bits == _BYTES else 0
        whole = None
        if bias:
            parts = tuple(one.column for one in products)
            whole = self._fetched("column", Kept(parts, bits, "sum", -bias))
        for one, other in zip(products[::2], products[1::2], strict=True):
            a = self._fetched("row", Kept((one.row, other.row), bits, "pair", bias))
            b = self._fetched("column", Kept((one.column, other.column), bits, "pair"))
            both = operations.pairs_multiplied(a, b, bits)
            whole = both if whole is None else self._builder.add(whole, both)
        return Value(whole, clean=True)
