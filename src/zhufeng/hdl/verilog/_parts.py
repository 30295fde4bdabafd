"""Instances and folds as SystemVerilog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
        # What each link takes, and what the last one hands on. (In 5.48 Verilator fails on links
        # that name one another's wires, ``link[k - 1].next``, if it inlines some of their users.)
        self._chains = {
            port: body.names.of(f"link {name}", f"{taken}_k")
            for taken, given in of.carries
            for port in (taken, given)
        }

    def lines(self) -> list[str]:
        """The values between the links, the loop of links, and what the last one hands on."""
        of, body = self._of, self._body
        first, last = [], []
        for taken, given in of.carries:
            form, chain = of.module.inputs[taken], self._chains[taken]
            if form.width:
                places = replace(form, shape=(of.length + 1, *form.shape))
                value = body.values.bits(of.inputs[taken], self._index)
                first += [f"{variable('logic', places, chain)};", f"assign {chain}[0] = {value};"]
            if target := self._target(given):
                last.append(f"assign {indexed(target, self._index)} = {chain}[{of.length}];")
        called = f"{body.module_names[id(of.module)]} {body.names.of('link', 'link')} "
        inside = (INDENT + line for line in bracketed(called, self._pins(), ";"))
        head = f"for (genvar {self._k} = 0; {self._k} < {of.length}; {self._k}++)"
        return [*first, f"{head} begin : {self._block}", *inside, "end", *last]

    def _pins(self) -> list[str]:
        of, body = self._of, self._body
        pins = body.clock_pins(of.module, ENABLE if body.has_enable else "")
        for port, form in of.module.inputs.items():
            if form.width:
                place = (*self._index, self._k) if port in of.each else self._index
                chain = self._chains.get(port)
                pin = f"{chain}[{self._k}]" if chain else body.values.bits(of.inputs[port], place)
                pins.append(f".{self._ports.of('input', port)}({pin})")
        for port, given in of.module.outputs.items():
            if of.module.form(given).width:
                chain, target = self._chains.get(port), self._target(port)
                pin = indexed(target, (*self._index, self._k)) if target else ""
                pin = f"{chain}[{self._k} + 1]" if chain else pin
                pins.append(f".{self._ports.of('output', port)}({pin})")
        return pins

    def _target(self, port: str) -> str | None:
        """What is called what an output of the whole chain gives."""
        value = self._body.values.leaf("port", self._name, port)
        if value is None or not self._body.module.form(value).width:
            return None
        return self._body.values.name(value)
