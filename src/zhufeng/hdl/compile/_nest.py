"""Arrays of elements that take values from the neighbour above or on the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zhufeng.hdl.compile._operations import PRODUCT
from zhufeng.hdl.compile._plan import Shape, is_view
from zhufeng.hdl.compile._sources import Sources
from zhufeng.hdl.compile._widen import widened
from zhufeng.hdl.ir import OPS, Form, Module


@dataclass(frozen=True)
class Neighbour:
    """The element whose register is read."""

    register: str
    axis: int | None
    """Along which it is the one before: 0, above; 1, on the left; None, the same."""


@dataclass(frozen=True)
class Edge:
    """The last elements of a register along an axis, which others read."""

    register: str
    axis: int


@dataclass(frozen=True)
class Nest:
    """An array whose elements can be computed a few at a time, for many cycles."""

    module: Module
    """Its registers are as wide as what is computed of them."""
    plain: Mapping[str, Form]
    """What they are in memory."""
    shape: Shape
    neighbours: Mapping[str, Neighbour]
    """What values stand for that are registers, wherever there is such an element."""
    edges: Mapping[str, Edge]
    """By output."""
    delays: Mapping[str, int]
    """Registers that only pass on what comes in at an edge, and the axis along which they do."""


def nest(array: Module) -> Nest | None:
    """What there is to know of an array of registers of one shape, if it is such a one."""
    (shape,) = {one.form.shape for one in array.registers.values()}
    plain = {name: one.form for name, one in array.registers.items()}
    found = _Search(widened(array), shape)
    if not all(found.computes(one.next) for one in found.module.registers.values()):
        return None
    before = _Search(array, shape)
    ends = {port: before.edge(value) for port, value in array.outputs.items()}
    edges = {port: one for port, one in ends.items() if one is not None}
    if len(edges) < len(ends):
        return None
    delays = {
        name: axis
        for name in found.module.registers
        if (axis := found.delay(name)) is not None
        and all(edge.register != name for edge in edges.values())
    }
    return Nest(found.module, plain, shape, found.neighbours, edges, delays)


class _Search:
    """Through the values of an array."""

    def __init__(self, module: Module, shape: Shape) -> None:
        self.module, self._shape = module, shape
        self._sources = Sources(module, lambda name: is_view(module, name))
        self.neighbours: dict[str, Neighbour] = {}
        self._known: dict[str, bool] = {}

    def computes(self, name: str) -> bool:
        """Whether an element of a value follows from the same and neighbouring ones."""
        if name not in self._known:
            self._known[name] = self._computes(name)
        return self._known[name]

    def _computes(self, name: str) -> bool:
        let = self.module.lets[name]
        if let.op in ("const", "input"):
            return True
        if let.op != "register" and not is_view(self.module, name):
            return _is_local(let.op) and all(map(self.computes, let.args))
        held = [base for base in self._bases(name) if self._is_register(base)]
        others = [base for base in self._bases(name) if base not in held]
        if held and not self._is_neighbour(name, held):
            return False
        # Others move along a row or a column with it, and are computed where they are needed.
        return all(self._is_stream(base) for base in others)

    def _bases(self, name: str) -> tuple[str, ...]:
        return self._sources.of(name).bases

    def _is_register(self, name: str) -> bool:
        return self.module.lets[name].op == "register"

    def _is_stream(self, name: str) -> bool:
        """Whether a value follows from no register."""
        let = self.module.lets[name]
        if let.op == "register":
            return False
        if let.op in ("const", "input"):
            return True
        moved_or_made = is_view(self.module, name) or _is_local(let.op)
        return moved_or_made and all(map(self._is_stream, let.args))

    def _is_neighbour(self, name: str, held: Sequence[str]) -> bool:
        """Whether a value is one neighbour's register, for every element that has one."""
        places = self._sources.of(name)
        if len(held) != 1 or places.where.shape != self._shape:
            return False
        here = np.indices(self._shape)
        there = np.stack(np.unravel_index(places.where, self._shape))
        from_it = places.which == places.bases.index(held[0])
        for axis in (None, 0, 1):
            by = np.array([axis == 0, axis == 1], int)[:, None, None]
            inside = (here >= by).all(0)
            if (from_it == inside).all() and (there == here - by).all(0)[inside].all():
                register = str(self.module.lets[held[0]].data[0])
                self.neighbours[name] = Neighbour(register, axis)
                return True
        return False

    def delay(self, name: str) -> int | None:
        """Along which axis a register only passes things on, if it does."""
        before = self.neighbours.get(self.module.registers[name].next)
        if before is None or before.register != name or before.axis is None:
            return None
        read = {one.axis for one in self.neighbours.values() if one.register == name}
        return before.axis if read <= {None, before.axis} else None

    def edge(self, name: str) -> Edge | None:
        """What an output of the array is, if it is a whole row or column."""
        places = self._sources.of(name)
        where = np.array(np.unravel_index(places.where.reshape(-1), self._shape))
        (register,) = {str(self.module.lets[base].data[0]) for base in places.bases}
        for axis, size in enumerate(self._shape):
            other = list(range(self._shape[1 - axis]))
            if where[1 - axis].tolist() == other and (where[axis] == size - 1).all():
                return Edge(register, axis)
        return None


def _is_local(op: str) -> bool:
    """Whether each element of a result follows from the elements at its place alone."""
    return op == PRODUCT or OPS[op].elementwise
