"""Instances of one module as one array of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from zhufeng.hdl.ir import (
    CycleError,
    Form,
    Instance,
    Let,
    Module,
    port_graph,
    references,
)
from zhufeng.hdl.reader._alike import Row, levels_of, parts_of, rows_of
from zhufeng.hdl.reader._arrays import Arrays, IrregularError
from zhufeng.hdl.reader._builder import Names
from zhufeng.hdl.reader._cycles import in_cycles
from zhufeng.hdl.reader._grid import Element, Many, shaped

Shape = tuple[int, ...]

_FEW: Final = 2
"""Joints that what goes to an input may have."""
_MANY: Final = 8
"""Elements for each joint more."""
_TRIED: Final = 64
"""Joints with which it is worth to try other axes, whatever the number of elements."""


def grouped(module: Module) -> Module:
    """A module whose instances are arrays, where few operations make what goes to their inputs.

    An array has the name that its elements have in common, without the numbers that tell them
    apart: ``row[2].col[5].u``, which is ``row_2_col_5_u`` by itself, is element [2, 5] of
    ``row_col_u``. Numbers count in their order, from the least one on; where they fill no grid,
    and where names differ otherwise, the elements are those of one axis, sorted by name. Of a
    single axis the wiring may make two: element n is then [n // columns, n % columns].

    Instances stay apart where what goes to them has nothing regular, and where values would
    follow from themselves if whole arrays were one value.
    """
    rows = [row for row in rows_of(module) if len(row.members) > 1]
    while rows:
        made = _Grouping(module, rows)
        after = list(_after(module, made))
        if after == rows:
            return made.module
        rows = after
    return module


def _after(module: Module, made: _Grouping) -> Iterator[Row]:
    """The rows that are left to try; those that there are if all is well."""
    rows = made.rows
    if made.irregular:
        for number, row in enumerate(rows):
            yield from parts_of(row) if number in made.irregular else (row,)
        return
    looped = _looped(module, made)
    for number, row in enumerate(rows):
        yield from levels_of(module, row) if number == looped else (row,)


def _looped(module: Module, made: _Grouping) -> int | None:
    """The row, by number, that is to be taken apart, for values must not follow from themselves."""
    try:
        if port_graph(made.module) == port_graph(module):
            return None
        suspects = {one for one in made.names if any(port_graph(made.inner(one)).values())}
    except CycleError:
        values = in_cycles(made.module)
        lets = (made.module.lets[value] for value in values)
        suspects = {str(let.data[0]) for let in lets if let.op == "port"} & {*made.names}
    return max(
        (number for number, name in enumerate(made.names) if name in suspects),
        key=lambda number: len(made.rows[number].members),
    )


class _Grouping:
    """A module in which rows of instances have become arrays."""

    def __init__(self, module: Module, rows: Sequence[Row]) -> None:
        self.rows, self._before = rows, module
        self._at = {
            member: (number, place)
            for number, row in enumerate(rows)
            for place, member in enumerate(row.members)
        }
        self.names = list(self._named())
        shapes = self._shapes()
        self.irregular = {number for number, one in enumerate(shapes) if one is None}
        """The rows of which arrays do not make less."""
        if not self.irregular:
            self.module = self._made([one for one in shapes if one is not None])

    def inner(self, name: str) -> Module:
        """What an array is of."""
        return self._instance(self.names.index(name)).module

    def _instance(self, number: int) -> Instance:
        return self._before.instances[self.rows[number].members[0]]

    def _named(self) -> Iterator[str]:
        before, names = self._before, Names()
        for name in (*before.registers, *before.memories, *before.folds, *before.instances):
            if name not in self._at:
                names.new(name)
        for number, row in enumerate(self.rows):
            yield names.new(row.name or self._instance(number).module.name)

    # Shapes.

    def _shapes(self) -> list[Shape | None]:
        """The axes of each row with which its inputs have least joints; None: too many of them.

        Where it makes no difference, those that suit the others of its length best.
        """
        costs = [self._costs(number) for number in range(len(self.rows))]
        alike: defaultdict[Shape, int] = defaultdict(int)
        for number, row in enumerate(self.rows):
            most = 1 + max(costs[number].values(), default=0)
            for shape in self._axes(row):
                alike[shape] += costs[number].get(shape, most)
        return [
            min(one, key=lambda shape: (one[shape], alike[shape]), default=None) for one in costs
        ]

    def _costs(self, number: int) -> Mapping[Shape, int]:
        """The joints that there are, by the axes; without those that are too many."""
        count = len(self.rows[number].members)
        costs: dict[Shape, int] = {}
        for shape in self._axes(self.rows[number]):
            try:
                costs[shape] = self._joints(number, shape)
            except IrregularError as error:
                if len(shape) == 1 and error.joints > max(count * 3 // 4, _TRIED):
                    break  # two axes would not make enough of a difference
        return costs

    def _axes(self, row: Row) -> Iterator[Shape]:
        """Those of the names, one, and any two."""
        count = len(row.members)
        named = (row.sizes[0], count // row.sizes[0]) if len(row.sizes) > 1 else (count,)
        yield named
        if named != (count,):
            yield (count,)
        for columns in range(2, count // 2 + 1):
            shape = count // columns, columns
            if count % columns == 0 and shape != named:
                yield shape

    def _joints(self, number: int, shape: Shape) -> int:
        """Of all inputs.

        Raises:
            IrregularError: one has too many.
        """
        count = math.prod(shape)
        arrays = self._arrays([(len(row.members),) for row in self.rows])
        for port in self._instance(number).module.inputs:
            arrays.most = arrays.joints + min((count - 1) // 2, _FEW + count // _MANY)
            arrays.array(self._given(number, port, shape))
        return arrays.joints

    def _source(self, let: Let) -> tuple[int, int] | None:
        """The row and the element of it whose output a value is, if it is one."""
        return self._at.get(str(let.data[0])) if let.op == "port" else None

    def _given(self, number: int, port: str, shape: Shape) -> Many:
        members = self.rows[number].members
        return shaped([self._before.instances[one].inputs[port] for one in members], shape)

    # The module.

    def _arrays(self, shapes: Sequence[Shape]) -> Arrays:
        """What makes arrays of values, the outputs of instances as elements of arrays."""
        elements: dict[str, Element] = {}
        arrays = Arrays(self._before.lets, elements)
        for value, let in self._before.lets.items():
            if (source := self._source(let)) is not None:
                number, place = source
                form, data = Form(let.form.width, shape=shapes[number]), let.data[1]
                arrays.where = self._instance(number).where
                array = arrays.make("port", form, data=(self.names[number], data))
                elements[value] = Element(array, place)
        return arrays

    def _made(self, shapes: Sequence[Shape]) -> Module:
        arrays, before = self._arrays(shapes), self._before
        kept = {name: one for name, one in before.instances.items() if name not in self._at}
        made = {name: self._array(n, shapes[n], arrays) for n, name in enumerate(self.names)}
        lets = {value: self._let(value, arrays) for value in before.lets}
        whole = replace(before, lets=lets | arrays.lets, instances=kept | made)
        return replace(whole, lets=_needed(whole))

    def _array(self, number: int, shape: Shape, arrays: Arrays) -> Instance:
        one = self._instance(number)
        arrays.where = one.where
        inputs = {port: arrays.array(self._given(number, port, shape)) for port in one.inputs}
        return replace(one, inputs=inputs, shape=shape)

    def _let(self, value: str, arrays: Arrays) -> Let:
        let = self._before.lets[value]
        if value in arrays.elements:
            one = arrays.elements[value]
            arrays.where = let.where
            return replace(arrays.let(arrays.element(one.array, one.place)), where=let.where)
        return (arrays.packed(value) if let.op == "cat" else None) or let


def _needed(module: Module) -> dict[str, Let]:
    """The values with a name, and those from which anything follows."""
    named = {value for value in module.lets if not value.isdigit()}
    needed, waiting = set[str](), [*named, *references(module)]
    while waiting:
        value = waiting.pop()
        if value not in needed:
            needed.add(value)
            waiting += module.lets[value].args
    return {value: let for value, let in module.lets.items() if value in needed}
