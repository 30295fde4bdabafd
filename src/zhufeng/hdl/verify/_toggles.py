"""Which bits were seen to rise and to fall, as registers of the design itself.

Counted in hardware that is added to the IR, so that it does not hang on how code is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from zhufeng.hdl.ir import Form, Module, rebuilt
from zhufeng.hdl.verify._grown import Grown

Kind = Literal["register", "input", "output"]


@dataclass(frozen=True)
class Watch:
    """What is watched in a module, and the registers that hold what was seen."""

    kind: Kind
    name: str
    """Of the register or port; of one in an instance, ``instance.name``."""
    form: Form
    """With the axes of the instances around it before its own."""
    where: str
    rose: str
    """The value whose bits are 1 where one was seen to become 1; to be recorded."""
    fell: str


def with_toggles(design: Module) -> tuple[Module, tuple[Watch, ...]]:
    """Watch every register of a design and of its instances, and its own ports.

    What was seen is forgotten while `rst` is 1. Of a register, what it becomes from one cycle to
    the next counts; of ports likewise, but an output that is a register is no second time.

    Args:
        design: of the IR.

    Returns:
        The design with registers added, and what they watch.
    """
    seen: dict[int, tuple[Watch, ...]] = {}

    def one(module: Module) -> Module:
        grown = Grown(module)
        own = list(_registers(grown, module))
        made = grown.module()
        seen[id(made)] = (*own, *_inside(made, seen))
        kept.append(made)
        return made

    kept: list[Module] = []
    made = rebuilt(design, one)
    grown = Grown(made)
    ports = tuple(_ports(grown, made))
    return grown.module(), (*ports, *seen[id(made)])


def _registers(grown: Grown, module: Module) -> Iterator[Watch]:
    for name, register in module.registers.items():
        if register.form.width and register.form.size:
            now = grown.of_register(name)
            rose, fell = _edges(grown, name, now, register.next)
            yield Watch("register", name, register.form, register.where, rose, fell)


def _ports(grown: Grown, module: Module) -> Iterator[Watch]:
    values = {("input", port): _input(grown, module, port) for port in module.inputs}
    outputs = {("output", port): value for port, value in module.outputs.items()}
    for (kind, port), value in {**values, **outputs}.items():
        let = grown.lets[value]
        if let.form.width and let.form.size and (kind == "input" or let.op != "register"):
            before = grown.held(f"{port}_before", let.form, None)
            grown.then(before, value)
            rose, fell = _edges(grown, port, before, value)
            yield Watch(
                "input" if kind == "input" else "output", port, let.form, let.where, rose, fell
            )


def _input(grown: Grown, module: Module, port: str) -> str:
    known = (name for name, let in module.lets.items() if (let.op, let.data) == ("input", (port,)))
    return next(known, None) or grown.add("input", module.inputs[port], data=(port,))


def _edges(grown: Grown, name: str, before: str, after: str) -> tuple[str, str]:
    """Registers that remember which bits have risen, and which have fallen."""
    form = grown.lets[before].form
    bits = Form(form.width, signed=False, shape=form.shape)
    found = []
    for kind, low, high in (("rise", before, after), ("fall", after, before)):
        held = grown.held(f"{kind}_of_{name}", bits, 0)
        turned = grown.add("and", bits, grown.inverted(low), high)
        grown.then(held, grown.add("or", bits, held, turned))
        found.append(held)
    return found[0], found[1]


def _inside(module: Module, seen: dict[int, tuple[Watch, ...]]) -> Iterator[Watch]:
    for part, instance in module.instances.items():
        for one in seen[id(instance.module)]:
            shape = (*instance.shape, *one.form.shape)
            yield Watch(
                one.kind,
                f"{part}.{one.name}",
                Form(one.form.width, one.form.signed, shape),
                one.where,
                f"{part}.{one.rose}",
                f"{part}.{one.fell}",
            )
