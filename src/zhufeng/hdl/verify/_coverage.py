"""What was seen: cover points, and bits that rose and fell; merged over lanes, runs, files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np

from zhufeng.base import InputError, parse, read_json, record, to_json, write_durable
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.verify._toggles import Kind, Watch

_FORMAT = "zhufeng hdl coverage"


@record
class CoverPoint:
    """A cover point, in all instances of a path."""

    path: str
    text: str
    where: str
    hits: int
    """In how many cycles it was true, over lanes and instances."""
    first: tuple[int, int] | None
    """The least seed in which it was, and the first cycle in it."""

    @property
    def name(self) -> str:
        """``"top.queue: full"``."""
        return f"{self.path}: {self.text}"


@record
class Toggles:
    """A register or port, and which of its bits were seen to rise and to fall."""

    kind: Kind
    name: str
    """Of the register or port; of one in an instance, ``instance.name``."""
    width: int
    """Of an element."""
    shape: tuple[int, ...]
    where: str
    rose: str
    """A hexadecimal number with a bit for each: element 0 in the lowest `width`."""
    fell: str

    @property
    def bits(self) -> int:
        """How many there are."""
        return self.width * int(np.prod(self.shape, dtype=int))

    @property
    def covered(self) -> int:
        """How many have both risen and fallen."""
        return (int(self.rose, 16) & int(self.fell, 16)).bit_count()

    def missing(self) -> Iterator[str]:
        """Bits that have not, with what they have not done: ``"a[2][7:4] never rose"``."""
        rose, fell, mask = int(self.rose, 16), int(self.fell, 16), (1 << self.width) - 1
        for number, place in enumerate(np.ndindex(*self.shape)):
            low = number * self.width
            up, down = rose >> low & mask, fell >> low & mask
            name = self.name + "".join(f"[{one}]" for one in place)
            for told, bits in (
                ("never moved", ~up & ~down & mask),
                ("never rose", ~up & down),
                ("never fell", up & ~down),
            ):
                for last, first in _ranges(bits):
                    index = f"[{last}]" if first == last else f"[{last}:{first}]"
                    yield f"{name}{index if self.width > 1 else ''} {told}"

    def merged(self, other: Toggles) -> Toggles:
        """What was seen here or there."""
        rose = int(self.rose, 16) | int(other.rose, 16)
        fell = int(self.fell, 16) | int(other.fell, 16)
        return replace(self, rose=f"{rose:x}", fell=f"{fell:x}")


@record
class Coverage:
    """Of a design, in some runs."""

    format: str = _FORMAT
    version: int = 1
    design: str
    points: tuple[CoverPoint, ...]
    toggles: tuple[Toggles, ...]

    @property
    def points_hit(self) -> int:
        """How many cover points were true at all."""
        return sum(one.hits > 0 for one in self.points)

    @property
    def bits(self) -> int:
        """How many are watched."""
        return sum(one.bits for one in self.toggles)

    @property
    def bits_covered(self) -> int:
        """How many of them have both risen and fallen."""
        return sum(one.covered for one in self.toggles)

    def write(self, path: Path) -> None:
        """Write it to a file, as JSON; the same coverage gives the same bytes."""
        write_durable(path, json.dumps(to_json(self), indent=1).encode() + b"\n")

    @staticmethod
    def read(path: Path) -> Coverage:
        """Read what `write` has written.

        Raises:
            InputError: the file is missing, or is none.
        """
        return parse(Coverage, read_json(path), str(path))


def merge(coverages: Iterable[Coverage]) -> Coverage:
    """What was seen in any of several.

    Raises:
        InputError: there are none, or they are of different designs.
    """
    every = list(coverages)
    if not every:
        raise InputError(
            "coverage to merge", expected="one or more", came="none", do="name the files"
        )
    return reduce(_both, every)


def _both(one: Coverage, other: Coverage) -> Coverage:
    if _of(one) != _of(other):
        raise InputError(
            "coverage to merge",
            expected=f"that of one design, of one set of cover points and registers: {one.design}",
            came=f"{other.design}, with others",
            do="merge what comes from the same design, unchanged and watched alike",
        )
    points = tuple(
        replace(a, hits=a.hits + b.hits, first=min(filter(None, (a.first, b.first)), default=None))
        for a, b in zip(one.points, other.points, strict=True)
    )
    toggles = tuple(a.merged(b) for a, b in zip(one.toggles, other.toggles, strict=True))
    return replace(one, points=points, toggles=toggles)


def _of(one: Coverage) -> object:
    points = [(point.name, point.where) for point in one.points]
    return one.design, points, [(t.kind, t.name, t.width, t.shape) for t in one.toggles]


def toggles_of(watches: Iterable[Watch], recorded: Mapping[str, Values]) -> tuple[Toggles, ...]:
    """What the registers of watches hold in the last cycle, over all lanes.

    Args:
        watches: of the design.
        recorded: [1, lanes, ...] of each.
    """
    return tuple(
        Toggles(
            kind=one.kind,
            name=one.name,
            width=one.form.width,
            shape=one.form.shape,
            where=one.where,
            rose=_number(recorded[one.rose], one.form.width),
            fell=_number(recorded[one.fell], one.form.width),
        )
        for one in watches
    )


def _number(values: Values, width: int) -> str:
    elements = np.asarray(np.bitwise_or.reduce(values[-1], 0)).reshape(-1)
    text = "".join(f"{int(one):0{width}b}" for one in elements[::-1])
    return f"{int(text, 2):x}"


def _ranges(bits: int) -> Iterator[tuple[int, int]]:
    """The runs of ones in a number, the highest first: last and first bit."""
    while bits:
        last = bits.bit_length() - 1
        first = last
        while first and bits >> (first - 1) & 1:
            first -= 1
        yield last, first
        bits &= (1 << first) - 1
