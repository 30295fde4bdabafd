"""A module that values and registers are added to."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from zhufeng.hdl.ir import BIT, Claim, Data, Form, Let, Module, Register


class Grown:
    """A module of the IR while it grows; what it has stays as it is."""

    def __init__(self, module: Module) -> None:
        self._before = module
        self.lets = dict(module.lets)
        self.registers = dict(module.registers)
        self.instances = dict(module.instances)
        self.inputs = dict(module.inputs)
        self.outputs = dict(module.outputs)
        self.claims = list(module.claims)
        largest = max((int(name) for name in module.lets if name.isdigit()), default=-1)
        self._numbers = count(largest + 1)

    def module(self) -> Module:
        """It, with all that was added."""
        return replace(
            self._before,
            lets=self.lets,
            registers=self.registers,
            instances=self.instances,
            inputs=self.inputs,
            outputs=self.outputs,
            claims=tuple(self.claims),
        )

    def free(self, wanted: str) -> str:
        """A name like `wanted` that nothing has."""
        before = self._before
        state = {*self.registers, *before.memories, *self.instances, *before.folds}
        while wanted in state or wanted in {*self.lets, *self.inputs, *self.outputs}:
            wanted += "_"
        return wanted

    def add(
        self, op: str, form: Form, *args: str, name: str = "", data: tuple[Data, ...] = ()
    ) -> str:
        """A new value; its name."""
        called = name or str(next(self._numbers))
        self.lets[called] = Let(op, form, args, data)
        return called

    def input(self, port: str, form: Form) -> str:
        """A new input; the name of its value."""
        self.inputs[port] = form
        return self.add(
            "input", form, name=self.free(f"{port}_in") if port in self.lets else port, data=(port,)
        )

    def held(self, wanted: str, form: Form, reset: int | None) -> str:
        """A new register of one reset value, to be given a `next`; its name and its value's."""
        name = self.free(wanted)
        numbers = None if reset is None else (reset,) * form.size
        self.registers[name] = Register(form, numbers, name)
        return self.add("register", form, name=name, data=(name,))

    def then(self, register: str, value: str) -> None:
        """What a register takes at the end of a cycle."""
        self.registers[register] = replace(self.registers[register], next=value)

    def of_register(self, register: str) -> str:
        """The value of a register."""
        known = (
            n for n, let in self.lets.items() if let.op == "register" and let.data == (register,)
        )
        return next(known, None) or self.add(
            "register", self.registers[register].form, data=(register,)
        )

    def inverted(self, value: str) -> str:
        """The same bits, turned."""
        form = self.lets[value].form
        return self.add("not", replace(form, signed=False), value)

    def all_of(self, value: str) -> str:
        """Whether all elements, of one bit each, are 1."""
        form = self.lets[value].form
        if form == BIT:
            return value
        if not form.size:
            return self.add("const", BIT, data=(1,))
        row = self.add("reshape", Form(1, signed=False, shape=(form.size,)), value)
        return self.add("all", BIT, self.add("pack", Form(form.size), row))

    def claim(self, claim: Claim) -> None:
        """One more."""
        self.claims.append(claim)
