"""A module being printed: what its parts need to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zhufeng.hdl import ir
from zhufeng.hdl.verilog._expressions import literal
from zhufeng.hdl.verilog._names import CLOCK, ENABLE, RESET, Names, legal
from zhufeng.hdl.verilog._pieces import INDENT, indexed, loops, variable, variable_of
from zhufeng.hdl.verilog._values import Values, is_procedural

_ON = "1'b1"


class Body:
    """A module, its names and its values."""

    def __init__(
        self,
        module: ir.Module,
        module_names: Mapping[int, str],
        enabled: frozenset[str],
        declared: set[str],
    ) -> None:
        self.module = module
        self.module_names = module_names
        self.enabled = enabled
        self.has_enable = module_names[id(module)] in enabled
        self.names = Names(module)
        self.values = Values(module, self.names, declared)
        self._blocks = 0

    def block(self, name: str) -> str:
        """The label of the loops around something; each call gives another."""
        self._blocks += 1
        return self.names.of(f"block {self._blocks}", f"g_{legal(name)}")

    def clock_pins(self, inner: ir.Module, enable: str) -> list[str]:
        """What a module inside this one has beside its ports."""
        pins = [f".{CLOCK}({CLOCK})", f".{RESET}({RESET})"] if has_state(inner) else []
        if self.module_names[id(inner)] in self.enabled:
            pins.append(f".{ENABLE}({enable or _ON})")
        return pins

    # Declarations.

    def leaves(self) -> Iterator[str]:
        """What is given from elsewhere: registers, ports of instances, what is read."""
        for name in self.values.leaves():
            let = self.module.lets[name]
            if let.op != "input" and let.form.width:
                yield f"{variable('logic', let.form, self.values.name(name))};{_at(let)}"

    def declarations(self) -> Iterator[str]:
        """The values that have a name, each after those of which it is made."""
        for name in ir.order(self.module):
            if name in self.values.declared and self.module.form(name).width:
                yield from self._declared(name)

    def _declared(self, name: str) -> Iterator[str]:
        let, target = self.module.lets[name], self.values.name(name)
        whole = self.values.definition(name, ())
        if whole is not None:
            yield f"{variable('wire', let.form, target)} = {whole};{_at(let)}"
            return
        yield f"{variable('logic', let.form, target)};{_at(let)}"
        if is_procedural(let):
            block = self._leading if let.op == "leading" else self._case
            yield from loops(
                let.form.shape,
                lambda index: block(let, variable_of(target, index, let.form), index),
                self.block(target),
            )
            return
        depth = next(
            axes
            for axes in range(1, len(let.form.shape) + 1)
            if self.values.definition(name, ["0"] * axes) is not None
        )

        def assigned(index: Sequence[str]) -> list[str]:
            return [f"assign {indexed(target, index)} = {self.values.definition(name, index)};"]

        yield from loops(let.form.shape[:depth], assigned, self.block(target))

    def _leading(self, let: ir.Let, target: str, index: Sequence[str]) -> list[str]:
        """The highest bit that is set is the last one to be seen."""
        source, width = let.args[0], self.module.form(let.args[0]).width
        bits = self.values.path(source, index) if width else ""
        place = self.names.of("index of a bit", "k")
        bit = f"{bits}[{place}]" if width > 1 else bits
        size = let.form.width
        loop = [
            f"{INDENT}for (int {place} = 0; {place} < {width}; {place}++) begin",
            f"{INDENT * 2}if ({bit}) {target} = {size}'({width - 1} - {place});",
            f"{INDENT}end",
        ]
        first = f"{INDENT}{target} = {size}'({width});"
        return ["always_comb begin", first, *(loop if width else []), "end"]

    def _case(self, let: ir.Let, target: str, index: Sequence[str]) -> list[str]:
        selector, *choices = let.args
        form = self.module.form(selector)
        keys = [literal(key, form) for key in let.data if isinstance(key, int)]
        lines = [
            f"{INDENT * 2}{key}: {target} = {self.values.bits(choice, index)};"
            for key, choice in zip((*keys, "default"), choices, strict=True)
        ]
        head = f"{INDENT}case ({self.values.element(selector, index)})"
        return ["always_comb begin", head, *lines, f"{INDENT}endcase", "end"]


def _at(let: ir.Let) -> str:
    return f"  // {let.where}" if let.where else ""


def has_state(module: ir.Module) -> bool:
    """Whether a module or one inside it needs a clock: for state, or for what is claimed."""
    return any(one.registers or one.memories or one.claims for one in ir.below(module))
