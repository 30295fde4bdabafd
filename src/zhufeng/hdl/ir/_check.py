"""The checker: a module that passes can be simulated and printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from zhufeng.base import InputError
from zhufeng.hdl.ir._form import Form
from zhufeng.hdl.ir._module import Fold, Instance, Memory, Module, ReadPort, Register, WritePort
from zhufeng.hdl.ir._ops import problems

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9_]+")


class IrError(Exception):
    """A module that is none: an error in what made it, not of a user."""


def need_module(value: object) -> None:
    """Refuse what is no module of the IR.

    Raises:
        InputError: it is something else, such as what `@module` has made.
    """
    if not isinstance(value, Module):
        raise InputError(
            "hardware to simulate, rewrite or print",
            expected="a module of the IR",
            came=type(value).__name__,
            do="give f.ir of what @module or @function has made",
        )


def check(module: Module) -> None:
    """Check a module and those inside it.

    Raises:
        IrError: with every rule that it breaks, and where.
    """
    for one in below(module):
        found = [f"{one.name}: {problem}" for problem in _problems(one)]
        if found:
            raise IrError("\n".join(found))


def inner_modules(module: Module) -> list[Module]:
    """Those that are instances or links of `module`, each once."""
    parts: list[Instance | Fold] = [*module.instances.values(), *module.folds.values()]
    return list({id(part.module): part.module for part in parts}.values())


def below(module: Module) -> list[Module]:
    """A module and all inside it, each once, those inside first."""
    need_module(module)
    found: dict[int, Module] = {}

    def visit(one: Module) -> None:
        if id(one) not in found:
            for inner in inner_modules(one):
                visit(inner)
            found[id(one)] = one

    visit(module)
    return list(found.values())


def rebuilt(module: Module, one: Callable[[Module], Module]) -> Module:
    """A module with `one` applied to all inside it, and then to it; what is shared stays shared."""
    done: dict[int, Module] = {}
    for each in below(module):
        inside = replace(
            each,
            instances={
                name: replace(part, module=done[id(part.module)])
                for name, part in each.instances.items()
            },
            folds={
                name: replace(part, module=done[id(part.module)])
                for name, part in each.folds.items()
            },
        )
        done[id(each)] = one(inside)
    return done[id(module)]


def stateful(module: Module) -> bool:
    """Whether a module, or one inside it, holds anything from one cycle to the next."""
    return any(one.registers or one.memories for one in below(module))


def _problems(module: Module) -> Iterator[str]:
    yield from _names(module)
    used = {arg for let in module.lets.values() for arg in let.args}.union(references(module))
    missing = sorted(used - module.lets.keys())
    if missing:
        yield f"no value {', '.join(missing)}"
        return
    yield from _values(module)
    for name, register in module.registers.items():
        yield from _prefixed(f"register {name}", _register(module, register))
    for name, memory in module.memories.items():
        yield from _prefixed(f"memory {name}", _memory(module, memory))
    for name, instance in module.instances.items():
        yield from _prefixed(f"instance {name}", _instance(module, instance))
    for name, fold in module.folds.items():
        yield from _prefixed(f"fold {name}", _fold(module, fold))
    for claim in module.claims:
        form = module.form(claim.value)
        if (form.width, form.signed) != (1, False):
            yield f"{claim.kind} of {form} instead of u1"


def _prefixed(what: str, found: Iterator[str]) -> Iterator[str]:
    for problem in found:
        yield f"{what}: {problem}"


def _names(module: Module) -> Iterator[str]:
    state = (*module.registers, *module.memories, *module.instances, *module.folds)
    for name in (module.name, *module.inputs, *module.outputs, *state):
        if not _NAME.fullmatch(name):
            yield f"'{name}' is no name"
    for name in module.lets:
        if not _VALUE.fullmatch(name):
            yield f"'{name}' is no name of a value"
    if len(set(state)) != len(state):
        yield "two parts of the state with one name"


def references(module: Module) -> Iterator[str]:
    """The values that outputs, the state, instances, folds and claims take, as often as they do.

    What values are made of one another stands in the `args` of each.
    """
    yield from module.outputs.values()
    yield from (register.next for register in module.registers.values())
    for memory in module.memories.values():
        yield from memory_values(memory)
    for instance in module.instances.values():
        yield from instance.inputs.values()
        if instance.enable is not None:
            yield instance.enable
    for fold in module.folds.values():
        yield from fold.inputs.values()
    yield from (claim.value for claim in module.claims)


def memory_values(memory: Memory) -> Iterator[str]:
    """The values at its ports."""
    for read in memory.reads:
        yield from (one for one in (read.address, read.enable) if one is not None)
    for write in memory.writes:
        yield from (
            one for one in (write.address, write.data, write.enable, write.mask) if one is not None
        )


def _values(module: Module) -> Iterator[str]:
    for name, let in module.lets.items():
        args = [module.form(arg) for arg in let.args]
        place = f"%{name} = {let.op} of {', '.join(map(str, args)) or 'nothing'} : {let.form}"
        for problem in problems(let, args):
            yield f"{place} ({let.where}): expected {problem}"
        if not args:
            yield from _prefixed(place, _leaf(module, name))


def _leaf(module: Module, name: str) -> Iterator[str]:
    let = module.lets[name]
    form: Form | None = let.form
    match let.op, *let.data:
        case "input", str(port):
            form = module.inputs.get(port)
        case "register", str(register):
            held = module.registers.get(register)
            form = held.form if held else None
        case "port", str(part), str(port):
            form = _port_form(module, part, port)
        case "read", str(memory), int(number):
            form = _read_form(module, memory, number)
        case "const", *_:
            pass
        case _:
            form = None
    if form is None:
        yield "it refers to nothing"
    elif form != let.form:
        yield f"what it refers to is {form}"


def _port_form(module: Module, part: str, port: str) -> Form | None:
    if part in module.instances:
        instance = module.instances[part]
        inner = instance.module
        outer: tuple[int, ...] = instance.shape
    elif part in module.folds:
        fold = module.folds[part]
        inner = fold.module
        carried = port in {given for _, given in fold.carries}
        outer = fold.shape if carried else (*fold.shape, fold.length)
    else:
        return None
    return _within(inner.form(inner.outputs[port]), outer) if port in inner.outputs else None


def _within(form: Form, outer: tuple[int, ...]) -> Form:
    return Form(form.width, form.signed, (*outer, *form.shape))


def _read_form(module: Module, memory: str, number: int) -> Form | None:
    held = module.memories.get(memory)
    return held.form if held and 0 <= number < len(held.reads) else None


def _register(module: Module, register: Register) -> Iterator[str]:
    if module.form(register.next) != register.form:
        yield f"{register.form} becomes {module.form(register.next)}"
    reset = register.reset
    if reset is not None:
        if len(reset) != register.form.size:
            yield f"{len(reset)} numbers to reset {register.form.size}"
        if not all(register.form.has(number) for number in reset):
            yield f"reset to a number that is no {register.form}"


def _memory(module: Module, memory: Memory) -> Iterator[str]:
    banks = memory.form.shape
    if memory.depth < 1:
        yield "a depth of at least 1"
    if memory.init is not None and len(memory.init) > memory.depth:
        yield f"{len(memory.init)} elements at the start for a depth of {memory.depth}"
    ports: list[ReadPort | WritePort] = [*memory.reads, *memory.writes]
    for port in ports:
        address = module.form(port.address)
        if address.signed or address.shape != banks:
            yield f"an address of {address} for banks {list(banks)}"
        enable = port.enable and module.form(port.enable)
        if enable and enable != Form(1, signed=False, shape=banks):
            yield f"an enable of {enable}"
    for write in memory.writes:
        if module.form(write.data) != memory.form:
            yield f"{module.form(write.data)} is written to {memory.form}"
        mask = write.mask and module.form(write.mask)
        if mask and (mask.signed or mask.shape != banks or memory.form.width % mask.width):
            yield f"a mask of {mask} for {memory.form}"


def _instance(module: Module, instance: Instance) -> Iterator[str]:
    inner = instance.module
    expected = {port: _within(form, instance.shape) for port, form in inner.inputs.items()}
    yield from _inputs(module, instance.inputs, expected)
    if instance.enable is not None:
        form = module.form(instance.enable)
        if form != Form(1, signed=False, shape=instance.shape):
            yield f"an enable of {form}"


def _fold(module: Module, fold: Fold) -> Iterator[str]:
    inner = fold.module
    if stateful(inner):
        yield "a link with state"
    if fold.length < 1:
        yield "a length of at least 1"
    expected = {
        port: _within(form, (*fold.shape, fold.length) if port in fold.each else fold.shape)
        for port, form in inner.inputs.items()
    }
    yield from _inputs(module, fold.inputs, expected)
    for taken, given in fold.carries:
        if taken not in inner.inputs or given not in inner.outputs or taken in fold.each:
            yield f"no input {taken} or output {given} to carry"
        elif inner.inputs[taken] != inner.form(inner.outputs[given]):
            yield f"{given} does not fit {taken}"


def _inputs(
    module: Module, given: Mapping[str, str], expected: Mapping[str, Form]
) -> Iterator[str]:
    if given.keys() != expected.keys():
        yield f"inputs {sorted(given)} instead of {sorted(expected)}"
        return
    for port, form in expected.items():
        if module.form(given[port]) != form:
            yield f"input {port} of {form} gets {module.form(given[port])}"
