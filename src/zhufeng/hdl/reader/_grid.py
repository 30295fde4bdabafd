"""Pieces of values along one axis or two, and which of them one operation on arrays can make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zhufeng.hdl.ir import OPS, Form, Let
from zhufeng.hdl.reader._origins import Piece
from zhufeng.hdl.reader._steps import Ints, Look, Steps, look, steps_of

Many = NDArray[Any]
"""Names of values, or pieces of them."""
Inside = tuple[slice, ...]

_DEEP: Final = 6
"""How many operations on elements are followed, one above the other."""
CONSTANT: Final = ""


@dataclass(frozen=True)
class Element:
    """Where a value stands in an array."""

    array: str
    place: int
    """In row-major order."""


@dataclass(frozen=True)
class Cuts:
    """Blocks side by side along `within`, in rows along `axis`."""

    rows: Sequence[Sequence[Inside]]
    within: int = 0
    axis: int = 0

    @property
    def blocks(self) -> int:
        """How many there are."""
        return sum(map(len, self.rows))


class Grid:
    """Pieces of one width."""

    def __init__(
        self,
        pieces: Many,
        lets: Mapping[str, Let],
        elements: Mapping[str, Element],
        form: Callable[[str], Form],
        depth: int = 0,
    ) -> None:
        """Args:
        pieces: along one axis or two.
        lets: the values that they are of.
        elements: the values that stand in arrays, by name.
        form: of a value, and of an array.
        depth: how many operations have been followed to here.
        """
        self.pieces, self.depth = pieces, depth
        self._form, self._width = form, int(pieces.flat[0].width)
        own = [_place(piece, lets, elements) for piece in pieces.flat]
        self.keys = shaped([key for key, _ in own], pieces.shape)
        """The array or the number that each is of; `CONSTANT` for a constant."""
        self._places: Ints = np.array([at for _, at in own], np.int64).reshape(pieces.shape)
        known: dict[object, int] = {None: -1}
        kinds = [_kind(piece, lets) if depth < _DEEP else None for piece in pieces.flat]
        numbers = [known.setdefault(kind, len(known)) for kind in kinds]
        self._kinds = np.array(numbers).reshape(pieces.shape)

    def cuts(self) -> Cuts:
        """As few blocks as are found."""
        if self.pieces.ndim == 1:
            ends = self._ends(0, lambda low, high: self._fits((slice(low, high),)))
            return Cuts([[(slice(*two),) for two in pairwise(ends)]])
        return min((self._rows(axis) for axis in (0, 1)), key=lambda cuts: cuts.blocks)

    def run(self) -> int:
        """How many pieces from the first one on make one block."""
        high = 1
        while high < len(self.pieces) and self._fits((slice(high + 1),)):
            high += 1
        return high

    def look(self, inside: Inside) -> Look | Steps | None:
        """How a block is seen of the one value that it is of; only steps where it stands still."""
        steps = steps_of(self._places[inside])
        if steps is None or not any(steps.by):
            return steps
        return look(steps, self._width, self._form(str(self.keys[inside].flat[0])))

    def _fits(self, inside: Inside) -> bool:
        """Whether one operation makes a block."""
        keys, kinds = self.keys[inside], self._kinds[inside]
        if (keys == keys.flat[0]).all():
            return keys.flat[0] == CONSTANT or self.look(inside) is not None
        return bool(kinds.flat[0] >= 0 and (kinds == kinds.flat[0]).all())

    def _ends(self, axis: int, fits: Callable[[int, int], bool]) -> list[int]:
        """Where runs end, found from both sides: the fewer, or those with the longest of them."""
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
        return min(up, down[::-1], key=lambda ends: (len(ends), -int(np.diff(ends).max())))

    def _rows(self, axis: int) -> Cuts:
        """Rows across an axis, each as thick as the blocks of its first line allow."""
        rows: list[list[Inside]] = []
        low, length = 0, self.pieces.shape[axis]
        while low < length:
            line = _Line(axis, low, low + 1)
            ends = list(pairwise(self._ends(1 - axis, lambda *two: self._fits(line.at(*two)))))  # noqa: B023 (called at once)
            while line.high < length:
                more = _Line(axis, low, line.high + 1)
                if not all(self._fits(more.at(*two)) for two in ends):
                    break
                line = more
            rows.append([line.at(*two) for two in ends])
            low = line.high
        return Cuts(rows, 1 - axis, axis)


@dataclass(frozen=True)
class _Line:
    """What is from `low` to `high` along an axis."""

    axis: int
    low: int
    high: int

    def at(self, low: int, high: int) -> Inside:
        """What of it is from `low` to `high` along the other."""
        ends = slice(self.low, self.high), slice(low, high)
        return ends if self.axis == 0 else ends[::-1]


def shaped(values: Sequence[Any], shape: tuple[int, ...]) -> Many:
    """As an array of objects."""
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)


def _place(
    piece: Piece, lets: Mapping[str, Let], elements: Mapping[str, Element]
) -> tuple[str, int]:
    """The array or number that a piece is of, and the bit of it at which it begins."""
    if not piece.value:
        return CONSTANT, 0
    if piece.value not in elements:
        return piece.value, piece.low
    one = elements[piece.value]
    return one.array, one.place * lets[piece.value].form.width + piece.low


def _kind(piece: Piece, lets: Mapping[str, Let]) -> object:
    """What is alike where one operation on arrays does for operations on values; None of others."""
    let = lets.get(piece.value)
    if let is None or not let.args or let.form.shape or not OPS[let.op].elementwise:
        return None
    return let.op, let.form, let.data, tuple(lets[arg].form for arg in let.args), piece.low
