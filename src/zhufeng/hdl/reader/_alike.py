"""Instances of one module: which belong together, in which order, along which axes."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zhufeng.hdl.ir import Module, operands, order

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Row:
    """Instances of one module, in order."""

    name: str
    """What their names have in common."""
    members: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    """How many there are along each axis that their names count through, if they fill them."""

    def of(self, members: Iterable[str]) -> Row:
        """Some of them, in this order."""
        kept = set(members)
        return Row(self.name, tuple(one for one in self.members if one in kept))


def rows_of(module: Module) -> Iterator[Row]:
    """All that may be arrays: the instances of a module whose names differ in numbers only.

    Those whose names differ otherwise are together too where numbers still tell all apart, or
    where they are alone.
    """
    kinds: defaultdict[int, list[str]] = defaultdict(list)
    for name, one in module.instances.items():
        if one.enable is None and not one.shape:
            kinds[id(one.module)].append(name)
    for names in kinds.values():
        yield from _rows(names)


def parts_of(row: Row) -> Iterator[Row]:
    """A row again, names apart that differ in more than numbers; nothing if there are none."""
    patterns = _patterns(row.members)
    if len(patterns) > 1:
        yield from (_row(names) for names in patterns.values() if len(names) > 1)


def levels_of(module: Module, row: Row) -> Iterator[Row]:
    """A row again, apart what follows from others of it in the same cycle."""
    levels, found = dict[str, int](), dict.fromkeys(row.members, 0)
    for value in order(module):
        let = module.lets[value]
        level = max((levels[one] for one in operands(module, value)), default=0)
        if let.op == "port" and let.data[0] in found:
            found[str(let.data[0])] = max(found[str(let.data[0])], level)
            level += 1
        levels[value] = level
    for level in sorted(set(found.values())):
        part = row.of(one for one in row.members if found[one] == level)
        if 1 < len(part.members) < len(row.members):
            yield part


def _rows(names: Sequence[str]) -> Iterator[Row]:
    if len(names) > 1 and _are_told_apart(names):
        yield _row(names)
        return
    alone = []
    for alike in _patterns(names).values():
        if len(alike) > 1:
            yield _row(alike)
        else:
            alone += alike
    if len(alone) > 1:
        yield _row(alone)


def _patterns(names: Iterable[str]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        found[_DIGITS.sub("#", name)].append(name)
    return found


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, _DIGITS.findall(name)))


def _are_told_apart(names: Sequence[str]) -> bool:
    numbers = [_numbers(name) for name in names]
    return len({*numbers}) == len(names) and len({*map(len, numbers)}) == 1


def _row(names: Sequence[str]) -> Row:
    if not _are_told_apart(names):
        return Row(_common(names), tuple(sorted(names, key=_natural)))
    members = tuple(sorted(names, key=_numbers))
    along = [sorted(set(each)) for each in zip(*map(_numbers, members), strict=True)]
    sizes = tuple(len(each) for each in along if len(each) > 1)
    full = math.prod(sizes) == len(members)
    return Row(_common(names), members, sizes if full else ())


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(text or 0), word) for word, text in re.findall(r"(\D*)(\d*)", name)]


def _common(names: Sequence[str]) -> str:
    """What all names have, without the numbers that tell them apart."""
    if len(_patterns(names)) == 1:
        parts = zip(*(re.split(r"(\d+)", name) for name in names), strict=True)
        kept = "".join(each[0] if len(set(each)) == 1 else "" for each in parts)
        return re.sub("__+", "_", kept).strip("_")
    words = [name.split("_") for name in names]
    return "_".join(one for one in words[0] if all(one in each for each in words))
