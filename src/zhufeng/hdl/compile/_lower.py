"""What is left of a module before code is made of it: values, registers, plain memories.

Instances and the links of folds become part of it; a synchronous port of a memory becomes a
register, and one that shows what is being written becomes choices.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from zhufeng.hdl.ir import (
    Fold,
    Form,
    Instance,
    Let,
    Memory,
    Module,
    ReadPort,
    Register,
    WritePort,
    rebuilt,
)
from zhufeng.hdl.passes import Flattening, simplify


@dataclass(frozen=True)
class Site:
    """A claim of the whole design."""

    kind: str
    text: str
    path: str
    """The instance in which it stands, ``top.u0``; elements of an array of them share it."""
    where: str


@dataclass(frozen=True)
class Lowered:
    """A module without anything inside it, and where its claims come from."""

    module: Module
    sites: tuple[Site, ...]
    draws: Mapping[str, tuple[str | int, ...]]
    """What tells registers and memories apart where the interpreter draws what nothing has set."""


def lowered(module: Module) -> Lowered:
    """Take everything inside a module into it."""
    sites = tuple(_sites(module, module.name))
    flat = rebuilt(module, _one)
    parts = (
        (*flat.registers, *flat.memories),
        (*_registers(module, module.name), *_memories(module, module.name)),
    )
    draws = dict(zip(*parts, strict=True))
    plain = simplify(flat)
    assert len(sites) == len(plain.claims)
    return Lowered(plain, sites, draws)


def _registers(module: Module, path: str) -> Iterator[tuple[str | int, ...]]:
    """In the order in which `lowered` makes them."""
    yield from ((f"{path}.{name}",) for name in module.registers)
    for name, memory in module.memories.items():
        for number, port in enumerate(memory.reads):
            if port.sync and _reading(module, name, number):
                yield f"{path}.{name}", number
    for name, instance in module.instances.items():
        yield from _registers(instance.module, f"{path}.{name}")


def _memories(module: Module, path: str) -> Iterator[tuple[str | int, ...]]:
    yield from ((f"{path}.{name}",) for name in module.memories)
    for name, instance in module.instances.items():
        yield from _memories(instance.module, f"{path}.{name}")


def _reading(module: Module, name: str, number: int) -> list[str]:
    """The values that stand for a port of a memory."""
    lets = module.lets.items()
    return [key for key, let in lets if let.op == "read" and let.data == (name, number)]


def _one(module: Module) -> Module:
    plain = _PlainMemories(module).module()
    return Flattening().one(_Unrolled(plain).module())


def _sites(module: Module, path: str) -> Iterator[Site]:
    """In the order in which `lowered` leaves the claims."""
    for claim in module.claims:
        yield Site(claim.kind, claim.text, path, claim.where)
    for name, fold in module.folds.items():
        for number in range(fold.length):
            yield from _sites(fold.module, f"{path}.{name}[{number}]")
    for name, instance in module.instances.items():
        yield from _sites(instance.module, f"{path}.{name}")


class _Rewriting:
    """A module whose values are being rewritten."""

    def __init__(self, module: Module) -> None:
        self.before = module
        self.lets = dict(module.lets)
        largest = max((int(name) for name in module.lets if name.isdigit()), default=-1)
        self._numbers = count(largest + 1)

    def add(self, let: Let) -> str:
        """A new value; its name."""
        name = str(next(self._numbers))
        self.lets[name] = let
        return name

    def free(self, wanted: str, taken: Container[str]) -> str:
        """A name like `wanted` for a part."""
        before = self.before
        parts = {*before.registers, *before.memories, *before.instances, *before.folds}
        names = (wanted if n == 0 else f"{wanted}_{n}" for n in count())
        return next(name for name in names if name not in parts and name not in taken)


class _PlainMemories(_Rewriting):
    """Every read as if at once, of what was there before the cycle."""

    def module(self) -> Module:
        """The module, rewritten."""
        memories, registers = dict(self.before.memories), dict(self.before.registers)
        for name, memory in self.before.memories.items():
            plain = tuple(ReadPort(port.address) for port in memory.reads)
            memories[name] = replace(memory, reads=plain)
            for number, port in enumerate(memory.reads):
                values = _reading(self.before, name, number)
                if values and (port.sync or port.transparent):
                    found = self._found(name, memory, number)
                    if port.sync:
                        found = self._held(name, number, found, registers)
                    for value in values:
                        let = self.lets[value]
                        self.lets[value] = Let("wrap", let.form, (found,), (), let.where)
        return replace(self.before, lets=self.lets, memories=memories, registers=registers)

    def _found(self, name: str, memory: Memory, number: int) -> str:
        """What a port finds, with what is written meanwhile if it shows that."""
        port = memory.reads[number]
        found = self.add(Let("read", memory.form, (), (name, number), memory.where))
        for write in memory.writes if port.transparent else ():
            new = write.data
            if write.mask is not None:
                new = self._masked(memory, write, found)
            same = self._same(memory, write, port.address)
            found = self.add(Let("mux", memory.form, (same, new, found), (), memory.where))
        return found

    def _bit(self, memory: Memory, op: str, *args: str) -> str:
        form = Form(1, signed=False, shape=memory.form.shape)
        return self.add(Let(op, form, args, (), memory.where))

    def _same(self, memory: Memory, write: WritePort, address: str) -> str:
        """Whether a write goes where a port reads."""
        same = self._bit(memory, "eq", write.address, address)
        form = self.lets[address].form
        if form.high >= memory.depth:
            end = self.add(Let("const", form, (), (memory.depth,), memory.where))
            same = self._bit(memory, "and", same, self._bit(memory, "lt", address, end))
        return same if write.enable is None else self._bit(memory, "and", same, write.enable)

    def _masked(self, memory: Memory, write: WritePort, found: str) -> str:
        """What is written where the mask is 1, what was found elsewhere."""
        assert write.mask is not None
        groups = self.lets[write.mask].form.width
        part = replace(memory.form, width=memory.form.width // groups, signed=False)
        parts = []
        for group in reversed(range(groups)):
            low = group * part.width
            on = self.add(Let("bits", replace(part, width=1), (write.mask,), (group,)))
            new = self.add(Let("bits", part, (write.data,), (low,)))
            old = self.add(Let("bits", part, (found,), (low,)))
            parts.append(self.add(Let("mux", part, (on, new, old), (), memory.where)))
        whole = self.add(Let("cat", replace(memory.form, signed=False), tuple(parts)))
        return self.add(Let("wrap", memory.form, (whole,)))

    def _held(self, name: str, number: int, found: str, registers: dict[str, Register]) -> str:
        """The register of a synchronous port."""
        memory = self.before.memories[name]
        port, called = memory.reads[number], self.free(f"{name}_read_{number}", registers)
        held = self.add(Let("register", memory.form, (), (called,), memory.where))
        if port.enable is not None:
            after = Let("mux", memory.form, (port.enable, found, held), (), memory.where)
            found = self.add(after)
        registers[called] = Register(memory.form, None, found, memory.where)
        return held


class _Unrolled(_Rewriting):
    """Every fold as a row of instances, each taking what the one before it gives."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self._links: dict[str, Instance] = {}

    def module(self) -> Module:
        """The module, rewritten."""
        for name, fold in self.before.folds.items():
            given = self._chain(name, fold)
            for value, let in self.before.lets.items():
                if let.op == "port" and let.data[0] == name:
                    found = given[str(let.data[1])]
                    self.lets[value] = Let("wrap", let.form, (found,), (), let.where)
        instances = {**self._links, **self.before.instances}
        return replace(self.before, lets=self.lets, instances=instances, folds={})

    def _chain(self, name: str, fold: Fold) -> dict[str, str]:
        """The outputs of a chain, by port."""
        feeds = dict(fold.carries)
        given: dict[str, list[str]] = {port: [] for port in fold.module.outputs}
        for number in range(fold.length):
            inputs = {}
            for port, value in fold.inputs.items():
                if port in feeds and number:
                    inputs[port] = given[feeds[port]][-1]
                else:
                    inputs[port] = self._element(fold, value, number, each=port in fold.each)
            link = self.free(f"{name}_{number}", self._links)
            self._links[link] = Instance(fold.module, inputs, fold.shape, where=fold.where)
            for port, found in given.items():
                inner = fold.module.form(fold.module.outputs[port])
                form = replace(inner, shape=(*fold.shape, *inner.shape))
                found.append(self.add(Let("port", form, (), (link, port), fold.where)))
        fed = set(feeds.values())
        return {
            port: found[-1] if port in fed else self._stacked(fold, found)
            for port, found in given.items()
        }

    def _element(self, fold: Fold, value: str, number: int, *, each: bool) -> str:
        """What a link takes of a value that is given to all."""
        if not each:
            return value
        form, axis = self.lets[value].form, len(fold.shape)
        outer, inner = form.shape[:axis], form.shape[axis + 1 :]
        one = replace(form, shape=(*outer, 1, *inner))
        part = self.add(Let("slice", one, (value,), (axis, number, 1), fold.where))
        form = replace(form, shape=(*outer, *inner))
        return self.add(Let("reshape", form, (part,), (), fold.where))

    def _stacked(self, fold: Fold, found: list[str]) -> str:
        """What all links give, along the axis after those of the fold."""
        form, axis = self.lets[found[0]].form, len(fold.shape)
        outer, inner = form.shape[:axis], form.shape[axis:]
        one = replace(form, shape=(*outer, 1, *inner))
        parts = [self.add(Let("reshape", one, (part,), (), fold.where)) for part in found]
        form = replace(form, shape=(*outer, len(found), *inner))
        return self.add(Let("join", form, tuple(parts), (axis,), fold.where))
