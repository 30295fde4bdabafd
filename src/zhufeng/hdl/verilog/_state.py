"""Registers, memories and claims as SystemVerilog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zhufeng.hdl import ir
from zhufeng.hdl.ir import Form
from zhufeng.hdl.verilog._body import Body
from zhufeng.hdl.verilog._expressions import cast, literal, place_in
from zhufeng.hdl.verilog._names import CLOCK, ENABLE, RESET
from zhufeng.hdl.verilog._pieces import (
    INDENT,
    array_of,
    indexed,
    loops,
    message,
    variable,
    variable_of,
)


def registers(body: Body) -> Iterator[str]:
    """All of a module: those that are reset, then those that are not."""
    starts, after, free = [], [], []
    for name, register in body.module.registers.items():
        value = body.values.leaf("register", name)
        if value is None or not register.form.width:
            continue
        target = body.values.name(value)
        taken = f"{target} <= {body.values.bits(register.next)};"
        if register.reset is None:
            free.append(taken)
        else:
            starts.append(f"{target} <= {array_of(register.reset, register.form)};")
            after.append(taken)
    if starts:
        enable = f" if ({ENABLE})" if body.has_enable else ""
        yield f"always_ff @(posedge {CLOCK}) begin"
        yield f"{INDENT}if ({RESET}) begin"
        yield from (INDENT * 2 + line for line in starts)
        yield f"{INDENT}end else{enable} begin"
        yield from (INDENT * 2 + line for line in after)
        yield f"{INDENT}end"
        yield "end"
    if free:
        enable = f"if ({ENABLE}) " if body.has_enable else ""
        yield f"always_ff @(posedge {CLOCK}) {enable}begin"
        yield from (INDENT + line for line in free)
        yield "end"


def claims(body: Body) -> Iterator[str]:
    """What is asserted, assumed and covered, as properties."""
    off = f"{RESET} || !{ENABLE}" if body.has_enable else RESET
    when = f"@(posedge {CLOCK}) disable iff ({off})"
    # Yosys reads no concurrent assertions; it defines the macro by itself.
    yield from ["`ifndef SYNTHESIS"] if body.module.claims else []
    for number, claim in enumerate(body.module.claims):
        rest = f" else $error({message(claim.text)})" if claim.kind != "cover" else ""
        label = body.names.of(f"claim {number}", f"{claim.kind}_{number}")
        head = f"{label}: {claim.kind} property ({when} "

        def one(
            index: Sequence[str], head: str = head, value: str = claim.value, rest: str = rest
        ) -> list[str]:
            return [f"{head}{body.values.element(value, index)}){rest};"]

        shape = body.module.form(claim.value).shape
        yield from loops(shape, one, body.block(f"claim_{number}"))
    yield from ["`endif"] if body.module.claims else []


def memory(body: Body, name: str, of: ir.Memory) -> Iterator[str]:
    """A memory and its ports, or loops around them: banks."""
    if of.form.width:
        yield from loops(
            of.form.shape, lambda index: _bank(body, name, of, index), body.block(name)
        )


def init_file(body: Body, name: str) -> str:
    """The file of what a memory holds at the start."""
    return f"{body.module_names[id(body.module)]}.{name}.hex"


def init_text(memory: ir.Memory) -> str:
    """What stands in it."""
    digits = -(-memory.form.width // 4)
    mask = (1 << memory.form.width) - 1
    # Verilator 5.006 drops the last word without a line feed at the end.
    return "".join(f"{number & mask:0{digits}x}\n" for number in memory.init or ())


def _bank(body: Body, name: str, of: ir.Memory, index: Sequence[str]) -> list[str]:
    held = body.names.of("part", name)
    lines = [f"{variable('logic', Form(of.form.width), held)} [0:{of.depth - 1}];"]
    if of.init is not None:
        lines.append(f'initial $readmemh("{init_file(body, name)}", {held});')
    for number, port in enumerate(of.reads):
        lines += _read(body, name, number, port, index)
    writes = [line for port in of.writes for line in _write(body, name, port, index)]
    if writes:
        enable = f"if ({ENABLE}) " if body.has_enable else ""
        lines.append(f"always_ff @(posedge {CLOCK}) {enable}begin")
        lines += [INDENT + line for line in writes]
        lines.append("end")
    return lines


def _read(
    body: Body, name: str, number: int, port: ir.ReadPort, index: Sequence[str]
) -> Iterator[str]:
    value = body.values.leaf("read", name, number)
    if value is None:
        return
    called, found = body.values.name(value), _fetched(body, name, port, index)
    if not port.sync:
        yield f"assign {indexed(called, index)} = {found};"
        return
    target = variable_of(called, index, body.module.form(value))
    on = [ENABLE] if body.has_enable else []
    on += [body.values.element(port.enable, index)] if port.enable is not None else []
    condition = f"if ({' & '.join(on)}) " if on else ""
    yield f"always_ff @(posedge {CLOCK}) {condition}{target} <= {found};"


def _fetched(body: Body, name: str, port: ir.ReadPort, index: Sequence[str]) -> str:
    of = body.module.memories[name]
    held = body.names.of("part", name)
    address = body.values.element(port.address, index)
    form = body.module.form(port.address)
    found = f"{held}[{place_in(of.depth, address, form)}]"
    if form.high >= of.depth:
        nothing = literal(0, Form(of.form.width))
        found = f"({address} < {literal(of.depth, Form(form.width))} ? {found} : {nothing})"
    if port.transparent:
        for write in of.writes:
            same, new = _written(body, of, write, (address, form), index)
            if write.mask is not None:
                mask = _bit_mask(body, of, write.mask, index)
                new = f"(({new} & {mask}) | ({found} & ~{mask}))"
            found = f"({same} ? {new} : {found})"
    return found


def _written(
    body: Body,
    of: ir.Memory,
    write: ir.WritePort,
    read: tuple[str, Form],
    index: Sequence[str],
) -> tuple[str, str]:
    """Whether a write goes where a port reads, and what it writes."""
    address, form = body.values.element(write.address, index), body.module.form(write.address)
    wide = Form(max(form.width, read[1].width))
    same = [f"{cast(*read, wide)} == {cast(address, form, wide)}"]
    if form.high >= of.depth:
        same.append(f"{address} < {literal(of.depth, Form(form.width))}")
    if write.enable is not None:
        same.append(body.values.element(write.enable, index))
    return " && ".join(same), body.values.element(write.data, index)


def _bit_mask(body: Body, of: ir.Memory, mask: str, index: Sequence[str]) -> str:
    groups = body.module.form(mask).width
    width = of.form.width // groups
    name = body.values.path(mask, index)
    bits = [
        f"{{{width}{{{name}[{n}]}}}}" if groups > 1 else f"{{{width}{{{name}}}}}"
        for n in range(groups)
    ]
    return f"{{{', '.join(reversed(bits))}}}"


def _write(body: Body, name: str, port: ir.WritePort, index: Sequence[str]) -> Iterator[str]:
    of, held = body.module.memories[name], body.names.of("part", name)
    form = body.module.form(port.address)
    address = body.values.element(port.address, index)
    place = place_in(of.depth, address, form)
    conditions = [] if port.enable is None else [body.values.element(port.enable, index)]
    if form.high >= of.depth:
        conditions.append(f"{address} < {literal(of.depth, Form(form.width))}")
    if port.mask is None:
        when = f"if ({' && '.join(conditions)}) " if conditions else ""
        yield f"{when}{held}[{place}] <= {body.values.bits(port.data, index)};"
        return
    groups = body.module.form(port.mask).width
    width = of.form.width // groups
    mask, source = body.values.path(port.mask, index), body.values.path(port.data, index)
    for group in range(groups):
        bit = f"{mask}[{group}]" if groups > 1 else mask
        when = " && ".join((*conditions, bit))
        part = f"[{group * width} +: {width}]" if of.form.width > 1 else ""
        yield f"if ({when}) {held}[{place}]{part} <= {source}{part};"
