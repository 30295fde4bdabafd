"""An array, a few of its elements at a time, for many cycles.

The elements of a tile stay in registers of the machine while they run through the cycles of a
block. What the tiles below and on the right read of them they leave in memory, cycle by cycle, in
the place from which they have taken what the tiles above and on the left have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, Final

from llvmlite import ir as llvm

from zhufeng.hdl.compile._delays import Delays
from zhufeng.hdl.compile._lanes import BYTE, INDEX, container
from zhufeng.hdl.compile._layout import ALIGNMENT, Layout
from zhufeng.hdl.compile._nest import Edge, Nest
from zhufeng.hdl.compile._operations import PRODUCT, Value, vector_bits, vectors
from zhufeng.hdl.compile._plan import Plan, is_view
from zhufeng.hdl.compile._rooms import Index

CYCLES: Final = 32
"""Of a block: an even number, so that registers that stand in memory twice are where they were."""
_WRITTEN_OUT: Final = 4
"""Cycles of them."""
_HELD: Final = 3 / 4
"""Of the registers of the machine, for those of a tile; more bring nothing but more code."""
_SUM: Final = 32
"""Bits of what products can be added to in one go."""
_MOST_ROWS: Final = 4
Cells = dict[tuple[str, int, int], Any]
"""What each register of each element of a tile holds."""


def tile(nest: Nest, lanes: int) -> tuple[int, int]:
    """Rows and columns of a tile: what registers of the machine hold."""
    forms = (one.form for one in nest.module.registers.values())
    size = sum(-(-container(form.width) * lanes // vector_bits()) for form in forms)
    rows = max(n for n in range(1, _MOST_ROWS + 1) if nest.shape[0] % n == 0)
    most = max(1, int(_HELD * vectors()) // (size * rows))
    return rows, max(n for n in range(1, most + 1) if nest.shape[1] % n == 0)


class Wave(Delays):
    """Writes the function; it takes the state, scratch memory and ports, and runs one block."""

    def __init__(self, nest: Nest, plan: Plan, places: Layout, unit: llvm.Module) -> None:
        super().__init__(nest, plan, places, unit, CYCLES)
        self.now = self.arguments["now"]
        self._tile = tile(nest, self.lanes.count)
        self._origin: Index = (0, 0)
        self._cells: Cells = {}
        self._known: dict[tuple[Any, ...], Value] = {}
        read = {(one.register, one.axis) for one in nest.neighbours.values()}
        edges = {(one.register, one.axis) for one in nest.edges.values()}
        passed = sorted(
            (name, axis)
            for name, axis in read | edges
            if axis is not None and name not in nest.delays
        )
        most = [sum(self._size(name) for name, axis in passed if axis == one) for one in (0, 1)]
        # Tiles of a strip follow one another the way most goes, so that it is read soon.
        self._inner = int(most[1] > most[0])
        self._passed = dict[tuple[str, int], int]()
        """Where in scratch memory registers are left for the next tile along an axis."""
        for name, axis in passed:
            self._passed[name, axis] = self.scratch_bytes
            size = CYCLES * self._wide(axis) * self._size(name)
            self.scratch_bytes += -(-size // ALIGNMENT) * ALIGNMENT

    def _size(self, name: str) -> int:
        """Bytes of a register of an element."""
        return self.lanes.bytes(container(self.module.registers[name].form.width))

    def _wide(self, axis: int) -> int:
        """Of how many elements something is left for the next tile along an axis."""
        return (self._tile if axis == self._inner else self._nest.shape)[1 - axis]

    # The whole.

    def written(self) -> None:
        """All of it."""
        inner, outer = self._inner, 1 - self._inner
        count = [size // part for size, part in zip(self._nest.shape, self._tile, strict=True)]

        def strip(place: Any) -> None:
            def one(other: Any) -> None:
                self._run((other, place) if inner == 0 else (place, other))

            self._every(count[inner], one)
            self._count_over(0, CYCLES, partial(self._strip_edges, inner), descending=False)

        self._remember()
        self._every(count[outer], strip)
        self._recall()
        self._count_over(0, CYCLES, partial(self._edges, outer), descending=False)
        self.builder.ret_void()

    def _every(self, count: int, body: Callable[[Any], None]) -> None:
        """The first one apart: before it there is none."""
        body(0)
        if count > 1:
            self._count_over(1, count, body, descending=False)

    def _run(self, place: Index) -> None:
        """A tile."""
        row, column = place
        self._origin = (self._times(row, self._tile[0]), self._times(column, self._tile[1]))
        builder, start = self.builder, self._loaded()
        before, head = builder.block, builder.append_basic_block("cycles")
        onward = builder.append_basic_block("onward")
        builder.branch(head)
        builder.position_at_end(head)
        time = builder.phi(INDEX, "t")
        held = {cell: builder.phi(value.type) for cell, value in start.items()}
        self._cells = dict(held)
        for number in range(_WRITTEN_OUT):
            self._cells = self._cycle(builder.add(time, INDEX(number)))
        after = builder.add(time, INDEX(_WRITTEN_OUT))
        values = ((phi, start[cell], self._cells[cell]) for cell, phi in held.items())
        for phi, first, then in ((time, INDEX(0), after), *values):
            phi.add_incoming(first, before)
            phi.add_incoming(then, head)
        builder.cbranch(builder.icmp_unsigned("<", after, INDEX(CYCLES)), head, onward)
        builder.position_at_end(onward)
        for cell, value in self._cells.items():
            if cell[0] not in self._histories:
                self._keep(value, cell[0], *self._state_address(*cell))

    # The state.

    def _places(self) -> Iterator[tuple[str, int, int]]:
        return product(self.module.registers, range(self._tile[0]), range(self._tile[1]))

    def _state_address(self, name: str, row: int, column: int) -> tuple[Any, Any]:
        room = self.layout.registers[name]
        flat = self._flat(self._at_place(row, column), self._nest.shape)
        return self._at(self._current(name), room, flat), room

    def _at_place(self, row: int, column: int) -> Index:
        return self._plus(self._origin[0], row), self._plus(self._origin[1], column)

    def _loaded(self) -> Cells:
        return {cell: self._kept(cell[0], *self._state_address(*cell)) for cell in self._places()}

    # A cycle.

    def _begin(self, time: Any) -> None:
        """A cycle of the block."""
        self._known = {}
        super()._begin(time)

    def _cycle(self, time: Any) -> Cells:
        """What registers hold after it; leave what they held before it for others."""
        self._begin(time)
        after = {}
        for name, row, column in self._places():
            register = self.module.registers[name]
            value = self._cell(register.next, row, column)
            after[name, row, column] = self.operations.cleaned(value, register.form)
        for name, axis in self._passed:
            for other in range(self._tile[1 - axis]):
                place = [other, other]
                place[axis] = self._tile[axis] - 1
                value = self._cells[name, place[0], place[1]]
                self.builder.store(
                    value, self._passed_at(name, axis, other), align=self._align(name)
                )
        return after

    def _passed_at(self, name: str, axis: int, other: int) -> Any:
        """Where something is left along an axis, at a place of the tile along the other one."""
        place = other if axis == self._inner else self._plus(self._origin[1 - axis], other)
        return self._passed_in(name, axis, place)

    def _passed_in(self, name: str, axis: int, place: Any) -> Any:
        size = self._size(name)
        row = self.builder.mul(self._time, INDEX(self._wide(axis) * size))
        start = self.builder.gep(self.arguments["scratch"], [row], source_etype=BYTE)
        offset = self._plus(self._times(place, size), self._passed[name, axis])
        return self.builder.gep(start, [self._index(offset)], source_etype=BYTE)

    def _align(self, name: str) -> int:
        return min(ALIGNMENT, self._size(name))

    def _cell(self, name: str, row: int, column: int) -> Value:
        """A value at an element of the tile."""
        key = name, row, column
        if key not in self._known:
            self._known[key] = self._cell_made(name, row, column)
        return self._known[key]

    def _cell_made(self, name: str, row: int, column: int) -> Value:
        let = self.module.lets[name]
        if name in self._nest.neighbours:
            return self._neighbour(name, row, column)
        if let.op in ("const", "input") or is_view(self.module, name):
            return self._element(name, self._at_place(row, column))
        if let.op == "add" and let.form.width == _SUM and self.operations.adds_products:
            for product, total in (let.args, let.args[::-1]):
                if self.module.lets[product].op == PRODUCT:
                    return self._product_added(product, total, row, column)
        forms = [self.module.form(arg) for arg in let.args]
        return self.operations.made(let, forms, [self._cell(arg, row, column) for arg in let.args])

    def _product_added(self, product: str, total: str, row: int, column: int) -> Value:
        form, value = self.module.form(total), self._cell(total, row, column)
        a, b = (self._cell(arg, row, column).lanes for arg in self.module.lets[product].args)
        before = self.operations.low(value, form, _SUM, _SUM)
        found = self.operations.halves_multiplied_onto(before, a, b)
        return Value(found, clean=True)

    def _neighbour(self, name: str, row: int, column: int) -> Value:
        one, axis = self._nest.neighbours[name], self._nest.neighbours[name].axis
        there = row - (axis == 0), column - (axis == 1)
        if min(there) >= 0:
            return Value(self._cells[one.register, there[0], there[1]], clean=True)
        assert axis is not None
        if one.register in self._histories:
            return self._past(one.register, self._at_place(*there))
        if self._origin[axis] == 0:
            # There is no tile before this one.
            return self._element(name, self._at_place(row, column))
        return self._left(
            one.register, self._passed_at(one.register, axis, (row, column)[1 - axis])
        )

    def _left(self, register: str, address: Any) -> Value:
        kind = self.lanes.of(self.module.registers[register].form)
        found = self.builder.load(address, typ=kind, align=self._align(register))
        return Value(found, clean=True)

    def _element(self, name: str, index: Index) -> Value:
        """An element of what comes along a row or a column; see `Elements`."""
        let = self.module.lets[name]
        if index == () and (name,) in self._known:
            return self._known[name,]
        if let.op in ("const", "input") or is_view(self.module, name):
            found = super()._element(name, index)
        else:
            found = self._made(name, index)
        if index == ():
            self._known[name,] = found
        return found

    # Out of it.

    def _strip_edges(self, axis: int, time: Any) -> None:
        """What others read of a cycle, at the end of a strip."""
        self._begin(time.value)
        for port, edge in self._nest.edges.items():
            for other in range(self._tile[1 - axis]) if edge.axis == axis else ():
                place = self._plus(self._origin[1 - axis], other)
                self._give(port, edge, place, self._passed_at(edge.register, axis, other))

    def _edges(self, axis: int, time: Any) -> None:
        """What others read of a cycle, after all strips."""
        for port, edge in self._nest.edges.items():
            if edge.axis == axis:

                def give(place: Any, port: str = port, edge: Edge = edge) -> None:
                    self._give(port, edge, place, self._passed_in(edge.register, axis, place))

                self._begin(time.value)
                self._count_over(0, self._nest.shape[1 - axis], give, descending=False)

    def _give(self, port: str, edge: Edge, place: Any, address: Any) -> None:
        room = self.layout.outputs[port]
        found = self._left(edge.register, address).lanes
        self._keep(found, edge.register, self._at(self.made[port], room, place), room)
