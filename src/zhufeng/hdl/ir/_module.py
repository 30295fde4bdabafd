"""Modules: named values, each defined once, and the state between two cycles.

Values refer to one another by name, so that a module is a graph and not an order. A cycle through
the ports of instances is legal where no output depends on itself in one cycle (`zhufeng.hdl.ir`'s
`port_graph`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from zhufeng.hdl.ir._form import Form

Data: TypeAlias = "int | str | tuple[Data, ...]"
Renaming = Callable[[str], str]


@dataclass(frozen=True)
class Let:
    """A value: an operation on other values."""

    op: str
    form: Form
    args: tuple[str, ...] = ()
    """Names of values of the same module."""
    data: tuple[Data, ...] = ()
    """What the operation needs beside them, such as an axis."""
    where: str = ""
    """The line that wrote it, ``file.py:12``."""


@dataclass(frozen=True)
class Register:
    """What is held from one cycle to the next."""

    form: Form
    reset: tuple[int, ...] | None
    """Its elements, in row-major order, while `rst` is 1 and after; None: any, as at the start."""
    next: str
    """The value that it takes at the end of a cycle."""
    where: str = ""


@dataclass(frozen=True)
class ReadPort:
    """A port on which a memory is read."""

    address: str
    enable: str | None = None
    """Of a synchronous port; it holds what it has read while this is 0."""
    sync: bool = False
    transparent: bool = False
    """Whether it sees what is written in the same cycle."""


@dataclass(frozen=True)
class WritePort:
    """A port on which a memory is written; of two at one address the later one wins."""

    address: str
    data: str
    enable: str | None = None
    mask: str | None = None
    """A bit for each group of bits of an element, the lowest for the lowest; without it all are
    written."""


@dataclass(frozen=True)
class Memory:
    """Elements of which a few are reached in a cycle. Never reset."""

    form: Form
    """Of an element; its shape is that of the banks."""
    depth: int
    init: tuple[int, ...] | None
    """What each bank holds at the start; any without it."""
    reads: tuple[ReadPort, ...] = ()
    writes: tuple[WritePort, ...] = ()
    where: str = ""

    def renamed(self, to: Renaming) -> Memory:
        """With other values at its ports."""
        reads = tuple(
            replace(one, address=to(one.address), enable=one.enable and to(one.enable))
            for one in self.reads
        )
        writes = tuple(
            replace(
                one,
                address=to(one.address),
                data=to(one.data),
                enable=one.enable and to(one.enable),
                mask=one.mask and to(one.mask),
            )
            for one in self.writes
        )
        return replace(self, reads=reads, writes=writes)


@dataclass(frozen=True)
class Instance:
    """A module inside another: once, or an array of it."""

    module: Module
    inputs: Mapping[str, str]
    shape: tuple[int, ...] = ()
    """Every port has these axes before its own."""
    enable: str | None = None
    """While this is 0, nothing in it changes."""
    where: str = ""

    def renamed(self, to: Renaming) -> Instance:
        """With other values at its inputs."""
        inputs = {port: to(value) for port, value in self.inputs.items()}
        return replace(self, inputs=inputs, enable=self.enable and to(self.enable))


@dataclass(frozen=True)
class Fold:
    """A chain of a module without state: each link takes what the one before it gives."""

    module: Module
    inputs: Mapping[str, str]
    length: int
    carries: tuple[tuple[str, str], ...]
    """The input of the next link that an output feeds: (input, output); the value given for the
    input enters the first link, and the last link's output is the chain's."""
    each: frozenset[str]
    """Inputs that every link has an element of, along the axis after `shape`; the others are the
    same for all. Outputs that feed no link are stacked likewise."""
    shape: tuple[int, ...] = ()
    where: str = ""

    def renamed(self, to: Renaming) -> Fold:
        """With other values at its inputs."""
        return replace(self, inputs={port: to(value) for port, value in self.inputs.items()})


@dataclass(frozen=True)
class Claim:
    """What is checked in every cycle in which `rst` is 0 and the module is enabled."""

    kind: Literal["assert", "assume", "cover"]
    value: str
    text: str
    where: str = ""


@dataclass(frozen=True, eq=False)
class Module:
    """A piece of hardware."""

    name: str
    inputs: Mapping[str, Form]
    outputs: Mapping[str, str]
    lets: Mapping[str, Let]
    registers: Mapping[str, Register] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    folds: Mapping[str, Fold] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    def form(self, value: str) -> Form:
        """Of a value."""
        return self.lets[value].form

    def revalued(self, lets: Mapping[str, Let], to: Renaming) -> Module:
        """With other values: what referred to `x` refers to ``to(x)``."""
        return replace(
            self,
            lets=lets,
            outputs={port: to(value) for port, value in self.outputs.items()},
            registers={
                name: replace(one, next=to(one.next)) for name, one in self.registers.items()
            },
            memories={name: one.renamed(to) for name, one in self.memories.items()},
            instances={name: one.renamed(to) for name, one in self.instances.items()},
            folds={name: one.renamed(to) for name, one in self.folds.items()},
            claims=tuple(replace(one, value=to(one.value)) for one in self.claims),
        )
