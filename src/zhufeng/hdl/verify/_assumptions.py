"""A lane ends where an assumption fails: from that cycle on, nothing in it moves or counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zhufeng.hdl.ir import BIT, Claim, Form, Instance, Module, rebuilt
from zhufeng.hdl.verify._grown import Grown

BENCH = "bench"
"""The instance that is stopped."""


@dataclass(frozen=True)
class Assumption:
    """Of a design, or of what is inside it."""

    text: str
    path: str
    """The instances around it: ``.queue.watch``."""
    where: str
    port: str
    """The output that tells whether it holds."""


def with_stop(module: Module) -> tuple[Module, tuple[Assumption, ...]]:
    """A module around another, that stops it when an assumption fails, until the next reset.

    Claims that fail in the cycle of a broken assumption do not count, nor do cover points. The
    assumptions themselves are claimed by the module around, each with its number as its text.

    Args:
        module: the other; it becomes the instance `BENCH`.

    Returns:
        The module around it with the assumptions; the same module where there is none.
    """
    told: dict[int, tuple[Assumption, ...]] = {}
    kept: list[Module] = []

    def one(each: Module) -> Module:
        grown = Grown(each)
        own = list(_own(grown, each))
        for part, instance in each.instances.items():
            for known in told[id(instance.module)]:
                shape = instance.shape
                own.append(_passed_on(grown, part, shape, instance.enable, known))
        for part, fold in each.folds.items():
            for known in told[id(fold.module)]:
                shape = (*fold.shape, fold.length)
                own.append(_passed_on(grown, part, shape, None, known))
        grown.claims = [claim for claim in grown.claims if claim.kind != "assume"]
        made = grown.module()
        told[id(made)] = tuple(own)
        kept.append(made)
        return made

    made = rebuilt(module, one)
    assumptions = told[id(made)]
    return (_around(made, assumptions), assumptions) if assumptions else (module, ())


def _own(grown: Grown, module: Module) -> Iterator[Assumption]:
    for claim in module.claims:
        if claim.kind == "assume":
            port = grown.free(f"assumed_{len(grown.outputs)}")
            grown.outputs[port] = grown.all_of(claim.value)
            yield Assumption(claim.text, "", claim.where, port)


def _passed_on(
    grown: Grown, part: str, shape: tuple[int, ...], enable: str | None, known: Assumption
) -> Assumption:
    form = Form(1, signed=False, shape=shape)
    value = grown.add("port", form, data=(part, known.port))
    if enable is not None:  # what is not enabled claims nothing
        value = grown.add("or", form, grown.inverted(enable), value)
    port = grown.free(f"assumed_{len(grown.outputs)}")
    grown.outputs[port] = grown.all_of(value)
    return Assumption(known.text, f".{part}{known.path}", known.where, port)


def _around(module: Module, assumptions: Sequence[Assumption]) -> Module:
    grown = Grown(Module(f"{module.name}_stopped", {}, {}, {}))
    inputs = {port: grown.input(port, form) for port, form in module.inputs.items()}
    alive = grown.held(grown.free("alive"), BIT, 1)
    dead = grown.inverted(alive)
    on = alive
    for number, one in enumerate(assumptions):
        holds = grown.add("port", BIT, data=(BENCH, one.port))
        kept = grown.add("or", BIT, dead, holds)
        grown.claim(Claim("assume", kept, str(number), one.where))
        on = grown.add("and", BIT, on, holds)
    grown.then(alive, on)
    grown.instances[BENCH] = Instance(module, inputs, enable=on)
    hidden = {one.port for one in assumptions}
    for port, value in module.outputs.items():
        if port not in hidden:
            grown.outputs[port] = grown.add("port", module.form(value), data=(BENCH, port))
    return grown.module()
