"""Modules as SystemVerilog-2012, a file each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from zhufeng.hdl import ir
from zhufeng.hdl.ir import Form
from zhufeng.hdl.verilog import _parts, _state
from zhufeng.hdl.verilog._body import Body, has_state
from zhufeng.hdl.verilog._names import CLOCK, ENABLE, RESET, Names, legal
from zhufeng.hdl.verilog._pieces import INDENT, variable
from zhufeng.hdl.verilog._values import to_declare

WAIVERS: Final[Mapping[str, str]] = {
    "CMPCONST": "a comparison that the design itself makes always true or false",
    "PINCONNECTEMPTY": "an output of a module that this design does not use",
    "UNDRIVEN": "a memory that starts with anything and that nothing writes",
    "UNSIGNED": "as CMPCONST, of numbers without a sign beside 0",
    "UNUSEDSIGNAL": "bits that the design itself does not use; `rst` where nothing is reset",
}
"""What Verilator's ``-Wall`` may say of printed modules, by kind, and why it may."""


@dataclass(frozen=True)
class Port:
    """A port of the printed module."""

    name: str
    """As Verilog has it."""
    direction: Literal["input", "output"]
    port: str
    """As the IR has it."""
    form: Form


@dataclass(frozen=True)
class Verilog:
    """A design as files."""

    top: str
    """The module that contains all others."""
    files: Mapping[str, str]
    """Text by file name: a module's, or what a memory holds at the start."""
    ports: tuple[Port, ...]
    """Of `top`, in order; those of width 0 are absent."""
    clocked: bool
    """Whether `clk` and `rst` stand before them."""


def to_verilog(module: ir.Module) -> Verilog:
    """Print a module and all inside it.

    Arrays are packed, element 0 in the lowest bits; `clk` and `rst` are ports of what has state,
    `en` of what is called with an enable.
    """
    names: dict[int, str] = {}
    taken: dict[str, str] = {}
    for key, wanted in ir.module_names(module).items():
        if wanted not in taken:
            taken[wanted] = legal(wanted, taken.values())
        names[key] = taken[wanted]
    enabled = _enabled(ir.below(module), names)
    files: dict[str, str] = {}
    for one in ir.below(module):
        body = _body(one, names, enabled)
        files[f"{names[id(one)]}.sv"] = _text(body)
        for memory, held in one.memories.items():
            if held.init is not None and held.form.width:
                files[_state.init_file(body, memory)] = _state.init_text(held)
    return Verilog(names[id(module)], files, tuple(_ports(module)), has_state(module))


def _ports(module: ir.Module) -> Iterator[Port]:
    names = Names(module)
    for port, form in module.inputs.items():
        if form.width:
            yield Port(names.of("input", port), "input", port, form)
    for port, value in module.outputs.items():
        form = module.form(value)
        if form.width:
            yield Port(names.of("output", port), "output", port, form)


def _enabled(modules: Sequence[ir.Module], names: Mapping[int, str]) -> frozenset[str]:
    """Modules that somebody calls with an enable, or that are inside of one."""
    found: set[str] = set()
    for outer in reversed(modules):
        inside = names[id(outer)] in found
        for part in outer.instances.values():
            if (part.enable is not None or inside) and has_state(part.module):
                found.add(names[id(part.module)])
        for link in outer.folds.values():
            if inside and has_state(link.module):
                found.add(names[id(link.module)])
    return frozenset(found)


def _body(module: ir.Module, names: Mapping[int, str], enabled: frozenset[str]) -> Body:
    """A module all of whose values that need a declaration are known to."""
    declared = to_declare(module)
    while True:
        known = len(declared)
        body = Body(module, names, enabled, declared)
        _text(body)
        if len(declared) == known:
            return Body(module, names, enabled, declared)


def _text(body: Body) -> str:
    name = body.module_names[id(body.module)]
    ports = ",\n".join(INDENT + port for port in _port_lines(body))
    lines = [f"module {name} (\n{ports}\n);"]
    for group in _groups(body):
        found = list(group)
        lines += ["", *(INDENT + line if line else line for line in found)] if found else []
    return "\n".join((*lines, "endmodule", ""))


def _port_lines(body: Body) -> Iterator[str]:
    if has_state(body.module):
        yield f"input  logic {CLOCK}"
        yield f"input  logic {RESET}"
    if body.has_enable:
        yield f"input  logic {ENABLE}"
    for port in _ports(body.module):
        yield variable(f"{port.direction:6} logic", port.form, port.name)


def _groups(body: Body) -> Iterator[Iterator[str]]:
    module = body.module
    yield body.leaves()
    yield body.declarations()
    for name, instance in module.instances.items():
        yield _parts.instance(body, name, instance)
    for name, fold in module.folds.items():
        yield _parts.fold(body, name, fold)
    for name, memory in module.memories.items():
        yield _state.memory(body, name, memory)
    yield _state.registers(body)
    yield _state.claims(body)
    yield _outputs(body)


def _outputs(body: Body) -> Iterator[str]:
    for port, value in body.module.outputs.items():
        if body.module.form(value).width:
            target = body.names.of("output", port)
            yield f"assign {target} = {body.values.bits(value)};"
