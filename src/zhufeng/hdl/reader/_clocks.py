"""The one clock of a design, which the IR does not write: where it comes in, and how it goes down.

A module may have several inputs for it: two sides of a buffer, say, that this design clocks alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from zhufeng.base import InputError
from zhufeng.hdl.reader._netlist import Bit, Cell, Design, Netlist

_CLOCK_PINS: Final = frozenset({"CLK", "RD_CLK", "WR_CLK", "TRG"})


@dataclass(frozen=True)
class Edge:
    """An edge at which something changes."""

    bit: Bit
    rising: bool
    what: str
    where: str


@dataclass(frozen=True)
class Clocks:
    """Of each module the inputs that are the clock, and those that something in it reads."""

    ports: Mapping[str, frozenset[str]]
    read: Mapping[str, frozenset[str]]


def clocks(design: Design) -> Clocks:
    """Find the clock.

    Raises:
        InputError: there are several, or it is no plain input, or a value too.
    """
    edges: dict[str, dict[str, list[Edge]]] = {}
    read: dict[str, frozenset[str]] = {}
    for name, module in design.modules.items():
        edges[name] = _inputs(module, list(_edges(module, edges)))
        read[name] = _read(module, edges, read)
        _no_values(module, edges[name], read[name])
    _one_clock(design.modules[design.top], edges[design.top])
    return Clocks(_with_unread(design, edges, read), read)


def _edges(module: Netlist, inside: Mapping[str, Mapping[str, list[Edge]]]) -> Iterator[Edge]:
    """Every edge that something in a module asks for."""
    for cell in module.cells:
        if cell.kind in inside:
            for port, asked in inside[cell.kind].items():
                bit: Bit = cell.pins.get(port, ("x",))[0]
                yield from (Edge(bit, one.rising, cell.name, cell.where) for one in asked)
        elif cell.kind == "$mem_v2":
            yield from _memory_edges(cell, "RD")
            yield from _memory_edges(cell, "WR")
        elif cell.kind == "$check":
            # Of several the clock is that of the flip-flops; the others reset those.
            if cell.number("TRG_ENABLE") and len(cell.pins["TRG"]) == 1:
                rising = cell.number("TRG_POLARITY") == 1
                yield Edge(cell.pins["TRG"][0], rising, "a claim", cell.where)
        elif "CLK" in cell.pins:
            name = module.named(cell.pins["Q"][0]).partition("[")[0]
            rising = cell.number("CLK_POLARITY") == 1
            yield Edge(cell.pins["CLK"][0], rising, name, cell.where)


def _memory_edges(cell: Cell, side: str) -> Iterator[Edge]:
    clocked = cell.number(f"{side}_CLK_ENABLE")
    rising = cell.number(f"{side}_CLK_POLARITY")
    for number in range(cell.number(f"{side}_PORTS")):
        if clocked >> number & 1:
            bit = cell.pins[f"{side}_CLK"][number]
            yield Edge(bit, bool(rising >> number & 1), cell.text("MEMID").lstrip("\\"), cell.where)
        else:
            assert side == "RD", "Yosys makes latches of what is written in no clock"


def _inputs(module: Netlist, edges: list[Edge]) -> dict[str, list[Edge]]:
    """The edges by the input that each comes in at."""
    ports = {
        port.bits[0]: name
        for name, port in module.ports.items()
        if port.direction == "input" and len(port.bits) == 1
    }
    found: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.bit not in ports:
            raise _made(module, edge)
        found[ports[edge.bit]].append(edge)
    return found


def _made(module: Netlist, edge: Edge) -> InputError:
    """The error for a clock that does not come in as a clock."""
    maker = next(
        (cell for cell in module.cells if any(edge.bit in bits for _, bits in cell.driven())), None
    )
    wide = [name for name, port in module.ports.items() if edge.bit in port.bits]
    if maker is not None:
        kind = maker.kind if not maker.kind.startswith("$") else f"a {maker.kind[1:]}"
        came = f"{module.named(edge.bit)}, which {kind} makes ({maker.where or maker.name})"
    elif isinstance(edge.bit, str):
        came = f"the constant {edge.bit}"
    elif wide:
        came = f"{module.named(edge.bit)}, a part of port {wide[0]}"
    else:
        came = f"{module.named(edge.bit)}, which nothing drives"
    return InputError(
        f"the clock of {edge.what} in {module.title} ({edge.where})",
        expected="an input of one bit, passed down as it is",
        came=came,
        do="clock everything with one input; hold values with enables, not by gating or dividing",
    )


def _read(
    module: Netlist,
    edges: Mapping[str, Mapping[str, list[Edge]]],
    read: Mapping[str, frozenset[str]],
) -> frozenset[str]:
    """The inputs of a module that something in it reads as values."""
    seen: set[Bit] = set()
    for port in module.ports.values():
        seen.update(port.bits if port.direction != "input" else ())
    for cell in module.cells:
        known = read.get(cell.kind)
        for pin, bits in cell.pins.items():
            clock = pin in (edges[cell.kind] if known is not None else _CLOCK_PINS)
            unread = known is not None and pin not in known
            if pin not in cell.outputs and not clock and not unread and cell.kind != "$print":
                seen.update(bits)
    return frozenset(
        name
        for name, port in module.ports.items()
        if port.direction == "input" and not seen.isdisjoint(port.bits)
    )


def _no_values(module: Netlist, edges: Mapping[str, list[Edge]], read: frozenset[str]) -> None:
    for port in edges.keys() & read:
        raise InputError(
            f"input {port} of {module.title} ({edges[port][0].where})",
            expected="a clock alone",
            came="a clock that is read as a value too",
            do="give what is read another input",
        )


def _one_clock(top: Netlist, edges: Mapping[str, list[Edge]]) -> None:
    if len(edges) > 1:
        told = [f"{port} of {one[0].what} ({one[0].where})" for port, one in edges.items()]
        raise InputError(
            f"the clocks of {top.title}",
            expected="one",
            came=f"{len(edges)}: {', '.join(told)}",
            do="read the parts on each clock by themselves, or clock all with one and use enables",
        )
    for port, asked in edges.items():
        both = {edge.rising: edge for edge in asked}
        if len(both) > 1:
            rising, falling = both[True], both[False]
            raise InputError(
                f"the clock {port} of {top.title}",
                expected="one edge",
                came=f"the rising edge of {rising.what} ({rising.where}) and the falling one of "
                f"{falling.what} ({falling.where})",
                do="use one edge throughout",
            )


def _with_unread(
    design: Design,
    edges: Mapping[str, Mapping[str, list[Edge]]],
    read: Mapping[str, frozenset[str]],
) -> dict[str, frozenset[str]]:
    """With the inputs that only pass the clock down to what does not use it."""
    found = {name: frozenset(one) for name, one in edges.items()}
    given: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for name, module in reversed(list(design.modules.items())):
        unread = module.ports.keys() - read[name]
        found[name] |= {port for port in unread if given[name, port] and all(given[name, port])}
        bits = {module.ports[port].bits for port in found[name]}
        for cell in module.cells:
            for port in design.modules[cell.kind].ports if cell.kind in design.modules else ():
                given[cell.kind, port].append(cell.pins.get(port) in bits)
    return found
