"""The signals of one lane of a run, as numbers under names that Verilog has too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zhufeng.base import InputError
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Run, Values
from zhufeng.hdl.verilog._names import RESET, Names


@dataclass(frozen=True)
class Wave:
    """A signal, or an element of one that is an array."""

    path: tuple[str, ...]
    """The instances around it, outermost first: ``("pes[0][1]",)``."""
    name: str
    index: tuple[int, ...]
    """Of an element."""
    width: int
    signed: bool
    held: bool
    """Whether it is a register."""
    values: tuple[int, ...]
    """A number a cycle."""

    @property
    def full_name(self) -> str:
        """``"pes[0][1].a"``."""
        return ".".join((*self.path, indexed(self.name, self.index)))


@dataclass(frozen=True)
class Waves:
    """All signals of one lane of a run."""

    module: str
    clocked: bool
    """Whether it has a clock, for state or for what is claimed."""
    cycles: int
    signals: tuple[Wave, ...]

    def __getitem__(self, full_name: str) -> Wave:
        """A signal by its full name.

        Raises:
            KeyError: there is none.
        """
        for wave in self.signals:
            if wave.full_name == full_name:
                return wave
        raise KeyError(full_name)


@dataclass(frozen=True)
class _Signal:
    """A signal of all instances of an array of them."""

    around: tuple[tuple[str, tuple[int, ...]], ...]
    """The instances around it, with their shapes."""
    name: str
    form: ir.Form
    held: bool
    values: Values
    """[cycles, lanes, instances..., ...]"""

    def waves(self, lane: int) -> Iterator[Wave]:
        """One for each element in each instance; none of what has no bits."""
        if not self.form.width:
            return
        shapes = [*(shape for _, shape in self.around), self.form.shape]
        values = np.asarray(self.values)[:, lane]
        for place in np.ndindex(*(size for shape in shapes for size in shape)):
            *outer, index = _split(place, shapes)
            yield Wave(
                tuple(indexed(name, at) for (name, _), at in zip(self.around, outer, strict=True)),
                self.name,
                index,
                self.form.width,
                self.form.signed,
                self.held,
                tuple(int(value) for value in values[(slice(None), *place)]),
            )


def indexed(name: str, index: tuple[int, ...]) -> str:
    """``"a[0][1]"``."""
    return name + "".join(f"[{number}]" for number in index)


def _split(place: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    parts, at = [], 0
    for shape in shapes:
        parts.append(place[at : at + len(shape)])
        at += len(shape)
    return parts


def signals(module: ir.Module) -> tuple[str, ...]:
    """Every value with a name of the user's, for the ``record`` of `interpret`.

    Those of instances as ``instance.value``; what is inside of a fold cannot be recorded.
    """
    own = (n for n, let in module.lets.items() if not n.isdigit() and let.op != "const")
    inner = (
        f"{part}.{name}" for part, one in module.instances.items() for name in signals(one.module)
    )
    return (*own, *inner)


def waves_of(
    module: ir.Module,
    inputs: Mapping[str, Values],
    run: Run,
    *,
    reset: Sequence[int] | None = None,
    lane: int = 0,
) -> Waves:
    """The ports of a module and what a run of it has recorded.

    Args:
        module: what was run.
        inputs: what it was given, [cycles, lanes, ...].
        run: what came of it.
        reset: what it was given as `rst` in each cycle.
        lane: which.

    Raises:
        InputError: there is no such lane.
    """
    every = [*_ports(module, inputs, run), *_recorded(module, (), run.recorded)]
    sizes = [np.asarray(one.values).shape for one in every]
    cycles = min((size[0] for size in sizes), default=0)
    lanes = min((size[1] for size in sizes if size[1:]), default=1)
    if not 0 <= lane < lanes:
        raise InputError(
            f"the waves of {module.name}",
            expected=f"a lane from 0 to {lanes - 1}",
            came=str(lane),
            do="name a lane of the run",
        )
    parts = ir.below(module)
    clocked = any(one.registers or one.memories or one.claims for one in parts)
    resets = any(held.reset is not None for one in parts for held in one.registers.values())
    rst = np.zeros(cycles, int) if reset is None else np.asarray(reset)[:cycles]
    if resets or (clocked and reset is not None):
        every.insert(0, _Signal((), RESET, ir.BIT, held=False, values=_in_every(rst, lanes)))
    cut = (wave for one in every if cycles for wave in one.waves(lane))
    return Waves(module.name, clocked, cycles, tuple(cut))


def _in_every(values: Values, lanes: int) -> Values:
    return np.repeat(values[:, None], lanes, axis=1)


def _ports(module: ir.Module, inputs: Mapping[str, Values], run: Run) -> Iterator[_Signal]:
    names = Names(module)
    for port, form in module.inputs.items():
        values = np.asarray(inputs[port])
        yield _Signal((), names.of("input", port), form, held=False, values=values)
    for port, value in module.outputs.items():
        let = module.lets[value]
        held = let.op == "register"
        yield _Signal((), names.of("output", port), let.form, held, run.outputs[port])


def _recorded(
    module: ir.Module,
    around: tuple[tuple[str, tuple[int, ...]], ...],
    recorded: Mapping[str, Values],
) -> Iterator[_Signal]:
    names = Names(module)
    inner: dict[str, dict[str, Values]] = {}
    for dotted, values in recorded.items():
        name, _, rest = dotted.partition(".")
        if rest:
            inner.setdefault(name, {})[rest] = values
            continue
        let = module.lets[name]
        kind, thing = "value", name
        if let.op == "input":
            kind, thing = "input", str(let.data[0])
        elif module.outputs.get(name) == name:
            kind = "output"
        # The ports of the outermost module are there already.
        if around or kind == "value":
            yield _Signal(around, names.of(kind, thing), let.form, let.op == "register", values)
    for part, values_inside in inner.items():
        one = module.instances[part]
        yield from _recorded(one.module, (*around, (part, one.shape)), values_inside)
