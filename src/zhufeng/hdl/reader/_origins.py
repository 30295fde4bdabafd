"""Which bits of which values the bits of a value are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from zhufeng.hdl.ir import Let


@dataclass(frozen=True)
class Piece:
    """Neighbouring bits of a value, or a constant."""

    value: str
    """Empty for a constant."""
    low: int
    """The place of the lowest bit; the number itself of a constant."""
    width: int

    def part(self, low: int, width: int) -> Piece:
        """Some of its bits."""
        if self.value:
            return Piece(self.value, self.low + low, width)
        return Piece("", self.low >> low & ((1 << width) - 1), width)


Pieces = tuple[Piece, ...]
"""Lowest first."""


class Origins:
    """Of the values of a module, through all that only moves bits of single numbers."""

    def __init__(self, lets: Mapping[str, Let]) -> None:
        self._lets = lets
        self._known: dict[str, Pieces] = {}

    def of(self, value: str) -> Pieces:
        """Of one of them."""
        if value not in self._known:
            self._known[value] = tuple(_merged(self._found(value)))
        return self._known[value]

    def _found(self, value: str) -> Iterator[Piece]:
        let = self._lets[value]
        width = let.form.width
        if let.form.shape or not all(self._is_number(arg) for arg in let.args):
            yield Piece(value, 0, width)
        elif let.op == "const":
            yield Piece("", int(str(let.data[0])) & ((1 << width) - 1), width)
        elif let.op == "bits":
            yield from cut(self.of(let.args[0]), int(str(let.data[0])), width)
        elif let.op == "cat":
            for arg in reversed(let.args):
                yield from self.of(arg)
        elif let.op == "wrap" and self._is_filled_with_0(let):
            inner = self._lets[let.args[0]].form.width
            yield from cut(self.of(let.args[0]), 0, min(width, inner))
            if width > inner:
                yield Piece("", 0, width - inner)
        else:
            yield Piece(value, 0, width)

    def _is_number(self, value: str) -> bool:
        return not self._lets[value].form.shape

    def _is_filled_with_0(self, let: Let) -> bool:
        form = self._lets[let.args[0]].form
        return let.form.width <= form.width or not form.signed


def cut(pieces: Pieces, low: int, width: int) -> Iterator[Piece]:
    """Some bits of those of which these are made."""
    place = 0
    for piece in pieces:
        begin, end = max(low, place), min(low + width, place + piece.width)
        if begin < end:
            yield piece.part(begin - place, end - begin)
        place += piece.width


def alike(values: Sequence[Pieces]) -> Iterator[list[Piece]]:
    """Values of one width in pieces of the same widths: what each has at a place."""
    ends = {0}
    for pieces in values:
        place = 0
        for piece in pieces:
            place += piece.width
            ends.add(place)
    ordered = sorted(ends)
    parts = [_parts(pieces, ordered) for pieces in values]
    yield from map(list, zip(*parts, strict=True))


def _parts(pieces: Pieces, ends: Sequence[int]) -> Iterator[Piece]:
    waiting, place, begin = iter(pieces), 0, 0
    piece = Piece("", 0, 0)
    for low, high in pairwise(ends):
        if low == place:
            piece = next(waiting)
            begin, place = place, place + piece.width
        yield piece.part(low - begin, high - low)


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    last: Piece | None = None
    for piece in pieces:
        if last is None:
            last = piece
        elif not piece.value and not last.value:
            last = Piece("", last.low | piece.low << last.width, last.width + piece.width)
        elif piece.value == last.value and piece.low == last.low + last.width:
            last = Piece(last.value, last.low, last.width + piece.width)
        else:
            yield last
            last = piece
    if last is not None:
        yield last
