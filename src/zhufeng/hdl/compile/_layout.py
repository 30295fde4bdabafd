"""Where everything stands in the memory of a batch of lanes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Final

from zhufeng.hdl.compile._lanes import Lanes, container
from zhufeng.hdl.compile._plan import Plan
from zhufeng.hdl.ir import Form, Module

ALIGNMENT: Final = 64
"""Bytes: a line of the cache, and the widest vector."""


@dataclass(frozen=True)
class Room:
    """Elements one after the other, in row-major order."""

    offset: int
    form: Form
    bits: int
    """Of the container of a lane."""
    element: int
    """Bytes of an element: all lanes of it."""
    apart: int = 0
    """Bytes to its other place, of a register that stands in the state twice."""
    aligned: bool = True
    """Whether it stands where vectors may begin; ports stand in anybody's memory."""

    @property
    def bytes(self) -> int:
        """Of all elements."""
        return self.element * self.form.size


@dataclass(frozen=True)
class Layout:
    """The blocks of memory of a kernel."""

    lanes: Lanes
    registers: dict[str, Room]
    memories: dict[str, Room]
    """Banks before the depth."""
    inputs: dict[str, Room]
    """Each in memory of its own, like the outputs."""
    outputs: dict[str, Room]
    scratch: dict[str, Room]
    doubled: int
    """Bytes between the two places of a register that stands in the state twice."""
    state_bytes: int
    scratch_bytes: int


class _Block:
    """Places in one block of memory."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.size = 0

    def room(self, form: Form, bits: int = 0) -> Room:
        """The next place; of wider containers where so many bits are more than need be."""
        bits = max(bits, container(form.width))
        found = Room(self.size, form, bits, self._lanes.bytes(bits))
        self.size += -(-found.bytes // ALIGNMENT) * ALIGNMENT
        return found


def layout(
    module: Module,
    plan: Plan,
    lanes: Lanes,
    wide: Mapping[str, int] | None = None,
    streams: Container[str] = (),
) -> Layout:
    """Give everything its place.

    Args:
        module: without instances and folds.
        plan: what is kept.
        lanes: how many.
        wide: bits of the containers of registers, where they are wider than need be.
        streams: ports that only code of ours meets.
    """
    state = _Block(lanes)
    doubled = {
        name: state.room(one.form) for name, one in module.registers.items() if name in plan.doubled
    }
    apart = state.size
    doubled = {name: replace(room, apart=apart) for name, room in doubled.items()}
    state.size *= 2
    registers = {
        name: doubled.get(name) or state.room(one.form, (wide or {}).get(name, 0))
        for name, one in module.registers.items()
    }
    memories = {
        name: state.room(replace(one.form, shape=(*one.form.shape, one.depth)))
        for name, one in module.memories.items()
    }
    forms = {port: module.form(value) for port, value in module.outputs.items()}
    inputs, outputs = (
        {port: _port(lanes, form, stream=port in streams) for port, form in ports.items()}
        for ports in (module.inputs, forms)
    )
    scratch = _Block(lanes)
    held = {name: scratch.room(module.form(name)) for name in sorted(plan.stored)}
    return Layout(
        lanes, registers, memories, inputs, outputs, held, apart, state.size, scratch.size
    )


def _port(lanes: Lanes, form: Form, *, stream: bool) -> Room:
    # For others a byte for a single bit, as NumPy has it.
    return replace(_Block(lanes).room(form, 0 if stream else 8), aligned=False)
