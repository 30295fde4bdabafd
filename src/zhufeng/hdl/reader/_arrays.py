"""Single values as the elements of one array, made with few operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Final

from zhufeng.hdl.ir import Data, Form, Let
from zhufeng.hdl.reader._grid import CONSTANT, Element, Grid, Inside, Many, shaped
from zhufeng.hdl.reader._origins import Origins, Piece, alike
from zhufeng.hdl.reader._steps import Look, Steps

_PERIOD: Final = 4
"""How many parts an element of a number that is put together may have."""


class Operations:
    """Values on arrays, each made once, beside those of a module."""

    def __init__(self, before: Mapping[str, Let]) -> None:
        self.lets: dict[str, Let] = {}
        self.before = before
        self.where = ""
        """Of what is made next."""
        self._numbers = count(1 + max((int(one) for one in before if one.isdigit()), default=-1))
        self._made: dict[tuple[object, ...], str] = {}

    def make(self, op: str, form: Form, *args: str, data: Iterable[Data] = ()) -> str:
        """An operation; its name."""
        key = op, form, args, tuple(data)
        if key not in self._made:
            name = next(str(n) for n in self._numbers)
            self.lets[name] = Let(op, form, args, key[3], self.where)
            self._made[key] = name
        return self._made[key]

    def let(self, value: str) -> Let:
        """Of a value: a new one, or one that was there."""
        return self.lets[value] if value in self.lets else self.before[value]

    def form(self, value: str) -> Form:
        """Of a value."""
        return self.let(value).form

    def reshaped(self, value: str, shape: tuple[int, ...]) -> str:
        """The same elements in another shape."""
        if self.let(value).op == "reshape" and value in self.lets:
            (value,) = self.let(value).args
        form = self.form(value)
        if form.shape == shape:
            return value
        return self.make("reshape", replace(form, shape=shape), value)

    def slice(self, value: str, axis: int, first: int, step: int, length: int) -> str:
        """Some elements along an axis."""
        form, step = self.form(value), step if length > 1 else 1
        shape = (*form.shape[:axis], length, *form.shape[axis + 1 :])
        if (first, step, shape) == (0, 1, form.shape):
            return value
        return self.make("slice", replace(form, shape=shape), value, data=(axis, first, step))

    def spread(self, value: str, axis: int, length: int) -> str:
        """Repeated along a new axis."""
        form = self.form(value)
        shape = (*form.shape[:axis], length, *form.shape[axis:])
        axes: tuple[int, ...] = (axis,)
        if length == 1:
            return self.reshaped(value, shape)
        inner = self.let(value)
        if inner.op == "spread" and not self.form(inner.args[0]).shape:
            (value,), axes = inner.args, tuple(range(len(shape)))
        return self.make("spread", replace(form, shape=shape), value, data=axes)

    def join(self, parts: Sequence[str], axis: int) -> str:
        """One after the other along an axis."""
        if len(parts) == 1:
            return parts[0]
        form = self.form(parts[0])
        length = sum(self.form(one).shape[axis] for one in parts)
        shape = (*form.shape[:axis], length, *form.shape[axis + 1 :])
        return self.make("join", replace(form, shape=shape), *parts, data=(axis,))

    def bits(self, value: str, low: int, width: int) -> str:
        """Some bits of each element."""
        form = self.form(value)
        if (low, width) == (0, form.width) and not form.signed:
            return value
        return self.make("bits", Form(width, shape=form.shape), value, data=(low,))

    def element(self, array: str, place: int) -> str:
        """One of an array, by itself."""
        size = self.form(array).size
        return self.reshaped(self.slice(self.reshaped(array, (size,)), 0, place, 1, 1), ())


class IrregularError(Exception):
    """An array has more joints than it may; `joints` are those known of."""

    def __init__(self, joints: int) -> None:
        super().__init__("an array of values that come from everywhere")
        self.joints = joints


class Arrays(Operations):
    """Makes arrays of the values of a module, some of which are elements of arrays already."""

    def __init__(self, before: Mapping[str, Let], elements: Mapping[str, Element]) -> None:
        super().__init__(before)
        self.joints = 0
        """Where what follows does not come as regularly as what is before it."""
        self.most: int | None = None
        """How many may be found."""
        self.elements = elements
        self._origins = Origins(before)
        self._known: dict[tuple[object, ...], str] = {}

    def array(self, values: Many, depth: int = 0) -> str:
        """An array of values of one form."""
        key = (depth, values.shape, *values.flat)
        if key not in self._known:
            self._known[key] = self._found(values, depth)
        return self._known[key]

    def _found(self, values: Many, depth: int) -> str:
        if not values.ndim:
            return str(values.item())
        for axis, length in enumerate(values.shape):
            first = values.take([0], axis)
            if (values == first).all():
                return self.spread(self.array(first.squeeze(axis), depth), axis, length)
        form = replace(self.before[values.flat[0]].form, shape=values.shape)
        parts = [
            self._joined(shaped(pieces, values.shape), depth)
            for pieces in alike([self._origins.of(value) for value in values.flat])
        ]
        plain = replace(form, signed=False)
        found = parts[0] if len(parts) == 1 else self.make("cat", plain, *reversed(parts))
        return self.make("wrap", form, found) if form.signed else found

    def _joined(self, pieces: Many, depth: int) -> str:
        grid = self._grid(pieces, depth)
        cuts = grid.cuts()
        self.joints += cuts.blocks - 1
        if self.most is not None and self.joints > self.most:
            raise IrregularError(self.joints)
        rows = [
            self.join([self._block(grid, block) for block in row], cuts.within) for row in cuts.rows
        ]
        return self.join(rows, cuts.axis)

    def _grid(self, pieces: Many, depth: int) -> Grid:
        return Grid(pieces, self.before, self.elements, self.form, depth)

    def _block(self, grid: Grid, inside: Inside) -> str:
        pieces, keys = grid.pieces[inside], grid.keys[inside]
        one: Piece = pieces.flat[0]
        if keys.flat[0] == CONSTANT and (keys == CONSTANT).all():
            numbers = [piece.low for piece in pieces.flat]
            data = numbers[:1] if len(set(numbers)) == 1 else numbers
            return self.make("const", Form(one.width, shape=pieces.shape), data=data)
        if (keys == keys.flat[0]).all():
            seen = grid.look(inside)
            assert seen is not None
            if isinstance(seen, Steps):
                return self._repeated(str(keys.flat[0]), seen, one.width)
            return self._seen(str(keys.flat[0]), seen, one.width)
        lets = [self.before[piece.value] for piece in pieces.flat]
        args = [
            self.array(shaped(each, pieces.shape), grid.depth + 1)
            for each in zip(*(one.args for one in lets), strict=True)
        ]
        form = replace(lets[0].form, shape=pieces.shape)
        return self.bits(self.make(lets[0].op, form, *args, data=lets[0].data), one.low, one.width)

    def _repeated(self, value: str, steps: Steps, width: int) -> str:
        """The same bits everywhere."""
        form = self.form(value)
        number, place = divmod(steps.first, form.width)
        found = self.bits(self.element(value, number) if form.shape else value, place, width)
        for axis, length in enumerate(steps.counts):
            found = self.spread(found, axis, length)
        return found

    def _seen(self, value: str, seen: Look, width: int) -> str:
        """Bits of one value, evenly apart."""
        flat = self.bits(self._units(value, seen), seen.place, width)
        steps, size = seen.steps, self.form(flat).size
        if seen.row is None:
            (axis,) = (axis for axis, by in enumerate(steps.by) if by)
            flat = self.reshaped(flat, (size,))
            found = self.slice(flat, 0, steps.first, steps.by[axis], steps.counts[axis])
            for other, length in enumerate(steps.counts):
                found = found if other == axis else self.spread(found, other, length)
            return found
        rows, along = (size - seen.skipped) // seen.row, 0 if seen.is_turned else 1
        if rows * seen.row < size:
            flat = self.reshaped(flat, (size,))
            flat = self.slice(flat, 0, seen.skipped, 1, rows * seen.row)
        found, across = self.reshaped(flat, (rows, seen.row)), 1 - along
        row, column = divmod(steps.first, seen.row)
        found = self.slice(found, 0, row, steps.by[across] // seen.row, steps.counts[across])
        found = self.slice(found, 1, column, steps.by[along], steps.counts[along])
        if not seen.is_turned:
            return found
        form = replace(self.form(found), shape=steps.counts)
        return self.make("transpose", form, found, data=(1, 0))

    def _units(self, value: str, seen: Look) -> str:
        """A value in units."""
        form = self.form(value)
        if form.shape:
            if seen.unit == form.width:
                return value
            shape = (*form.shape, form.width // seen.unit)
            return self.make("unpack", Form(seen.unit, shape=shape), value)
        width = form.width - seen.before
        value, units = self.bits(value, seen.before, width), -(-width // seen.unit)
        if units * seen.unit > width:
            value = self.make("wrap", Form(units * seen.unit), value)
        return self.make("unpack", Form(seen.unit, shape=(units,)), value)

    def packed(self, value: str) -> Let | None:
        """A number that is put together of elements of arrays, if that takes fewer parts so."""
        pieces = self._origins.of(value)
        if not any(piece.value in self.elements for piece in pieces):
            return None
        self.where, parts, place = self.before[value].where, [], 0
        while place < len(pieces):
            length, period = self._run(pieces[place:])
            run = pieces[place : place + length * period]
            parts.append(self._packed(shaped(run, (length, period))))
            place += len(run)
        if len(parts) == len(pieces):
            return None
        made = self.let(parts[0])
        if len(parts) > 1:
            made = Let("cat", self.before[value].form, tuple(reversed(parts)))
        return replace(made, where=self.where)

    def _run(self, pieces: Sequence[Piece]) -> tuple[int, int]:
        """The longest run from the first piece on: its elements, and the parts of each."""
        found = [(self._length(pieces, period), period) for period in range(1, _PERIOD + 1)]
        return max(found, key=lambda run: (run[0] > 1, run[0] * run[1] if run[0] > 1 else -run[1]))

    def _length(self, pieces: Sequence[Piece], period: int) -> int:
        """How many elements of so many parts there are of which each can be made at once."""
        length = 1
        while all(
            (length + 1) * period <= len(pieces)
            and pieces[length * period + part].width == pieces[part].width
            for part in range(period)
        ):
            length += 1
        for part in range(period):
            column = pieces[part : length * period : period]
            if len(column) > 1:
                length = min(length, self._grid(shaped(column, (length,)), 0).run())
        return length

    def _packed(self, run: Many) -> str:
        """Elements of the same parts, one above the other."""
        length, period = run.shape
        if run.size == 1:
            piece: Piece = run.item()
            if piece.value:
                return self.bits(piece.value, piece.low, piece.width)
            return self.make("const", Form(piece.width), data=(piece.low,))
        columns = [self._joined(run[:, part], 0) for part in range(period)]
        width = sum(self.form(one).width for one in columns)
        form = Form(width, shape=(length,))
        array = columns[0] if period == 1 else self.make("cat", form, *reversed(columns))
        return self.make("pack", Form(width * length), array)
