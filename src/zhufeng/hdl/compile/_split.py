"""A module in three: what feeds an array, the array, and what takes its results.

Where nothing flows back, each part can run many cycles before the next one does. Then an array of
elements that pass values to their neighbours need not go through memory in every cycle: a few
elements at a time stay in registers of the machine for as long.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from zhufeng.hdl.compile._plan import Shape, is_straight, is_view
from zhufeng.hdl.compile._sources import Sources
from zhufeng.hdl.ir import OPS, Let, Module, memory_values, operands, order
from zhufeng.hdl.passes import DeadCode

_AXES: Final = 2
_LEAST: Final = 32
"""Elements of an array that is worth it."""
_STREAM: Final = ">"
"""Before the name of a value that goes from one part to another."""


@dataclass(frozen=True)
class Parts:
    """A module in three. Ports of one name are joined, each a cycle's row of a stream."""

    before: Module
    array: Module
    behind: Module

    @property
    def streams(self) -> frozenset[str]:
        """The ports between them."""
        return frozenset((*self.before.outputs, *self.array.outputs))


def split(module: Module) -> Parts | None:
    """Take a module apart around the largest array of its registers that allows it."""
    shapes = {one.form.shape for one in module.registers.values()}
    arrays = [one for one in shapes if len(one) == _AXES and not is_straight(one)]
    for shape in sorted(arrays, key=lambda one: (-math.prod(one), one)):
        if math.prod(shape) >= _LEAST and (parts := _Split(module, shape).parts()):
            return parts
    return None


class _Split:
    """A module, and the shape of an array of its registers."""

    def __init__(self, module: Module, shape: Shape) -> None:
        self._module, self._shape = module, shape
        self._array = {k for k, one in module.registers.items() if one.form.shape == shape}
        self._sources = Sources(module, lambda name: is_view(module, name))
        self._behind = self._following() - self._array

    def parts(self) -> Parts | None:
        """The parts, if nothing flows back."""
        module, back = self._module, self._values(self._behind)
        if any(module.registers[name].next in back for name in self._array):
            return None
        late = self._values({*self._array, *self._behind})
        early = {name for name in module.lets if name not in late and self._is_made(name)}
        edges = {name for name in module.lets if self._is_edge(name)}
        behind = self._part("behind", early | edges, dict(module.outputs))
        if self._array & behind.registers.keys():
            return None
        given = {port: port[1:] for port in behind.inputs if port[1:] in edges}
        following = {f"next {name}": module.registers[name].next for name in self._array}
        cuts = {name for name in early if not self._is_inside(name)}
        array = self._part("array", cuts, {**following, **given})
        streams = {port for port in (*array.inputs, *behind.inputs) if port not in given}
        before = self._part("before", (), {port: port[1:] for port in sorted(streams)})
        return Parts(before, replace(array, outputs=given), behind)

    def _part(self, name: str, cuts: Container[str], outputs: Mapping[str, str]) -> Module:
        """What outputs follow from, with inputs in place of some values."""
        module = self._module
        lets = {
            key: Let("input", let.form, (), (f"{_STREAM}{key}",), let.where) if key in cuts else let
            for key, let in module.lets.items()
        }
        whole = replace(
            module,
            name=f"{module.name}_{name}",
            lets=lets,
            outputs=outputs,
            claims=module.claims if name == "behind" else (),
        )
        found = DeadCode().one(whole)
        used = {str(let.data[0]): let.form for let in found.lets.values() if let.op == "input"}
        inputs = {port: form for port, form in module.inputs.items() if port in used}
        return replace(found, inputs={**inputs, **used})

    def _is_made(self, name: str) -> bool:
        """Whether a value is more than a constant, or others at other places."""
        return self._module.lets[name].op != "const" and not is_view(self._module, name)

    def _is_inside(self, name: str) -> bool:
        """Whether each element of a value can be computed beside that of the array."""
        let = self._module.lets[name]
        return let.form.shape == self._shape and OPS[let.op].elementwise and bool(let.args)

    def _is_edge(self, name: str) -> bool:
        """Whether a value is elements at the end of a row, or of a column, of one register."""
        let = self._module.lets[name]
        if let.op != "register" and not is_view(self._module, name):
            return False
        places = self._sources.of(name)
        held = {self._module.lets[base] for base in places.bases}
        if len(held) != 1 or not all(self._is_of_array(one) for one in held):
            return False
        place = np.unravel_index(places.where, self._shape)
        ends = zip(place, self._shape, strict=True)
        return any(bool((one == size - 1).all()) for one, size in ends)

    def _is_of_array(self, let: Let) -> bool:
        return let.op == "register" and let.data[0] in self._array

    def _following(self) -> set[str]:
        """The array, and every register and memory that follows from it."""
        found, module = set(self._array), self._module
        while True:
            late = self._values(found)
            more = {k for k, one in module.registers.items() if one.next in late}
            more |= {k for k, one in module.memories.items() if late & {*memory_values(one)}}
            if more <= found:
                return found
            found |= more

    def _values(self, state: Iterable[str]) -> set[str]:
        """The values that follow in the same cycle from what registers and memories hold."""
        state, found = {*state}, set[str]()
        for name in order(self._module):
            let = self._module.lets[name]
            own = let.op in ("register", "read") and let.data[0] in state
            if own or any(one in found for one in operands(self._module, name)):
                found.add(name)
        return found
