"""A module and its state, evaluated one cycle at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from zhufeng.base import generator
from zhufeng.hdl import ir
from zhufeng.hdl.interpret._values import Values, dtype, evaluated, wrapped

Inputs = Callable[[str], Values]


class Cell:
    """An instance, or all of an array of instances: those are lanes of it."""

    def __init__(self, module: ir.Module, lanes: int, seed: int, path: str, *, reset: bool) -> None:
        """At the start: as after a reset, or, without `reset`, with anything in it."""
        self.module = module
        self.lanes = lanes
        self.path = path
        self.registers = {
            name: self._start(one.form, one.reset if reset else None, seed, name)
            for name, one in module.registers.items()
        }
        self.memories = {
            name: _Memory(module, one, lanes, seed, f"{path}.{name}")
            for name, one in module.memories.items()
        }
        self.inside = {
            name: Cell(
                one.module, lanes * math.prod(one.shape), seed, f"{path}.{name}", reset=reset
            )
            for name, one in module.instances.items()
        }
        self._chains = {
            name: [
                Cell(
                    one.module,
                    lanes * math.prod(one.shape),
                    seed,
                    f"{path}.{name}[{number}]",
                    reset=reset,
                )
                for number in range(one.length)
            ]
            for name, one in module.folds.items()
        }
        self._known: dict[str, Values] = {}
        self._next: dict[str, Values] = {}
        self._inputs: Inputs = _none

    def _start(self, form: ir.Form, reset: tuple[int, ...] | None, seed: int, name: str) -> Values:
        shape = (self.lanes, *form.shape)
        if reset is None:
            return anything(form, shape, generator(seed, f"{self.path}.{name}"))
        numbers = np.array(reset, object).reshape(form.shape)
        return np.broadcast_to(numbers, shape).astype(dtype(form))

    def begin(self, inputs: Inputs) -> None:
        """Begin a cycle.

        Args:
            inputs: gives the value of an input, [lanes, ...]; asked for those that are needed.
        """
        self._inputs = inputs
        self._known = {}
        for name, cell in self.inside.items():
            cell.begin(self._given(self.module.instances[name]))
        for name, chain in self._chains.items():
            for number, link in enumerate(chain):
                link.begin(self._link_inputs(name, number))

    def value(self, name: str) -> Values:
        """A value of this cycle, [lanes, ...]."""
        if name not in self._known:
            for one in ir.cone(self.module, name):
                if one not in self._known:
                    self._known[one] = self._made(self.module.lets[one])
        return self._known[name]

    def output(self, port: str) -> Values:
        """What stands at an output."""
        return self.value(self.module.outputs[port])

    def settle(self, reset: Values, enable: Values) -> None:
        """Compute the next state of everything: a value that is not known yet needs the present.

        Args:
            reset: [lanes] of 0 and 1.
            enable: likewise; where it is 0, only reset changes anything.
        """
        self._next = {
            name: self._after(name, one, reset, enable)
            for name, one in self.module.registers.items()
        }
        for name, memory in self.memories.items():
            memory.settle(self.module.memories[name], self.value, enable)
        for name, cell in self.inside.items():
            cell.settle(*self._inner(name, reset, enable))

    def _after(self, name: str, one: ir.Register, reset: Values, enable: Values) -> Values:
        rows = (self.lanes, *[1] * len(one.form.shape))
        held = np.where(enable.reshape(rows) != 0, self.value(one.next), self.registers[name])
        if one.reset is not None:
            start = np.array(one.reset, object).reshape(one.form.shape)
            held = np.where(reset.reshape(rows) != 0, start, held)
        return held.astype(dtype(one.form))

    def commit(self) -> None:
        """End the cycle: everything takes the state that `settle` has computed."""
        self.registers = self._next
        for memory in self.memories.values():
            memory.commit()
        for cell in self.inside.values():
            cell.commit()

    def claims(self, reset: Values, enable: Values) -> Iterator[tuple[str, ir.Claim, Values]]:
        """Every claim here and below, with where it is judged and true or not: -1, 0, 1."""
        judged = (reset == 0) & (enable != 0)
        for claim in self.module.claims:
            found = self.value(claim.value).reshape(self.lanes, -1)
            yield self.path, claim, np.where(judged[:, None], found, -1)
        for name, cell in self.inside.items():
            yield from cell.claims(*self._inner(name, reset, enable))
        for name, chain in self._chains.items():
            size = math.prod(self.module.folds[name].shape)
            for link in chain:
                yield from link.claims(np.repeat(reset, size), np.repeat(enable, size))

    def _inner(self, name: str, reset: Values, enable: Values) -> tuple[Values, Values]:
        """Reset and enable as an instance has them."""
        instance = self.module.instances[name]
        size = math.prod(instance.shape)
        on = np.repeat(enable, size)
        if instance.enable is not None:
            on = on & self.value(instance.enable).reshape(-1)
        return np.repeat(reset, size), on

    def _given(self, part: ir.Instance) -> Inputs:
        def given(port: str) -> Values:
            return self._as_lanes(self.value(part.inputs[port]), part.shape)

        return given

    def _link_inputs(self, name: str, number: int) -> Inputs:
        fold = self.module.folds[name]
        feeds = dict(fold.carries)

        def given(port: str) -> Values:
            if port in feeds and number > 0:
                return self._chains[name][number - 1].output(feeds[port])
            found = self._as_lanes(self.value(fold.inputs[port]), fold.shape)
            return found[:, number] if port in fold.each else found

        return given

    def _as_lanes(self, values: Values, shape: tuple[int, ...]) -> Values:
        return values.reshape(self.lanes * math.prod(shape), *values.shape[1 + len(shape) :])

    def _made(self, let: ir.Let) -> Values:
        match let.op, *let.data:
            case "const", *numbers:
                data = np.array(numbers, object)
                whole = np.broadcast_to(data, (let.form.size,)).reshape(let.form.shape)
                return np.broadcast_to(whole, (self.lanes, *let.form.shape)).astype(dtype(let.form))
            case "input", str(port):
                return self._inputs(port)
            case "register", str(name):
                return self.registers[name]
            case "read", str(name), int(port_number):
                memory = self.module.memories[name]
                return self.memories[name].read(memory, port_number, self.value)
            case "port", str(name), str(port):
                return self._port(name, port, let.form)
        forms = [self.module.form(arg) for arg in let.args]
        args = [self._known[arg] for arg in let.args]
        return evaluated(let, forms, args)

    def _port(self, name: str, port: str, form: ir.Form) -> Values:
        if name in self.inside:
            found = self.inside[name].output(port)
            return found.reshape(self.lanes, *form.shape)
        fold = self.module.folds[name]
        chain = self._chains[name]
        carried = port in {given for _, given in fold.carries}
        for link in chain:
            # In order, so that no link has to wait for the one before it.
            for needed in sorted(ir.links(fold, port) - (set() if carried else {port})):
                link.output(needed)
        if carried:
            return chain[-1].output(port).reshape(self.lanes, *form.shape)
        every = np.stack([link.output(port) for link in chain], 1)
        return every.reshape(self.lanes, *form.shape)


def _none(port: str) -> Values:
    raise KeyError(port)


def anything(form: ir.Form, shape: tuple[int, ...], draw: np.random.Generator) -> Values:
    """Elements drawn at random; one in four, in runs, with all bits 0 or all 1.

    Hardware asks for such numbers, and for registers of instances side by side that are alike.
    """
    count = math.prod(shape)
    limbs = -(-form.width // _LIMB)
    numbers: Values = np.zeros(count, dtype(form))
    for _ in range(limbs):
        numbers = (numbers << _LIMB) + draw.integers(0, 1 << _LIMB, count).astype(numbers.dtype)
    lengths = 1 << draw.integers(_LONGEST_RUN, size=count)
    ends = np.repeat(draw.integers(-1, 7, count), lengths)[:count].astype(numbers.dtype)
    return wrapped(np.where(ends < 1, ends, numbers), form).reshape(shape)


_LIMB = 31
_LONGEST_RUN = 6  # as a power of two


class _Memory:
    """What a memory and its synchronous read ports hold, [lanes, banks..., depth]."""

    def __init__(
        self, module: ir.Module, memory: ir.Memory, lanes: int, seed: int, path: str
    ) -> None:
        masks = (port.mask for port in memory.writes if port.mask is not None)
        self._groups = {mask: module.form(mask).width for mask in masks}
        banks = memory.form.shape
        shape = (lanes, *banks, memory.depth)
        if memory.init is None:
            self.held = anything(memory.form, shape, generator(seed, path))
        else:
            start = np.zeros(memory.depth, object)
            start[: len(memory.init)] = memory.init
            self.held = np.broadcast_to(start, shape).astype(dtype(memory.form))
        self.read_before = [
            anything(memory.form, (lanes, *banks), generator(seed, path, number))
            for number in range(len(memory.reads))
        ]
        self._next = self.held, self.read_before

    def read(self, memory: ir.Memory, number: int, value: Callable[[str], Values]) -> Values:
        """What stands at a port."""
        port = memory.reads[number]
        if port.sync:
            return self.read_before[number]
        return self._at(memory, port, value)

    def _at(self, memory: ir.Memory, port: ir.ReadPort, value: Callable[[str], Values]) -> Values:
        held = self._written(memory, value) if port.transparent else self.held
        address = value(port.address)
        found: Values = np.zeros(address.shape, dtype(memory.form))
        for place, index in np.ndenumerate(address):
            if index < memory.depth:
                found[place] = held[place][int(index)]
        return found

    def _written(self, memory: ir.Memory, value: Callable[[str], Values]) -> Values:
        held = self.held.copy()
        for port in memory.writes:
            groups = 1 if port.mask is None else self._groups[port.mask]
            for place, index in np.ndenumerate(value(port.address)):
                enabled = port.enable is None or value(port.enable)[place]
                if enabled and index < memory.depth:
                    at = (*place, int(index))
                    bits = 1 if port.mask is None else int(value(port.mask)[place])
                    mask = _mask(memory, bits, groups)
                    before, after = int(held[at]), int(value(port.data)[place])
                    held[at] = memory.form.wrap((before & ~mask) | (after & mask))
        return held

    def settle(self, memory: ir.Memory, value: Callable[[str], Values], enable: Values) -> None:
        """Compute what it holds after the cycle."""
        rows = (len(enable), *[1] * len(memory.form.shape))
        on = enable.reshape(rows) != 0
        read = list(self.read_before)
        for number, port in enumerate(memory.reads):
            if port.sync:
                found = self._at(memory, port, value)
                reads = on if port.enable is None else on & (value(port.enable) != 0)
                read[number] = np.where(reads, found, read[number])
        self._next = np.where(on[..., None], self._written(memory, value), self.held), read

    def commit(self) -> None:
        """End the cycle."""
        self.held, self.read_before = self._next


def _mask(memory: ir.Memory, bits: int, groups: int) -> int:
    """The bits of an element that are written where `bits` of so many groups are set."""
    width = memory.form.width // groups
    return sum(((1 << width) - 1) << (width * n) for n in range(groups) if bits >> n & 1)
