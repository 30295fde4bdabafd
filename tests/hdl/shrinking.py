"""A smaller module that still does what a larger one was found to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from zhufeng.hdl import ir
from zhufeng.hdl.passes import DeadCode, Flattening

Failing = Callable[[Sequence[ir.Module]], Sequence[bool]]


class _Edit(NamedTuple):
    """Something that can be made simpler."""

    place: int
    """Of its module among all, those inside first."""
    kind: str
    name: str = ""


def shrink(module: ir.Module, failing: Failing, *, batch: int = 1) -> ir.Module:
    """Take out what is not needed to fail.

    Args:
        module: one that fails.
        failing: tells of each of several modules whether it fails.
        batch: how many to ask about at once, where that is cheaper than one by one.
    """
    size = len(list(_edits(module)))
    while size:
        # What fails may be in what nothing needs.
        for whole in ("dead", "flatten"):
            found = list(_candidates(module, [[_Edit(0, whole)]]))
            module = found[0] if found and failing(found)[0] else module
        place = 0
        while blocks := _blocks(list(_edits(module))[place:], size)[:batch]:
            candidates = list(_candidates(module, blocks))
            answers = failing(candidates) if candidates else []
            hits = [one for one, fails in zip(candidates, answers, strict=True) if fails]
            if hits:
                module = hits[0]
            else:
                place += size * len(blocks)
        size //= 2
    return module


def _candidates(module: ir.Module, blocks: Sequence[Sequence[_Edit]]) -> Iterator[ir.Module]:
    text = ir.print_ir(module)
    for block in blocks:
        made = _edited(module, block)
        # Where nothing is dead, or cannot be flattened, it stays as it is.
        if made is not None and ir.print_ir(made) != text:
            yield made


def _blocks(edits: Sequence[_Edit], size: int) -> list[Sequence[_Edit]]:
    return [edits[begin : begin + size] for begin in range(0, len(edits), size)]


def _edits(module: ir.Module) -> Iterator[_Edit]:
    for place, one in reversed(list(enumerate(ir.below(module)))):
        if one is module and len(one.outputs) > 1:
            yield from (_Edit(place, "output", name) for name in one.outputs)
        yield from (_Edit(place, "claim", str(number)) for number in range(len(one.claims)))
        yield from (_Edit(place, "enable", n) for n, part in one.instances.items() if part.enable)
        yield from (_Edit(place, "reset", n) for n, r in one.registers.items() if r.reset is None)
        for name, let in one.lets.items():
            if let.op not in ("const", "input"):
                yield _Edit(place, "value", name)


def _edited(module: ir.Module, edits: Sequence[_Edit]) -> ir.Module | None:
    """With these edits; None where that is no module."""
    places = count()

    def simpler(one: ir.Module) -> ir.Module:
        place = next(places)
        return _simpler(one, [edit for edit in edits if edit.place == place])

    try:
        made = ir.rebuilt(module, simpler)
        for kind, rewrite in _WHOLE.items():
            made = rewrite(made) if any(edit.kind == kind for edit in edits) else made
        ir.check(made)
        ir.port_graph(made)
    except (ir.IrError, ir.CycleError, KeyError):
        return None
    return made


def _simpler(module: ir.Module, edits: Sequence[_Edit]) -> ir.Module:
    named = {kind: {edit.name for edit in edits if edit.kind == kind} for kind in _KINDS}
    lets = {
        name: ir.Let("const", let.form, data=(0,)) if name in named["value"] else let
        for name, let in module.lets.items()
    }
    outputs = {port: one for port, one in module.outputs.items() if port not in named["output"]}
    registers = {
        name: replace(one, reset=(0,) * one.form.size) if name in named["reset"] else one
        for name, one in module.registers.items()
    }
    instances = {
        name: replace(part, enable=None) if name in named["enable"] else part
        for name, part in module.instances.items()
    }
    claims = tuple(
        one for number, one in enumerate(module.claims) if str(number) not in named["claim"]
    )
    return replace(
        module,
        lets=lets,
        outputs=outputs or module.outputs,
        registers=registers,
        instances=instances,
        claims=claims,
    )


_WHOLE: Mapping[str, Callable[[ir.Module], ir.Module]] = {
    "dead": DeadCode(),
    "flatten": Flattening(),
}
_KINDS = ("value", "output", "claim", "enable", "reset")
