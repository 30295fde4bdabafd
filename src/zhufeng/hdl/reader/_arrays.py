"""Single values as the elements of one array, made with few operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.ir import OPS, Data, Form, Let
from zhufeng.hdl.reader._origins import Origins, Piece, alike
from zhufeng.hdl.reader._steps import Ints, Steps, Window, steps_of, unit_of, window

Many = NDArray[np.object_]
"""Names of values, or pieces of them, along one axis or two."""

_DEEP: Final = 6
"""How many operations on elements are followed, one above the other."""
_PERIOD: Final = 4
"""How many different parts an element of a number that is put together may have."""
_CONSTANT: Final = ""
_TWO: Final = 2


@dataclass(frozen=True)
class Element:
    """Where a value stands in an array."""

    array: str
    place: int
    """In row-major order."""


@dataclass(frozen=True)
class _Block:
    """Some of the elements, which one operation can make."""

    low: tuple[int, ...]
    high: tuple[int, ...]

    @property
    def inside(self) -> tuple[slice, ...]:
        """As an index."""
        return tuple(slice(*ends) for ends in zip(self.low, self.high, strict=True))


class Arrays:
    """Makes arrays of the values of a module, beside them.

    `blocks` counts the operations that it takes: where values come from everywhere, as many as
    there are values.
    """

    def __init__(self, before: Mapping[str, Let], elements: Mapping[str, Element]) -> None:
        """Args:
        before: the values.
        elements: those that are now elements of arrays, by name.
        """
        self.lets: dict[str, Let] = {}
        """What has been made."""
        self.blocks = 0
        self._before, self._elements = before, elements
        self._origins = Origins(before)
        self._numbers = count(1 + max((int(one) for one in before if one.isdigit()), default=-1))
        self._made: dict[Let, str] = {}
        self._known: dict[tuple[object, ...], str] = {}
        self._where = ""

    # Operations.

    def add(self, let: Let, name: str = "") -> str:
        """A new value, if there is none like it; its name."""
        if not name and let in self._made:
            return self._made[let]
        called = name or str(next(self._numbers))
        self.lets[called] = let
        self._made.setdefault(let, called)
        return called

    def _make(self, op: str, form: Form, *args: str, data: Iterable[Data] = ()) -> str:
        return self.add(Let(op, form, args, tuple(data), self._where))

    def _let(self, value: str) -> Let:
        return self.lets[value] if value in self.lets else self._before[value]

    def _form(self, value: str) -> Form:
        return self._let(value).form

    def reshaped(self, value: str, shape: tuple[int, ...]) -> str:
        """The same elements in another shape."""
        let = self._let(value)
        if let.op == "reshape":
            value = let.args[0]
        form = self._form(value)
        if form.shape == shape:
            return value
        return self._make("reshape", replace(form, shape=shape), value)

    def _slice(self, value: str, axis: int, first: int, step: int, length: int) -> str:
        form = self._form(value)
        shape = (*form.shape[:axis], length, *form.shape[axis + 1 :])
        step = step if length > 1 else 1
        if (first, step, shape) == (0, 1, form.shape):
            return value
        return self._make("slice", replace(form, shape=shape), value, data=(axis, first, step))

    def _spread(self, value: str, axis: int, length: int) -> str:
        form = self._form(value)
        shape = (*form.shape[:axis], length, *form.shape[axis:])
        if length == 1:
            return self.reshaped(value, shape)
        inner, axes = self._let(value), (axis,)
        if inner.op == "spread" and not self._form(inner.args[0]).shape:
            (value,), axes = inner.args, tuple(range(len(shape)))
        return self._make("spread", replace(form, shape=shape), value, data=axes)

    def _bits(self, value: str, low: int, width: int) -> str:
        """Some bits of each element."""
        form = self._form(value)
        if (low, width, False) == (0, form.width, form.signed):
            return value
        return self._make("bits", Form(width, shape=form.shape), value, data=(low,))

    def element(self, one: Element, where: str) -> Let:
        """An element of an array, by itself."""
        self._where = where
        form = self._form(one.array)
        flat = self.reshaped(one.array, (form.size,))
        part = self._make("slice", replace(form, shape=(1,)), flat, data=(0, one.place, 1))
        return Let("reshape", replace(form, shape=()), (part,), (), where)

    # Arrays.

    def array(self, values: Many, where: str) -> str:
        """An array of values of one form."""
        self._where = where
        return self._array(values, 0)

    def _array(self, values: Many, depth: int) -> str:
        key = (depth, values.shape, *values.flat)
        if key not in self._known:
            self._known[key] = self._found(values, depth)
        return self._known[key]

    def _found(self, values: Many, depth: int) -> str:
        if not values.ndim:
            self.blocks += 1
            return str(values.item())
        for axis, length in enumerate(values.shape):
            one = values.take(0, axis)
            if (values == np.expand_dims(one, axis)).all():
                return self._spread(self._array(one, depth), axis, length)
        form = self._before[values.flat[0]].form
        parts = [
            self._joined(_shaped(pieces, values.shape), depth)
            for pieces in alike([self._origins.of(value) for value in values.flat])
        ]
        plain = Form(form.width, shape=values.shape)
        found = parts[0] if len(parts) == 1 else self._make("cat", plain, *reversed(parts))
        return self._make("wrap", replace(form, shape=values.shape), found) if form.signed else found

    def _joined(self, pieces: Many, depth: int) -> str:
        grid = _Grid(pieces, self._before, self._elements, self._apart, depth)
        cuts = grid.cuts()
        self.blocks += sum(map(len, cuts.rows))
        rows = [
            self._join([self._block(grid, block) for block in row], cuts.within)
            for row in cuts.rows
        ]
        return self._join(rows, cuts.axis)

    def _join(self, parts: Sequence[str], axis: int) -> str:
        if len(parts) == 1:
            return parts[0]
        form = self._form(parts[0])
        length = sum(self._form(one).shape[axis] for one in parts)
        shape = (*form.shape[:axis], length, *form.shape[axis + 1 :])
        return self._make("join", replace(form, shape=shape), *parts, data=(axis,))

    def _apart(self, steps: Steps, width: int, key: str) -> tuple[int, int] | None:
        """The bits of a unit, and where in it are those that are taken; as `unit_of`."""
        return unit_of(steps, width, self._form(key).width if self._form(key).shape else None)

    def _block(self, grid: _Grid, block: _Block) -> str:
        pieces = grid.pieces[block.inside]
        one: Piece = pieces.flat[0]
        shape, keys = pieces.shape, grid.keys[block.inside]
        if (keys == _CONSTANT).all():
            numbers = [piece.low for piece in pieces.flat]
            data = numbers[:1] if len(set(numbers)) == 1 else numbers
            return self._make("const", Form(one.width, shape=shape), data=data)
        if (keys == keys.flat[0]).all():
            steps = steps_of(grid.places[block.inside])
            assert steps is not None
            return self._seen(str(keys.flat[0]), steps, one.width)
        let = self._before[one.value]
        lets = [self._before[piece.value] for piece in pieces.flat]
        args = [
            self._array(_shaped([one.args[n] for one in lets], shape), grid.depth + 1)
            for n in range(len(let.args))
        ]
        made = self._make(let.op, replace(let.form, shape=shape), *args, data=let.data)
        return self._bits(made, one.low, one.width)

    def _seen(self, value: str, steps: Steps, width: int) -> str:
        """Bits of one value, evenly apart."""
        if not any(steps.by):
            return self._seen_once(value, steps, width)
        found = self._apart(steps, width, value)
        assert found is not None
        unit, place = found
        flat, first = self._units(value, unit, steps.first - place)
        flat = self._bits(flat, place, width)
        moved = Steps(first, tuple(by // unit for by in steps.by), steps.counts)
        size = self._form(flat).size
        looked = window(moved, size)
        assert looked is not None
        return self._looked(flat, looked)

    def _seen_once(self, value: str, steps: Steps, width: int) -> str:
        form = self._form(value)
        found, place = value, steps.first
        if form.shape:
            number, place = divmod(steps.first, form.width)
            flat = self.reshaped(value, (form.size,))
            found = self.reshaped(self._slice(flat, 0, number, 1, 1), ())
        found = self._bits(found, place, width)
        for axis, length in enumerate(steps.counts):
            found = self._spread(found, axis, length)
        return found

    def _units(self, value: str, unit: int, first: int) -> tuple[str, int]:
        """A value in units of so many bits, and which of them begins at a bit."""
        form = self._form(value)
        if form.shape:
            found = value
            if unit < form.width:
                shape = (*form.shape, form.width // unit)
                found = self._make("unpack", Form(unit, shape=shape), value)
            return found, first // unit
        before = first % unit
        value = self._bits(value, before, form.width - before)
        left = form.width - before
        units = -(-left // unit)
        if units * unit > left:
            value = self._make("wrap", Form(units * unit), value)
        return self._make("unpack", Form(unit, shape=(units,)), value), first // unit

    def _looked(self, value: str, looked: Window) -> str:
        """Elements of a value through a window."""
        steps, size = looked.steps, self._form(value).size
        if looked.length is None:
            (axis,) = (axis for axis, by in enumerate(steps.by) if by)
            flat = self.reshaped(value, (size,))
            row = self._slice(flat, 0, steps.first, steps.by[axis], steps.counts[axis])
            for other, length in enumerate(steps.counts):
                row = row if other == axis else self._spread(row, other, length)
            return row
        rows = size // looked.length
        if rows * looked.length < size:
            value = self._slice(self.reshaped(value, (size,)), 0, 0, 1, rows * looked.length)
        value = self.reshaped(value, (rows, looked.length))
        along = 0 if looked.is_turned else 1
        row, column = divmod(steps.first, looked.length)
        step = steps.by[1 - along] // looked.length
        value = self._slice(value, 0, row, step, steps.counts[1 - along])
        value = self._slice(value, 1, column, steps.by[along], steps.counts[along])
        if looked.is_turned:
            form = replace(self._form(value), shape=steps.counts)
            value = self._make("transpose", form, value, data=(1, 0))
        return value

    # Numbers put together.

    def packed(self, value: str, least: int = 2) -> Let | None:
        """A number that is put together of elements, if arrays of at least so many make it."""
        pieces = self._origins.of(value)
        if sum(piece.value in self._elements for piece in pieces) < least:
            return None
        self._where = self._before[value].where
        parts, place = [], 0
        while place < len(pieces):
            run = self._run(pieces[place:])
            if run is None:
                piece = pieces[place]
                parts.append(self._piece(piece))
                place += 1
            else:
                parts.append(self._pack(run))
                place += run.size
        if len(parts) == len(pieces):
            return None
        form, where = self._before[value].form, self._where
        if len(parts) == 1:
            return replace(self.lets[parts[0]], where=where)
        return Let("cat", form, tuple(reversed(parts)), (), where)

    def _piece(self, piece: Piece) -> str:
        if not piece.value:
            return self._make("const", Form(piece.width), data=(piece.low,))
        return self._bits(piece.value, piece.low, piece.width)

    def _run(self, pieces: Sequence[Piece]) -> Many | None:
        """The longest run of elements from the first piece on: [elements, parts of each]."""
        best: Many | None = None
        for period in range(1, _PERIOD + 1):
            widths = [piece.width for piece in pieces]
            alike_ = period
            while alike_ < len(pieces) and widths[alike_] == widths[alike_ - period]:
                alike_ += 1
            length = self._steady(pieces[: alike_ // period * period], period)
            if length > 1 and (best is None or length * period > best.size):
                best = _shaped(pieces[: length * period], (length, period))
        return best

    def _steady(self, pieces: Sequence[Piece], period: int) -> int:
        """How many elements each of these many parts can make an array of at once."""
        length = len(pieces) // period
        for part in range(period):
            column = _shaped(pieces[part : length * period : period], (length,))
            if length < _TWO:
                break
            grid = _Grid(column, self._before, self._elements, self._apart, 0)
            length = min(length, grid.run(0))
        return length

    def _pack(self, run: Many) -> str:
        length, period = run.shape
        columns = [self._joined(run[:, part], 0) for part in range(period)]
        width = sum(self._form(one).width for one in columns)
        form = Form(width, shape=(length,))
        array = columns[0] if period == 1 else self._make("cat", form, *reversed(columns))
        return self._make("pack", Form(width * length), array)


def _shaped(values: Sequence[object], shape: tuple[int, ...]) -> Many:
    """As an array of them."""
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)


@dataclass(frozen=True)
class _Cuts:
    """Blocks side by side along `within`, in rows along `axis`."""

    rows: Sequence[Sequence[_Block]]
    within: int
    axis: int


Apart = Callable[[Steps, int, str], "tuple[int, int] | None"]


class _Grid:
    """Pieces of one width, and the blocks of them that one operation makes."""

    def __init__(
        self,
        pieces: Many,
        lets: Mapping[str, Let],
        elements: Mapping[str, Element],
        apart: Apart,
        depth: int,
    ) -> None:
        self.pieces, self.depth = pieces, depth
        self._lets, self._apart = lets, apart
        self._width = pieces.flat[0].width
        self._elements = elements
        own = [self._own(piece) for piece in pieces.flat]
        self.keys = _shaped([key for key, _ in own], pieces.shape)
        """The array or the number that each is of, empty for a constant."""
        self.places: Ints = np.array([place for _, place in own], np.int64).reshape(pieces.shape)
        """The bit of that at which it begins."""
        kinds: dict[object, int] = {}
        self._kinds = np.array(
            [kinds.setdefault(self._kind(piece), len(kinds)) for piece in pieces.flat]
        ).reshape(pieces.shape)
        self._operations = {number for kind, number in kinds.items() if kind is not None}
        self._sizes: dict[str, int] = {}

    def _own(self, piece: Piece) -> tuple[str, int]:
        if not piece.value:
            return _CONSTANT, 0
        if piece.value in self._elements:
            one = self._elements[piece.value]
            return one.array, one.place * self._lets[piece.value].form.width + piece.low
        return piece.value, piece.low

    def _kind(self, piece: Piece) -> object:
        """What is alike where one operation on arrays does for operations on values."""
        let = self._lets.get(piece.value)
        if let is None or self.depth >= _DEEP or not let.args or not OPS[let.op].elementwise:
            return None
        forms = tuple(self._lets[arg].form for arg in let.args)
        return None if let.form.shape else (let.op, let.form, let.data, forms, piece.low)

    def cuts(self) -> _Cuts:
        """As few blocks as are found."""
        if self.pieces.ndim == 1:
            ends = self._ends(lambda low, high: self._fits(_Block((low,), (high,))), 0)
            return _Cuts([[_Block((a,), (b,)) for a, b in pairwise(ends)]], 0, 0)
        found = [self._rows(axis) for axis in range(self.pieces.ndim)]
        return min(found, key=lambda cuts: sum(map(len, cuts.rows)))

    def run(self, low: int) -> int:
        """How many pieces in a row, from one on, make one block."""
        high = low + 1
        while high < len(self.pieces) and self._fits(_Block((low,), (high + 1,))):
            high += 1
        return high - low

    def _ends(self, fits: Callable[[int, int], bool], axis: int) -> list[int]:
        """Where runs end, found from both sides: those that are fewer, and closer together."""
        length = self.pieces.shape[axis]
        up, down = [0], [length]
        while up[-1] < length:
            high = up[-1] + 1
            while high < length and fits(up[-1], high + 1):
                high += 1
            up.append(high)
        while down[-1] > 0:
            low = down[-1] - 1
            while low > 0 and fits(low - 1, down[-1]):
                low -= 1
            down.append(low)
        down.reverse()
        longest = [max(b - a for a, b in pairwise(ends)) for ends in (up, down)]
        return down if (len(down), -longest[1]) < (len(up), -longest[0]) else up

    def _rows(self, axis: int) -> _Cuts:
        """Rows across an axis, each as thick as the blocks of its first line allow."""
        rows, low, length = [], 0, self.pieces.shape[axis]
        while low < length:
            ends = self._ends(
                lambda a, b, low=low: self._fits(_across(axis, low, low + 1, a, b)),  # type: ignore[misc]
                1 - axis,
            )
            high = low + 1
            while high < length and all(
                self._fits(_across(axis, low, high + 1, a, b)) for a, b in pairwise(ends)
            ):
                high += 1
            rows.append([_across(axis, low, high, a, b) for a, b in pairwise(ends)])
            low = high
        return _Cuts(rows, 1 - axis, axis)

    def _fits(self, block: _Block) -> bool:
        """Whether one operation makes a block."""
        keys = self.keys[block.inside]
        key = str(keys.flat[0])
        if (keys == key).all():
            return key == _CONSTANT or self._is_window(key, block)
        kinds = self._kinds[block.inside]
        return int(kinds.flat[0]) in self._operations and bool((kinds == kinds.flat[0]).all())

    def _is_window(self, key: str, block: _Block) -> bool:
        steps = steps_of(self.places[block.inside])
        if steps is None or not any(steps.by):
            return steps is not None
        found = self._apart(steps, self._width, key)
        if found is None:
            return False
        unit, place = found
        ...


def _across(axis: int, low: int, high: int, a: int, b: int) -> _Block:
    """From `low` to `high` along an axis, from `a` to `b` along the other."""
    return _Block((low, a), (high, b)) if axis == 0 else _Block((a, low), (b, high))
