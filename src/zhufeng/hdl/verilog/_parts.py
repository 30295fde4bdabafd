"""Instances and folds as SystemVerilog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zhufeng.hdl import ir
from zhufeng.hdl.verilog._body import Body
from zhufeng.hdl.verilog._names import ENABLE, Names
from zhufeng.hdl.verilog._pieces import INDENT, bracketed, indexed, loops, variable


def instance(body: Body, name: str, of: ir.Instance) -> Iterator[str]:
    """An instance, or loops around it."""
    inner, ports = of.module, Names(of.module)

    def placed(index: Sequence[str]) -> list[str]:
        pins = body.clock_pins(inner, _enable(body, of, index))
        for port, value in of.inputs.items():
            if inner.inputs[port].width:
                pins.append(f".{ports.of('input', port)}({body.values.bits(value, index)})")
        for port, given in inner.outputs.items():
            if inner.form(given).width:
                used = body.values.leaf("port", name, port)
                pin = indexed(body.values.name(used), index) if used else ""
                pins.append(f".{ports.of('output', port)}({pin})")
        called = f"{body.module_names[id(inner)]} {body.names.of('part', name)} "
        return bracketed(called, pins, ";")

    yield from loops(of.shape, placed, body.block(name))


def _enable(body: Body, of: ir.Instance, index: Sequence[str]) -> str:
    wanted = [ENABLE] if body.has_enable else []
    if of.enable is not None:
        wanted.append(body.values.element(of.enable, index))
    return " & ".join(wanted)


def fold(body: Body, name: str, of: ir.Fold) -> Iterator[str]:
    """A chain: a loop of links, each taking what the one before it gives."""
    yield from loops(of.shape, lambda index: _chain(body, name, of, index), body.block(name))


def _chain(body: Body, name: str, of: ir.Fold, index: Sequence[str]) -> list[str]:
    inner, ports = of.module, Names(of.module)
    block = body.names.of("part", name)
    link, carried = f"{block}_k", dict(of.carries)
    # What a link takes from the one before it, and what it gives.
    wires = {port: body.names.of(f"link {name}", f"{port}_k") for port in _wired(of)}
    lines, pins = [], body.clock_pins(inner, ENABLE if body.has_enable else "")
    for port, form in inner.inputs.items():
        pin = ports.of("input", port)
        if not form.width:
            continue
        if port in carried:
            taken, before = wires[port], f"{block}[{link} - 1].{wires[carried[port]]}"
            lines += [
                f"{variable('logic', form, taken)};",
                f"if ({link} == 0) begin : {taken}_first",
                f"{INDENT}assign {taken} = {body.values.bits(of.inputs[port], index)};",
                f"end else begin : {taken}_next",
                f"{INDENT}assign {taken} = {before};",
                "end",
            ]
            pins.append(f".{pin}({taken})")
        else:
            place = (*index, link) if port in of.each else index
            pins.append(f".{pin}({body.values.bits(of.inputs[port], place)})")
    for port, given in inner.outputs.items():
        if inner.form(given).width:
            lines.append(f"{variable('logic', inner.form(given), wires[port])};")
            pins.append(f".{ports.of('output', port)}({wires[port]})")
    called = f"{body.module_names[id(inner)]} {body.names.of('link', 'link')} "
    lines += bracketed(called, pins, ";")
    carries = {given for _, given in of.carries}
    for port in inner.outputs:
        target = _target(body, name, port)
        if target and port not in carries:
            lines.append(f"assign {indexed(target, (*index, link))} = {wires[port]};")
    last = []
    for _, port in of.carries:
        target = _target(body, name, port)
        if target:
            given = f"{block}[{of.length - 1}].{wires[port]}"
            last.append(f"assign {indexed(target, index)} = {given};")
    head = f"for (genvar {link} = 0; {link} < {of.length}; {link}++) begin : {block}"
    return [head, *(INDENT + line for line in lines), "end", *last]


def _wired(of: ir.Fold) -> list[str]:
    return [*(taken for taken, _ in of.carries), *of.module.outputs]


def _target(body: Body, name: str, port: str) -> str | None:
    """What is called what an output of the whole chain gives."""
    value = body.values.leaf("port", name, port)
    if value is None or not body.module.form(value).width:
        return None
    return body.values.name(value)
