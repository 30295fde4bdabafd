"""In what order the values of a module are computed, and which of them stand in memory meanwhile.

A small value is computed element by element in straight code. A large one is computed in a loop
over its elements, together with others of its shape: whatever an element needs of the element at
the same place stays in registers of the machine. Slices, joins and the like are not computed at
all: who needs an element of one takes it where it comes from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import numpy as np

from zhufeng.hdl.compile._sources import Ints, Sources
from zhufeng.hdl.ir import Module, operands, order

STRAIGHT: Final = 8
"""Elements of the largest value that is written out."""
_CHOSEN_FROM: Final = 2
_CUT_AT_MOST, _CUTS_AT_MOST = 32, 2
"""Values of a loop that is cut, and how often."""
_LEAVES: Final = frozenset({"const", "input", "register"})
_VIEWS: Final = frozenset({"spread", "reshape", "transpose", "slice", "unpack"})
Shape = tuple[int, ...]
Way = Literal["up", "down", "any", "none"]


@dataclass(frozen=True)
class Sink:
    """What becomes of values: at the end of a step."""

    kind: Literal["register", "write", "output", "claim"]
    name: str
    number: int = 0
    """Of a memory's port, or of a claim."""


@dataclass
class Step:
    """Straight code, or a loop over the elements of values of one shape."""

    shape: Shape | None
    """Of the loop; None of straight code."""
    guard: str | None = None
    """A bit: the step is left out where it is 0 in all lanes, and changes nothing where it is 0."""
    values: list[str] = field(default_factory=list)
    sinks: list[Sink] = field(default_factory=list)
    descending: bool = False
    cuts: tuple[tuple[int, ...], ...] = ()
    """For each axis of the loop, where its elements begin to come from elsewhere."""


@dataclass(frozen=True)
class Plan:
    """What is done in a cycle."""

    steps: tuple[Step, ...]
    stored: frozenset[str]
    """Values that stand in memory after their step, for others."""
    doubled: frozenset[str]
    """Registers that are read in a cycle after they have been set: they stand in memory twice."""
    guarded: Mapping[str, str]
    """What registers take that are set in steps with a guard."""


NOTHING: Final = Plan((), frozenset(), frozenset(), {})
"""Of a kernel that needs none."""


def is_straight(shape: Shape) -> bool:
    """Whether values of a shape are written out element by element."""
    return math.prod(shape) <= STRAIGHT


def is_view(module: Module, name: str) -> bool:
    """Whether a value is other values at other places, of which nothing is computed."""
    let = module.lets[name]
    if let.op == "join":
        # More of them than two are copied together once, and not chosen from at every place.
        return is_straight(let.form.shape) or len(let.args) <= _CHOSEN_FROM
    return let.op in _VIEWS


class Planner:
    """Orders the values of a module without instances or folds."""

    def __init__(self, module: Module, unguarded: frozenset[str] = frozenset()) -> None:
        self._module = module
        self._unguarded = unguarded
        self._sources = Sources(module, lambda name: is_view(module, name))
        self._guards = self._guarded()
        self._steps: list[Step] = []
        self._at: dict[str, int] = {}
        self._stored: set[str] = set()
        self._before: list[set[int]] = []
        """The steps after which a step can be taken."""
        self._reads: dict[str, list[tuple[int, Shape | None]]] = {}
        self._seen: dict[str, list[tuple[int, Ints | None]]] = {}
        """Of each register that stands in memory: the steps that read it, and which elements of
        it each element of theirs; None of any."""

    @cached_property
    def plan(self) -> Plan:
        """The whole order."""
        for name in order(self._module):
            let = self._module.lets[name]
            guarded = name in {mux for mux, _, _ in self._guards.values()}
            if let.op not in _LEAVES and not is_view(self._module, name) and not guarded:
                self._place(name)
        sets = {sink.name: step for sink in self._sinks() if (step := self._sink(sink)) is not None}
        turn = {step: number for number, step in enumerate(self._turns(sets))}
        doubled = self._in_place(sets, turn)
        if late := doubled & self._guards.keys():
            return Planner(self._module, self._unguarded | late).plan
        for each in self._steps:
            if each.shape is not None:
                each.cuts = self._cuts(each, each.shape)
        steps = tuple(self._steps[step] for step in turn)
        taken = {register: value for register, (_, _, value) in self._guards.items()}
        return Plan(steps, frozenset(self._stored), frozenset(doubled), taken)

    def _guarded(self) -> dict[str, tuple[str, str, str]]:
        """Registers that only change where a bit is 1: the choice, the bit, and what they take."""
        found = {}
        users = Counter(arg for let in self._module.lets.values() for arg in let.args)
        for name, register in self._module.registers.items():
            let = self._module.lets[register.next]
            if is_straight(register.form.shape) or name in self._unguarded or let.op != "mux":
                continue
            condition, value, old = let.args
            held = self._module.lets[old]
            bases = self._sources.of(condition).bases
            scalar = len(bases) == 1 and not self._module.form(bases[0]).shape
            alone = not users[register.next] and register.next not in self._module.outputs.values()
            if scalar and alone and (held.op, held.data) == ("register", (name,)):
                found[name] = register.next, bases[0], value
        return found

    def _turns(self, sets: Mapping[str, int]) -> list[int]:
        """An order of the steps in which registers are read before they are set, if it can be."""
        readers = {
            name: {step for step, _ in self._seen.get(name, ())} - {step}
            for name, step in sets.items()
        }
        left, found = set(range(len(self._steps))), list[int]()
        while left:
            ready = [step for step in sorted(left) if not self._before[step] & left]
            spoiled = {
                step: sum(
                    self._module.registers[name].form.size
                    for name, end in sets.items()
                    if end == step and readers[name] & left
                )
                for step in ready
            }
            chosen = min(ready, key=lambda step: (spoiled[step], step))
            left.remove(chosen)
            found.append(chosen)
        return found

    # Values.

    def _place(self, name: str) -> None:
        let = self._module.lets[name]
        shape = None if is_straight(let.form.shape) else let.form.shape
        needed = list(operands(self._module, name))
        alone = let.op == "join"
        step = self._step(needed, shape, any_place=let.op in ("take", "join", "pack"), alone=alone)
        self._steps[step].values.append(name)
        self._at[name] = step
        if alone:
            self._stored.add(name)
        if let.op == "read":
            self._reads.setdefault(str(let.data[0]), []).append((step, shape))

    def _step(
        self,
        needed: Iterable[str],
        shape: Shape | None,
        *,
        after: int = 0,
        any_place: bool = False,
        alone: bool = False,
        guard: str | None = None,
    ) -> int:
        """The step in which something of a shape is computed of others, and what that asks of them.

        Args:
            needed: values.
            shape: of the loop.
            after: the first step that will do.
            any_place: whether elements at other places than its own are needed.
            alone: whether it has a step of its own.
            guard: that of the step.
        """
        needed = list(needed)
        key = (shape, guard)
        first = max([after, *(self._after(one, key, any_place) for one in needed)])
        chosen = next(
            (
                number
                for number in range(first, len(self._steps))
                if (self._steps[number].shape, self._steps[number].guard) == (shape, guard)
                and not alone
                and not self._alone(number)
            ),
            None,
        )
        if chosen is None:
            chosen = len(self._steps)
            self._steps.append(Step(shape, guard))
            self._before.append(set())
        for one in needed:
            self._use(one, chosen, shape, any_place)
        return chosen

    def _alone(self, number: int) -> bool:
        values = self._steps[number].values
        return bool(values) and self._module.lets[values[0]].op == "join"

    def _after(self, value: str, key: tuple[Shape | None, str | None], any_place: bool) -> int:
        """The first step in which the bases of a value can be used."""
        found, shape = 0, key[0]
        for base, same in self._bases(value, shape):
            if base in self._at:
                step = self._at[base]
                here = (self._steps[step].shape, self._steps[step].guard) == key
                free = here and (shape is None or (same and not any_place))
                found = max(found, step if free and not self._alone(step) else step + 1)
        return found

    def _use(self, value: str, step: int, shape: Shape | None, any_place: bool) -> None:
        for base, same in self._bases(value, shape):
            form = self._module.form(base)
            looped = not is_straight(form.shape)
            if base in self._at:
                self._before[step] |= {self._at[base]} - {step}
                inside = self._at[base] == step and (shape is None or (same and not any_place))
                spilled = shape is not None and form.shape
                if (looped and not inside) or (not looped and spilled):
                    self._stored.add(base)
            elif self._module.lets[base].op == "register":
                register = str(self._module.lets[base].data[0])
                if looped:
                    places = None if any_place or shape is None else self._elements(value, base)
                    self._seen.setdefault(register, []).append((step, places))
                elif shape is not None and form.shape:
                    self._stored.add(base)

    def _elements(self, value: str, base: str) -> Ints:
        """Which element of a base each element of a value is; -1 where it is none of it."""
        places = self._sources.of(value)
        number = places.bases.index(base)
        return np.where(places.which == number, places.where, -1).reshape(-1)

    def _bases(self, value: str, shape: Shape | None) -> Iterator[tuple[str, bool]]:
        """What a value is made of, and whether each element is the one at the same place."""
        places = self._sources.of(value)
        for number, base in enumerate(places.bases):
            form = self._module.form(base)
            whole = form.shape == shape and self._module.form(value).shape == shape
            same = whole and len(places.bases) == 1
            flat = places.where.reshape(-1)
            yield base, same and bool((flat == np.arange(flat.size)).all())
            del number

    # What becomes of them.

    def _sinks(self) -> Iterator[Sink]:
        module = self._module
        for name, memory in module.memories.items():
            yield from (Sink("write", name, number) for number in range(len(memory.writes)))
        yield from (Sink("output", name) for name in module.outputs)
        yield from (Sink("claim", "", number) for number in range(len(module.claims)))
        yield from (Sink("register", name) for name in module.registers)

    def _sink(self, sink: Sink) -> int | None:
        """Give something its step; the number of that, if it sets a register in memory."""
        needed, shape = self._needs(sink)
        loop = None if is_straight(shape) else shape
        # What a memory holds is read before it is written, and of two writes the later one wins.
        others = self._reads.get(sink.name, []) if sink.kind == "write" else []
        after = max((step if read == loop else step + 1 for step, read in others), default=0)
        guard = self._guards[sink.name][1] if self._is_guarded(sink) else None
        step = self._step(needed, loop, after=after, guard=guard)
        self._steps[step].sinks.append(sink)
        if sink.kind == "write":
            self._before[step] |= {other for other, _ in others} - {step}
            self._reads.setdefault(sink.name, []).append((step, loop))
        return step if sink.kind == "register" and loop is not None else None

    def _is_guarded(self, sink: Sink) -> bool:
        return sink.kind == "register" and sink.name in self._guards

    def _needs(self, sink: Sink) -> tuple[list[str], Shape]:
        module = self._module
        if sink.kind == "write":
            memory = module.memories[sink.name]
            port = memory.writes[sink.number]
            found = (port.address, port.data, port.enable, port.mask)
            return [one for one in found if one is not None], memory.form.shape
        if self._is_guarded(sink):
            return list(self._guards[sink.name][1:]), module.registers[sink.name].form.shape
        if sink.kind == "output":
            value = module.outputs[sink.name]
        elif sink.kind == "claim":
            value = module.claims[sink.number].value
        else:
            value = module.registers[sink.name].next
        return [value], module.form(value).shape

    def _in_place(self, sets: Mapping[str, int], turn: Mapping[int, int]) -> set[str]:
        """Choose the directions of loops; which registers must stand in memory twice."""
        doubled: set[str] = set()
        chosen: dict[int, Way] = {}
        for register, end in sets.items():
            way = self._direction(register, end, turn)
            if way == "none" or (way != "any" and chosen.setdefault(end, way) != way):
                doubled.add(register)
        for step, way in chosen.items():
            self._steps[step].descending = way == "down"
        return doubled

    def _cuts(self, step: Step, shape: Shape) -> tuple[tuple[int, ...], ...]:
        """Where a loop is cut in two, so that what is joined need not be chosen from."""
        if len(step.values) > _CUT_AT_MOST:
            return ()
        needed = {arg for value in step.values for arg in self._module.lets[value].args}
        needed |= {one for sink in step.sinks for one in self._needs(sink)[0]}
        found = []
        for axis, size in enumerate(shape):
            here = set()
            for value in needed:
                which = self._sources.of(value).which
                if which.shape == shape:
                    rows = np.moveaxis(which, axis, 0).reshape(size, -1)
                    changes = (rows[1:] != rows[:-1]).any(1)
                    here |= {int(place) + 1 for place in np.flatnonzero(changes)}
            found.append(tuple(sorted(here)) if len(here) <= _CUTS_AT_MOST else ())
        return tuple(found)

    def _direction(self, register: str, end: int, turn: Mapping[int, int]) -> Way:
        """In which direction a loop may set a register while it reads it."""
        found: set[str] = set()
        for step, places in self._seen.get(register, ()):
            if turn[step] < turn[end]:
                continue
            if step != end or places is None:
                return "none"
            here = np.arange(places.size)
            if (places[places >= 0] < here[places >= 0]).any():
                found.add("down")
            if (places > here).any():
                found.add("up")
        if found == {"down", "up"}:
            return "none"
        return "down" if "down" in found else "up" if found else "any"
