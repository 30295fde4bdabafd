"""A design as Yosys has elaborated it: modules of cells on nets of single bits.

The form is that of Yosys' JSON (https://yosyshq.readthedocs.io, command ``write_json``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from zhufeng.base import Json

Bit: TypeAlias = "int | str"
"""A net by number, or a constant: 0, 1, x, z."""
Bits: TypeAlias = "tuple[Bit, ...]"
"""Lowest first."""

_LINE = re.compile(r"([^|]*?:\d+)(\.|$)")
_COLUMN = re.compile(r"([^|]*?:\d+\.\d+)(-|$)")


@dataclass(frozen=True)
class Port:
    """A port of a module."""

    direction: str
    bits: Bits


@dataclass(frozen=True)
class Net:
    """Bits with a name."""

    bits: Bits
    hidden: bool
    """Whether Yosys has made the name."""
    init: str
    """What the bits are at the start, highest first; x where nothing says so."""
    where: str


@dataclass(frozen=True)
class Cell:
    """An operation, a piece of state, or a module inside another."""

    name: str
    kind: str
    """What it is: with a ``$`` in front of an operation of Yosys' own, else a module's name."""
    parameters: Mapping[str, str]
    pins: Mapping[str, Bits]
    outputs: frozenset[str]
    where: str
    column: str = ""
    """The same with the column."""

    def text(self, parameter: str) -> str:
        """A parameter as it stands: the digits of a number, highest first."""
        return self.parameters.get(parameter, "0")

    def number(self, parameter: str) -> int:
        """A parameter that is a number; 0 where there is none of that name."""
        return int(re.sub("[xz]", "0", self.text(parameter)), 2)

    def driven(self) -> Iterator[tuple[str, Bits]]:
        """Its outputs, those that are connected."""
        return ((pin, self.pins[pin]) for pin in sorted(self.outputs) if self.pins.get(pin))

    def piece(self, pins: Mapping[str, Bits], name: str) -> Cell:
        """The same operation on fewer bits."""
        return replace(self, name=name, pins=pins)


@dataclass(frozen=True)
class Netlist:
    """A module."""

    name: str
    title: str
    """What it is called in Verilog: without the values of its parameters."""
    ports: Mapping[str, Port]
    cells: Sequence[Cell]
    nets: Mapping[str, Net]
    blackbox: bool
    where: str

    def named(self, bit: Bit) -> str:
        """What a bit is called: `name`, or `name[3]` of a wider net."""
        return self._names.get(bit, f"the constant {bit}")

    def _rank(self, name: str) -> tuple[bool, int, str]:
        net = self.nets[name]
        return net.hidden, len(net.bits), name

    @cached_property
    def _names(self) -> Mapping[Bit, str]:
        found: dict[Bit, str] = {}
        for name in sorted(self.nets, key=self._rank):
            bits = self.nets[name].bits
            for place, bit in enumerate(bits):
                found.setdefault(bit, name if len(bits) == 1 else f"{name}[{place}]")
        return found


@dataclass(frozen=True)
class Design:
    """All modules."""

    modules: Mapping[str, Netlist]
    """Those inside others before these."""
    top: str


def design(found: Json) -> Design:
    """Of Yosys' JSON."""
    modules = {name: _netlist(name, one) for name, one in found["modules"].items()}
    (top,) = (name for name, one in found["modules"].items() if "top" in one["attributes"])
    ordered: dict[str, Netlist] = {}
    _visit(top, modules, ordered)
    return Design(ordered, top)


def _visit(name: str, modules: Mapping[str, Netlist], ordered: dict[str, Netlist]) -> None:
    for cell in modules[name].cells:
        if cell.kind in modules and cell.kind not in ordered:
            _visit(cell.kind, modules, ordered)
    ordered[name] = modules[name]


def line_of(source: str, place: re.Pattern[str] = _LINE) -> str:
    """The first place of an attribute ``src``: ``file.v:12`` of ``file.v:12.3-14.5|...``."""
    found = place.match(source)
    return found[1] if found else source


def _netlist(name: str, found: Json) -> Netlist:
    attributes = found["attributes"]
    return Netlist(
        name,
        str(attributes.get("hdlname", name)),
        {key: Port(one["direction"], tuple(one["bits"])) for key, one in found["ports"].items()},
        tuple(_cell(key, one) for key, one in found["cells"].items()),
        {key: _net(one) for key, one in found["netnames"].items()},
        "blackbox" in attributes or "whitebox" in attributes,
        _where(found),
    )


def _net(found: Json) -> Net:
    init = str(found["attributes"].get("init", ""))
    return Net(tuple(found["bits"]), bool(found["hide_name"]), init, _where(found))


def _cell(name: str, found: Json) -> Cell:
    directions: Mapping[str, str] = found.get("port_directions", {})
    # An operand that is 0 whatever comes may have no bits left.
    least: Bits = ("0",) if found["type"].startswith("$") else ()
    return Cell(
        name,
        found["type"],
        {key: str(value) for key, value in found["parameters"].items()},
        {
            pin: tuple(bits) or (least if directions[pin] == "input" else ())
            for pin, bits in found["connections"].items()
        },
        frozenset(pin for pin, way in directions.items() if way != "input"),
        _where(found),
        _where(found, _COLUMN),
    )


def _where(found: Json, place: re.Pattern[str] = _LINE) -> str:
    attributes: Mapping[str, Any] = found["attributes"]
    return line_of(str(attributes.get("src", "")), place)
