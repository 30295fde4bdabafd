"""Modules as SystemVerilog-2012, a file each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zhufeng.hdl import ir
from zhufeng.hdl.ir import Form, Let
from zhufeng.hdl.verilog._expressions import expression, literal
from zhufeng.hdl.verilog._names import CLOCK, ENABLE, RESET, Names, legal
from zhufeng.hdl.verilog._pieces import (
    INDENT,
    ON_NAMES,
    array_literal,
    array_of,
    closed,
    declared,
    indexed,
    inlined_values,
    loops,
    offset_index,
)


@dataclass(frozen=True)
class Verilog:
    """A design as files."""

    top: str
    """The module that contains all others."""
    files: Mapping[str, str]
    """Text by file name: a module's, or what a memory holds at the start."""


def to_verilog(module: ir.Module) -> Verilog:
    """Print a module and all inside it.

    Arrays are packed, element 0 in the lowest bits; `clk` and `rst` are ports of what has state,
    `en` of what is called with an enable.
    """
    modules = ir.below(module)
    names = {key: legal(name) for key, name in ir.module_names(module).items()}
    enabled = _enabled(modules)
    files: dict[str, str] = {}
    for one in modules:
        printer = _Printer(one, names, enabled)
        files[f"{names[id(one)]}.sv"] = printer.text()
        files |= printer.files
    return Verilog(names[id(module)], files)


def has_state(module: ir.Module) -> bool:
    """Whether a module or one inside it needs a clock: for state, or for what is claimed."""
    own = module.registers or module.memories or module.claims
    parts: list[ir.Instance | ir.Fold] = [*module.instances.values(), *module.folds.values()]
    return bool(own) or any(has_state(part.module) for part in parts)


def _enabled(modules: Sequence[ir.Module]) -> set[int]:
    """Modules that somebody calls with an enable, or that are inside of one."""
    found: set[int] = set()
    for outer in reversed(modules):
        for part in outer.instances.values():
            if (part.enable is not None or id(outer) in found) and has_state(part.module):
                found.add(id(part.module))
    return found


class _Printer:
    """One module."""

    def __init__(self, module: ir.Module, names: Mapping[int, str], enabled: set[int]) -> None:
        self._module = module
        self._module_names = names
        self._enabled = enabled
        self._enable = id(module) in enabled
        self._names = Names(module)
        self._inlined = inlined_values(module)
        self._blocks = 0
        self.files: dict[str, str] = {}

    def text(self) -> str:
        """The module."""
        name = self._module_names[id(self._module)]
        ports = ",\n".join(INDENT + port for port in self._ports())
        lines = [f"module {name} (\n{ports}\n);"]
        for group in self._groups():
            body = list(group)
            lines += ["", *(INDENT + line if line else line for line in body)] if body else []
        return "\n".join((*lines, "endmodule", ""))

    def _groups(self) -> Iterator[Iterator[str]]:
        module = self._module
        yield self._declarations()
        for name in module.lets:
            if name not in self._inlined and module.form(name).width:
                yield self._assigned(name)
        for name, instance in module.instances.items():
            yield self._instance(name, instance)
        for name, fold in module.folds.items():
            yield self._fold(name, fold)
        for name, memory in module.memories.items():
            yield self._memory(name, memory)
        yield self._registers()
        yield self._claims()
        yield self._outputs()

    # Ports and declarations.

    def _ports(self) -> Iterator[str]:
        if has_state(self._module):
            yield f"input  logic {CLOCK}"
            yield f"input  logic {RESET}"
        if self._enable:
            yield f"input  logic {ENABLE}"
        for port, form in self._module.inputs.items():
            if form.width:
                yield f"input  {declared(form)} {self._names.of('input', port)}"
        for port, value in self._module.outputs.items():
            form = self._module.form(value)
            if form.width:
                yield f"output {declared(form)} {self._names.of('output', port)}"

    def _declarations(self) -> Iterator[str]:
        for name, let in self._module.lets.items():
            if let.op != "input" and name not in self._inlined and let.form.width:
                yield f"{declared(let.form)} {self._value_name(name)};  // {let.where}"

    def _value_name(self, name: str) -> str:
        let = self._module.lets[name]
        if let.op == "input":
            return self._names.of("input", str(let.data[0]))
        return self._names.of("value", name)

    def _block(self, name: str) -> str:
        """The label of the loops around something; each call gives another."""
        self._blocks += 1
        return self._names.of(f"block {self._blocks}", f"g_{name}")

    # Values.

    def _element(self, name: str, index: Sequence[str]) -> str:
        """An element of a value as an operand, with its sign."""
        let = self._module.lets[name]
        if not let.form.width:
            return "1'd0"
        if let.op == "const":
            if len(set(let.data)) == 1:
                return literal(int(str(let.data[0])), Form(let.form.width, let.form.signed))
        elif name in self._inlined:
            if let.op == "spread":
                return self._expression(name, index)
            return closed(let, self._expression(name, index))
        text = self._value_name(name) + "".join(f"[{one}]" for one in index)
        return f"$signed({text})" if let.form.signed and index else text

    def _expression(self, name: str, index: Sequence[str]) -> str:
        let = self._module.lets[name]
        if let.op == "spread":
            kept = [one for axis, one in enumerate(index) if axis not in let.data]
            return self._element(let.args[0], kept)
        forms = [self._module.form(arg) for arg in let.args]
        if let.op in ON_NAMES:
            return expression(
                let, forms, [indexed(self._value_name(arg), index) for arg in let.args]
            )
        return expression(let, forms, [self._element(arg, index) for arg in let.args])

    def _assigned(self, name: str) -> Iterator[str]:
        let = self._module.lets[name]
        target = self._value_name(name)
        match let.op:
            case "input" | "register" | "port" | "read":
                return
            case "const":
                yield f"assign {target} = {array_literal(let)};"
            case "reshape" | "pack" | "unpack":
                yield f"assign {target} = {self._whole(let.args[0])};"
            case "transpose" | "slice" | "take" | "put" | "join":
                yield from self._rearranged(name, target)
            case _:
                yield from loops(
                    let.form.shape,
                    lambda index: [
                        f"assign {indexed(target, index)} = {self._expression(name, index)};"
                    ],
                    self._block(f"{target}"),
                )

    def _whole(self, name: str) -> str:
        let = self._module.lets[name]
        if let.op == "const" and not let.form.shape:
            return self._element(name, ())
        return self._value_name(name)

    def _rearranged(self, name: str, target: str) -> Iterator[str]:
        let = self._module.lets[name]
        source = let.args[0]
        label = self._block(f"{target}")
        data = [int(str(one)) for one in let.data]
        match let.op:
            case "transpose":

                def back(index: Sequence[str]) -> list[str]:
                    from_ = [""] * len(index)
                    for place, axis in enumerate(data):
                        from_[axis] = index[place]
                    return [f"assign {indexed(target, index)} = {self._element(source, from_)};"]

                yield from loops(let.form.shape, back, label)
            case "slice":
                axis, start, step = data

                def there(index: Sequence[str]) -> list[str]:
                    from_ = list(index)
                    from_[axis] = offset_index(start, step, index[axis])
                    return [f"assign {indexed(target, index)} = {self._element(source, from_)};"]

                yield from loops(let.form.shape, there, label)
            case "join":
                yield from self._joined(let, target, data[0])
            case "take":
                yield from self._taken(let, target, label)
            case "put":
                yield from self._put(let, target, label)

    def _joined(self, let: Let, target: str, axis: int) -> Iterator[str]:
        begin = 0
        for number, arg in enumerate(let.args):
            shape = self._module.form(arg).shape
            offset = begin

            def moved(index: Sequence[str], source: str = arg, offset: int = offset) -> list[str]:
                to = list(index)
                to[axis] = offset_index(offset, 1, index[axis])
                return [f"assign {indexed(target, to)} = {self._element(source, index)};"]

            yield from loops(shape, moved, self._block(f"{target}_{number}"))
            begin += shape[axis]

    def _taken(self, let: Let, target: str, label: str) -> Iterator[str]:
        array, index_value = let.args
        form, at = self._module.form(array), self._module.form(index_value)
        outer = len(at.shape)
        size = form.shape[outer]

        def taken(index: Sequence[str]) -> list[str]:
            place = self._element(index_value, index[:outer])
            found = literal(0, Form(form.width, form.signed))
            if at.width:
                chosen = [
                    f"{place} == {literal(n, at)} ? "
                    f"{self._element(array, (*index[:outer], str(n), *index[outer:]))}"
                    for n in range(size)
                    if at.has(n)
                ]
                found = " : ".join((*chosen, found))
            else:
                found = self._element(array, (*index[:outer], "0", *index[outer:]))
            return [f"assign {indexed(target, index)} = {found};"]

        yield from loops(let.form.shape, taken, label)

    def _put(self, let: Let, target: str, label: str) -> Iterator[str]:
        array, index_value, value = let.args
        at = self._module.form(index_value)
        outer = len(at.shape)

        def put(index: Sequence[str]) -> list[str]:
            place = self._element(index_value, index[:outer])
            here = self._element(value, (*index[:outer], *index[outer + 1 :]))
            old = self._element(array, index)
            return [
                f"assign {indexed(target, index)} = {place} == {index[outer]} ? {here} : {old};"
            ]

        yield from loops(let.form.shape, put, label)

    # Parts.

    def _instance(self, name: str, instance: ir.Instance) -> Iterator[str]:
        inner = instance.module

        def placed(index: Sequence[str]) -> list[str]:
            pins = []
            if has_state(inner):
                pins += [f".{CLOCK}({CLOCK})", f".{RESET}({RESET})"]
            if id(inner) in self._enabled:
                pins.append(f".{ENABLE}({self._inner_enable(instance, index)})")
            ports = Names(inner)
            for port, value in instance.inputs.items():
                if inner.inputs[port].width:
                    pins.append(f".{ports.of('input', port)}({self._part(value, index)})")
            for port, given in inner.outputs.items():
                if inner.form(given).width:
                    used = self._port_value(name, port)
                    pin = indexed(self._value_name(used), index) if used else ""
                    pins.append(f".{ports.of('output', port)}({pin})")
            called = self._module_names[id(inner)]
            return [f"{called} {self._names.of('part', name)} ({', '.join(pins)});"]

        yield from loops(instance.shape, placed, self._block(f"{legal(name)}"))

    def _inner_enable(self, instance: ir.Instance, index: Sequence[str]) -> str:
        wanted = [ENABLE] if self._enable else []
        if instance.enable is not None:
            wanted.append(self._element(instance.enable, index))
        return " & ".join(wanted) or "1'b1"

    def _port_value(self, part: str, port: str) -> str | None:
        """The value that stands for an output of an instance, if anybody uses it."""
        found = [n for n, let in self._module.lets.items() if let.data == (part, port)]
        return found[0] if found else None

    def _part(self, name: str, index: Sequence[str]) -> str:
        """A value, or what of it belongs to one of an array of instances."""
        let = self._module.lets[name]
        if len(index) == len(let.form.shape):
            return self._element(name, index)
        return self._value_name(name) + "".join(f"[{one}]" for one in index)

    def _registers(self) -> Iterator[str]:
        for name, register in self._module.registers.items():
            value = next(
                (
                    n
                    for n, let in self._module.lets.items()
                    if (let.op, let.data) == ("register", (name,))
                ),
                None,
            )
            if value is None or not register.form.width:
                continue
            target = self._value_name(value)
            taken = f"{target} <= {self._whole(register.next)};"
            yield f"always_ff @(posedge {CLOCK}) begin  // {register.where}"
            held = f"if ({ENABLE}) {taken}" if self._enable else taken
            if register.reset is None:
                yield f"{INDENT}{held}"
            else:
                start = array_of(register.reset, register.form)
                yield f"{INDENT}if ({RESET}) {target} <= {start};"
                yield f"{INDENT}else {held}"
            yield "end"

    def _claims(self) -> Iterator[str]:
        off = f"{RESET} || !{ENABLE}" if self._enable else RESET
        for number, claim in enumerate(self._module.claims):
            rest = f" else $error({json.dumps(claim.text)})" if claim.kind == "assert" else ""
            head = f"{claim.kind}_{number}: {claim.kind} property"
            when = f"@(posedge {CLOCK}) disable iff ({off})"

            def one(
                index: Sequence[str],
                head: str = f"{head} ({when} ",
                value: str = claim.value,
                rest: str = rest,
            ) -> list[str]:
                return [f"{head}{self._element(value, index)}){rest};"]

            shape = self._module.form(claim.value).shape
            yield from loops(shape, one, self._block(f"claim_{number}"))

    def _outputs(self) -> Iterator[str]:
        for port, value in self._module.outputs.items():
            if self._module.form(value).width:
                yield f"assign {self._names.of('output', port)} = {self._whole(value)};"

    # Folds and memories.

    def _fold(self, name: str, fold: ir.Fold) -> Iterator[str]:
        inner = fold.module
        block = self._names.of("part", name)
        feeds = dict(fold.carries)
        ports = Names(inner)

        def chain(index: Sequence[str]) -> list[str]:
            lines: list[str] = []
            link = f"{block}_k"
            lines.append(
                f"for (genvar {link} = 0; {link} < {fold.length}; {link}++) begin : {block}"
            )
            pins = []
            for port, form in inner.inputs.items():
                if not form.width:
                    continue
                value = fold.inputs[port]
                if port in feeds:
                    lines.append(f"{INDENT}{declared(form)} {port}_in;")
                    before = f"{block}[{link} - 1].{feeds[port]}_out"
                    lines.append(f"{INDENT}if ({link} == 0) begin : g_{port}_first")
                    lines.append(f"{INDENT * 2}assign {port}_in = {self._part(value, index)};")
                    lines.append(f"{INDENT}end else begin : g_{port}_next")
                    lines.append(f"{INDENT * 2}assign {port}_in = {before};")
                    lines.append(f"{INDENT}end")
                    pins.append(f".{ports.of('input', port)}({port}_in)")
                elif port in fold.each:
                    pins.append(f".{ports.of('input', port)}({self._part(value, (*index, link))})")
                else:
                    pins.append(f".{ports.of('input', port)}({self._part(value, index)})")
            for port, given in inner.outputs.items():
                form = inner.form(given)
                if form.width:
                    lines.append(f"{INDENT}{declared(form)} {port}_out;")
                    pins.append(f".{ports.of('output', port)}({port}_out)")
            lines.append(
                f"{INDENT}{self._module_names[id(inner)]} {block}_link ({', '.join(pins)});"
            )
            lines += self._stacked(name, fold, index, link)
            lines.append("end")
            lines += self._last(name, fold, index, block)
            return lines

        yield from loops(fold.shape, chain, self._block(f"{block}"))

    def _stacked(self, name: str, fold: ir.Fold, index: Sequence[str], link: str) -> Iterator[str]:
        carried = {given for _, given in fold.carries}
        for port in fold.module.outputs:
            value = self._port_value(name, port)
            if port not in carried and value and self._module.form(value).width:
                target = indexed(self._value_name(value), (*index, link))
                yield f"{INDENT}assign {target} = {port}_out;"

    def _last(self, name: str, fold: ir.Fold, index: Sequence[str], block: str) -> Iterator[str]:
        for _, port in fold.carries:
            value = self._port_value(name, port)
            if value and self._module.form(value).width:
                target = indexed(self._value_name(value), index)
                yield f"assign {target} = {block}[{fold.length - 1}].{port}_out;"

    def _memory(self, name: str, memory: ir.Memory) -> Iterator[str]:
        element = Form(memory.form.width, memory.form.signed)

        def bank(index: Sequence[str]) -> list[str]:
            held = self._names.of("part", name)
            lines = [f"{declared(Form(element.width))} {held} [0:{memory.depth - 1}];"]
            if memory.init is not None:
                lines.append(f'initial $readmemh("{self._init_file(name, memory)}", {held});')
            for number, port in enumerate(memory.reads):
                lines += self._read(name, memory, number, port, index)
            writes = [
                line for port in memory.writes for line in self._write(name, memory, port, index)
            ]
            if writes:
                lines.append(f"always_ff @(posedge {CLOCK}) begin")
                on = f"if ({ENABLE}) " if self._enable else ""
                lines += [f"{INDENT}{on}{line}" for line in writes]
                lines.append("end")
            return lines

        yield from loops(memory.form.shape, bank, self._block(f"{legal(name)}"))

    def _init_file(self, name: str, memory: ir.Memory) -> str:
        file = f"{self._module_names[id(self._module)]}_{name}.hex"
        digits = -(-memory.form.width // 4)
        mask = (1 << memory.form.width) - 1
        # Verilator 5.006 drops the last word without a line feed at the end.
        self.files[file] = "".join(f"{n & mask:0{digits}x}\n" for n in memory.init or ())
        return file

    def _read(
        self, name: str, memory: ir.Memory, number: int, port: ir.ReadPort, index: Sequence[str]
    ) -> Iterator[str]:
        value = next(
            (
                n
                for n, let in self._module.lets.items()
                if (let.op, let.data) == ("read", (name, number))
            ),
            None,
        )
        if value is None:
            return
        target = indexed(self._value_name(value), index)
        found = self._fetched(name, memory, port, index)
        if not port.sync:
            yield f"assign {target} = {found};"
            return
        on = [ENABLE] if self._enable else []
        on += [self._element(port.enable, index)] if port.enable is not None else []
        condition = f"if ({' & '.join(on)}) " if on else ""
        yield f"always_ff @(posedge {CLOCK}) {condition}{target} <= {found};"

    def _fetched(
        self, name: str, memory: ir.Memory, port: ir.ReadPort, index: Sequence[str]
    ) -> str:
        held = self._names.of("part", name)
        address = self._element(port.address, index)
        form = self._module.form(port.address)
        found = f"{held}[{address}]" if form.width else f"{held}[0]"
        if form.high >= memory.depth:
            found = f"({address} < {literal(memory.depth, Form(form.width))} ? {found} : '0)"
        if port.transparent:
            for write in memory.writes:
                found = self._forwarded(memory, write, address, index, found)
        return found

    def _forwarded(
        self, memory: ir.Memory, write: ir.WritePort, address: str, index: Sequence[str], old: str
    ) -> str:
        new = self._element(write.data, index)
        if write.mask is not None:
            mask = self._bit_mask(memory, write.mask, index)
            new = f"(({new} & {mask}) | ({old} & ~{mask}))"
        same = [f"{address} == {self._element(write.address, index)}"]
        form = self._module.form(write.address)
        if form.high >= memory.depth:
            same.append(f"{address} < {literal(memory.depth, Form(form.width))}")
        if write.enable is not None:
            same.append(self._element(write.enable, index))
        return f"({' && '.join(same)} ? {new} : {old})"

    def _bit_mask(self, memory: ir.Memory, mask: str, index: Sequence[str]) -> str:
        form = self._module.form(mask)
        width = memory.form.width // form.width
        name = indexed(self._value_name(mask), index)
        bits = [
            f"{{{width}{{{name}[{n}]}}}}" if form.width > 1 else f"{{{width}{{{name}}}}}"
            for n in range(form.width)
        ]
        return f"{{{', '.join(reversed(bits))}}}"

    def _write(
        self, name: str, memory: ir.Memory, port: ir.WritePort, index: Sequence[str]
    ) -> Iterator[str]:
        held = self._names.of("part", name)
        address, form = self._element(port.address, index), self._module.form(port.address)
        if not form.width:
            address = "0"
        conditions = [] if port.enable is None else [self._element(port.enable, index)]
        if form.high >= memory.depth:
            conditions.append(f"{address} < {literal(memory.depth, Form(form.width))}")
        data = self._element(port.data, index)
        if port.mask is None:
            when = f"if ({' && '.join(conditions)}) " if conditions else ""
            yield f"{when}{held}[{address}] <= {data};"
            return
        masked = self._module.form(port.mask)
        width = memory.form.width // masked.width
        named = indexed(self._value_name(port.mask), index)
        source = indexed(self._value_name(port.data), index)
        for group in range(masked.width):
            bit = f"{named}[{group}]" if masked.width > 1 else named
            when = " && ".join((*conditions, bit))
            part = f"[{group * width} +: {width}]" if memory.form.width > 1 else ""
            yield f"if ({when}) {held}[{address}]{part} <= {source}{part};"
