"""Flattening."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

from zhufeng.hdl.ir import (
    Claim,
    Fold,
    Form,
    Instance,
    Let,
    Memory,
    Module,
    ReadPort,
    Register,
    WritePort,
    below,
)
from zhufeng.hdl.passes._pass import Pass


@dataclass(frozen=True)
class Flattening(Pass):
    """Makes everything inside instances a part of the module: ``pes.a`` becomes ``pes_a``.

    The links of folds stay modules. So does an instance that is called with an enable and has

    - a memory with transparent asynchronous reads: those show a write that the enable holds back;
    - claims in the links of a fold: they are not judged while the enable is 0, which a link, that
      has no enable, cannot tell.
    """

    def one(self, module: Module) -> Module:
        """See `Pass`."""
        return _Flat(module).module()


def _stays(instance: Instance) -> bool:
    inner = instance.module
    if instance.enable is None or inner.instances:
        return bool(inner.instances)
    reads = (read for one in inner.memories.values() for read in one.reads)
    links = (below(one.module) for one in inner.folds.values())
    return any(read.transparent and not read.sync for read in reads) or any(
        one.claims for modules in links for one in modules
    )


class _Flat:
    """A module that takes in its instances."""

    def __init__(self, module: Module) -> None:
        self.before = module
        self.lets = dict(module.lets)
        self.registers = dict(module.registers)
        self.memories = dict(module.memories)
        self.folds = dict(module.folds)
        self.claims = list(module.claims)
        self._numbers = count(
            max((int(name) for name in self.lets if name.isdigit()), default=-1) + 1
        )
        self._to: dict[str, str] = {}

    def module(self) -> Module:
        """It, without them."""
        kept = {name: one for name, one in self.before.instances.items() if _stays(one)}
        for name, one in self.before.instances.items():
            if name not in kept:
                _Inlined(self, name, one).take_in()
        for name, let in self.before.lets.items():
            if let.op == "port" and let.data[0] not in (*kept, *self.before.folds):
                del self.lets[name]
        whole = replace(
            self.before,
            registers=self.registers,
            memories=self.memories,
            instances=kept,
            folds=self.folds,
            claims=tuple(self.claims),
        )
        lets = {
            name: replace(let, args=tuple(map(self._resolved, let.args)))
            for name, let in self.lets.items()
        }
        return whole.revalued(lets, self._resolved)

    def _resolved(self, value: str) -> str:
        while value in self._to:
            value = self._to[value]
        return value

    def stands_for(self, old: str, new: str) -> None:
        """A value is another one from now on."""
        self._to[old] = new

    def add(self, let: Let, name: str = "") -> str:
        """A new value; its name."""
        called = self._free(name) if name else str(next(self._numbers))
        self.lets[called] = let
        return called

    def _free(self, name: str) -> str:
        found, number = name, 1
        while found in self.lets or found in self.before.inputs:
            found, number = f"{name}_{number}", number + 1
        return found

    def part(self, name: str) -> str:
        """A name for a register, a memory or a fold."""
        parts = self.registers.keys() | self.memories.keys() | self.folds.keys()
        found, number = name, 1
        while found in parts or found in self.before.instances:
            found, number = f"{name}_{number}", number + 1
        return found


class _Inlined:
    """An instance, or an array of it, that becomes a part of the module around it."""

    def __init__(self, flat: _Flat, name: str, instance: Instance) -> None:
        self._flat = flat
        self._name = name
        self._instance = instance
        self._module = instance.module
        self._axes = len(instance.shape)
        inner = self._module
        parts = (*inner.registers, *inner.memories, *inner.folds)
        self._parts = {part: flat.part(f"{name}_{part}") for part in parts}
        self._values: dict[str, str] = {}
        for value, let in inner.lets.items():
            if let.op == "input":
                self._values[value] = instance.inputs[str(let.data[0])]
            else:
                wanted = "" if value.isdigit() else f"{name}_{value}"
                self._values[value] = flat.add(replace(let, form=self._form(let.form)), wanted)

    def take_in(self) -> None:
        """Write everything of it into the module around it."""
        flat, inner = self._flat, self._module
        for value, let in inner.lets.items():
            if let.op != "input":
                flat.lets[self._values[value]] = self._let(let)
        for name, register in inner.registers.items():
            flat.registers[self._parts[name]] = self._register(name, register)
        for name, memory in inner.memories.items():
            flat.memories[self._parts[name]] = self._memory(memory)
        for name, fold in inner.folds.items():
            flat.folds[self._parts[name]] = self._fold(fold)
        flat.claims += [self._claim(claim) for claim in inner.claims]
        for name, let in flat.before.lets.items():
            if let.op == "port" and let.data[0] == self._name:
                flat.stands_for(name, self._values[inner.outputs[str(let.data[1])]])

    def _form(self, form: Form) -> Form:
        return replace(form, shape=(*self._instance.shape, *form.shape))

    def _let(self, let: Let) -> Let:
        """An operation over all instances: their axes stand before its own."""
        form = self._form(let.form)
        args = tuple(self._values[arg] for arg in let.args)
        numbers = [one for one in let.data if isinstance(one, int)]
        outer = tuple(range(self._axes))
        match let.op, *let.data:
            case "const", *_ if len(numbers) > 1 and outer:
                own = self._flat.add(let)
                return Let("spread", form, (own,), outer, let.where)
            case (("register" | "port" | "read"), str(part), *rest):
                return replace(let, form=form, data=(self._parts[part], *rest))
            case "spread", *_:
                return replace(
                    let, form=form, args=args, data=tuple(n + self._axes for n in numbers)
                )
            case "transpose", *_:
                data = (*outer, *(n + self._axes for n in numbers))
                return replace(let, form=form, args=args, data=data)
            case (("slice" | "join"), *_):
                data = (numbers[0] + self._axes, *numbers[1:])
                return replace(let, form=form, args=args, data=data)
        return replace(let, form=form, args=args)

    # What an enable holds.

    def _on(self, shape: tuple[int, ...]) -> str | None:
        """The enable of each instance, for each of `shape` elements in it."""
        enable = self._instance.enable
        if enable is None or not shape:
            return enable
        axes = tuple(range(self._axes, self._axes + len(shape)))
        form = Form(1, signed=False, shape=(*self._instance.shape, *shape))
        return self._flat.add(Let("spread", form, (enable,), axes, self._instance.where))

    def _and(self, value: str | None, shape: tuple[int, ...]) -> str | None:
        on = self._on(shape)
        if on is None or value is None:
            return value if on is None else on
        form = Form(1, signed=False, shape=(*self._instance.shape, *shape))
        return self._flat.add(Let("and", form, (on, value), (), self._instance.where))

    def _register(self, name: str, register: Register) -> Register:
        form, after = self._form(register.form), self._values[register.next]
        on = self._on(register.form.shape)
        if on is not None:
            held = self._flat.add(Let("register", form, (), (self._parts[name],), register.where))
            after = self._flat.add(Let("mux", form, (on, after, held), (), register.where))
        reset = register.reset
        repeated = None if reset is None else reset * math.prod(self._instance.shape)
        return Register(form, repeated, after, register.where)

    def _memory(self, memory: Memory) -> Memory:
        banks = memory.form.shape
        inside: Mapping[str, str] = self._values

        def read(port: ReadPort) -> ReadPort:
            enable = port.enable and inside[port.enable]
            on = self._and(enable, banks) if port.sync else enable
            return replace(port, address=inside[port.address], enable=on)

        def write(port: WritePort) -> WritePort:
            return replace(
                port,
                address=inside[port.address],
                data=inside[port.data],
                enable=self._and(port.enable and inside[port.enable], banks),
                mask=port.mask and inside[port.mask],
            )

        return replace(
            memory,
            form=self._form(memory.form),
            reads=tuple(map(read, memory.reads)),
            writes=tuple(map(write, memory.writes)),
        )

    def _fold(self, fold: Fold) -> Fold:
        inputs = {port: self._values[value] for port, value in fold.inputs.items()}
        return replace(fold, inputs=inputs, shape=(*self._instance.shape, *fold.shape))

    def _claim(self, claim: Claim) -> Claim:
        """What is claimed while it is enabled."""
        value = self._values[claim.value]
        shape = self._module.form(claim.value).shape
        on = self._on(shape)
        form = Form(1, signed=False, shape=(*self._instance.shape, *shape))
        if on is not None and claim.kind == "cover":
            value = self._flat.add(Let("and", form, (on, value), (), claim.where))
        elif on is not None:
            off = self._flat.add(Let("not", form, (on,), (), claim.where))
            value = self._flat.add(Let("or", form, (off, value), (), claim.where))
        return replace(claim, value=value)
