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
    yield from loops(
        of.shape, lambda index: _Chain(body, name, of, index).lines(), body.block(name)
    )


class _Chain:
    """One chain of them, and where it stands in the loops around it."""

    def __init__(self, body: Body, name: str, of: ir.Fold, index: Sequence[str]) -> None:
        self._body, self._name, self._of, self._index = body, name, of, index
        self._ports = Names(of.module)
        self._block = body.names.of("part", name)
        self._k = body.names.of(f"index {name}", f"{self._block}_k")
        # What a link takes from the one before it, and what it hands on.
        self._wires = {
            port: body.names.of(f"link {name}", f"{port}_k")
            for carry in of.carries
            for port in carry
        }

    def lines(self) -> list[str]:
        """The loop, and what the last link hands on."""
        of, body = self._of, self._body
        inside = [line for taken, given in of.carries for line in self._carried(taken, given)]
        called = f"{body.module_names[id(of.module)]} {body.names.of('link', 'link')} "
        inside += bracketed(called, self._pins(), ";")
        head = f"for (genvar {self._k} = 0; {self._k} < {of.length}; {self._k}++)"
        last = []
        for _, port in of.carries:
            target = self._target(port)
            if target:
                given = f"{self._block}[{of.length - 1}].{self._wires[port]}"
                last.append(f"assign {indexed(target, self._index)} = {given};")
        lines = (INDENT + line for line in inside)
        return [f"{head} begin : {self._block}", *lines, "end", *last]

    def _carried(self, taken: str, given: str) -> Iterator[str]:
        """The wires between two links."""
        form = self._of.module.inputs[taken]
        if not form.width:
            return
        wire, after = self._wires[taken], self._wires[given]
        first = self._body.values.bits(self._of.inputs[taken], self._index)
        yield f"{variable('logic', form, wire)};"
        yield f"{variable('logic', form, after)};"
        yield f"if ({self._k} == 0) begin : {wire}_first"
        yield f"{INDENT}assign {wire} = {first};"
        yield f"end else begin : {wire}_next"
        yield f"{INDENT}assign {wire} = {self._block}[{self._k} - 1].{after};"
        yield "end"

    def _pins(self) -> list[str]:
        of, body = self._of, self._body
        pins = body.clock_pins(of.module, ENABLE if body.has_enable else "")
        for port, form in of.module.inputs.items():
            if form.width:
                place = (*self._index, self._k) if port in of.each else self._index
                pin = self._wires.get(port) or body.values.bits(of.inputs[port], place)
                pins.append(f".{self._ports.of('input', port)}({pin})")
        for port, given in of.module.outputs.items():
            if of.module.form(given).width:
                target = self._target(port)
                stacked = indexed(target, (*self._index, self._k)) if target else ""
                pin = self._wires.get(port, stacked)
                pins.append(f".{self._ports.of('output', port)}({pin})")
        return pins

    def _target(self, port: str) -> str | None:
        """What is called what an output of the whole chain gives."""
        value = self._body.values.leaf("port", self._name, port)
        if value is None or not self._body.module.form(value).width:
            return None
        return self._body.values.name(value)
