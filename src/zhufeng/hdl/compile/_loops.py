"""Lanes in vectors: an element at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import numpy as np
from llvmlite import ir as llvm

from zhufeng.hdl.compile._elements import Elements
from zhufeng.hdl.compile._frame import ENTRY, Carried, Frame
from zhufeng.hdl.compile._lanes import Lanes
from zhufeng.hdl.compile._layout import layout
from zhufeng.hdl.compile._operations import Value
from zhufeng.hdl.compile._plan import Planner, Sink, Step, is_straight
from zhufeng.hdl.compile._rooms import Index
from zhufeng.hdl.compile._widen import products_as_wide_as_sums, wide_registers
from zhufeng.hdl.ir import Form, Module

_UNROLLED: Final = 16
_SMALL: Final = 32
"""How many elements of the last axis of a loop are written out, if that computes few values."""
_OWN: Final = 1 << 15
"""Bytes of scratch memory that a function may have of its own."""


def loops(
    module: Module,
    lanes: Lanes,
    streams: Container[str] = (),
    unit: llvm.Module | None = None,
    name: str = ENTRY,
) -> Loops:
    """The function of a module without instances and folds, planned and laid out.

    Args:
        module: what it computes.
        lanes: how many.
        streams: ports that only code of ours meets.
        unit: where it is written; without it, in a module of its own.
        name: of the function.
    """
    wide = products_as_wide_as_sums(module)
    plan = Planner(wide).plan
    places = layout(wide, plan, lanes, wide_registers(wide, plan.guarded), streams)
    return Loops(wide, plan, places, unit, name)


class Loops(Elements, Frame):
    """Small values written out, large ones in loops over their elements."""

    # The cycles.

    def loaded(self) -> Carried:
        """See `Frame`."""
        if 0 < self.layout.scratch_bytes <= _OWN:
            self.arguments["scratch"] = self.own(self.layout.scratch_bytes)
        state = self.arguments["state"]
        self.held = {
            name: [self._load(self._at(state, room, n), room) for n in range(room.form.size)]
            for name, room in self.layout.registers.items()
            if is_straight(room.form.shape)
        }
        return self.held

    def cycle(self, held: Carried) -> Carried:
        """See `Frame`."""
        self.held = held
        for name, let in self.module.lets.items():
            if name in self.plan.stored and let.op == "register" and let.data[0] in held:
                room = self.layout.scratch[name]
                for number, one in enumerate(held[str(let.data[0])]):
                    self._store(one, self._at(self.arguments["scratch"], room, number), room)
        after: dict[str, list[Any]] = {}
        for step in self.plan.steps:
            self._step(step, after)
        return after

    def reset_values(self, after: Carried) -> Carried:
        """See `Frame`."""
        found = {}
        for name, one in self.module.registers.items():
            if one.reset is None:
                continue
            if name in after:
                found[name] = [self.operations.number(n, one.form).lanes for n in one.reset]
            else:
                self._reset_in_memory(name, one.form, one.reset)
        return found

    def _reset_in_memory(self, name: str, form: Form, numbers: Sequence[int]) -> None:
        room = self.layout.registers[name]
        table = self._table(f"reset {name}", form, numbers)

        def set_one(index: Index) -> None:
            flat = self._flat(index, form.shape)
            value = self._from_table(table, flat, form, numbers)
            self._store(value.lanes, self._at(self._next(name), room, flat), room)

        self._loop(form.shape, set_one, descending=False)

    def kept(self, held: Carried) -> None:
        """See `Frame`."""
        for name, values in held.items():
            room = self.layout.registers[name]
            for number, value in enumerate(values):
                self._store(value, self._at(self.arguments["state"], room, number), room)

    # Steps.

    def _step(self, step: Step, after: dict[str, list[Any]]) -> None:
        if step.shape is None:
            for name in step.values:
                self._straight(name)
            for sink in step.sinks:
                self._straight_sink(sink, after)
            return
        if step.values and self.module.lets[step.values[0]].op == "join":
            self._joined(step.values[0])
            return
        if step.guard is not None:
            guard = self._element(step.guard, ())
            # Kept, for the loop stores in between what it may be read from.
            self.straight.setdefault(step.guard, {(): guard})
            some = self.as_number(guard.lanes)
            with self.builder.if_then(self.builder.icmp_unsigned("!=", some, some.type(0))):
                self._looped(step)
            return
        self._looped(step)

    def _looped(self, step: Step) -> None:
        shape = step.shape
        assert shape is not None
        counts = {
            sink: self._variable(self._tally(sink)) for sink in step.sinks if sink.kind == "claim"
        }

        def body(index: Index) -> None:
            self.place, self.element_of = index, {}
            for name in step.values:
                self.element_of[name] = value = self._made(name, index)
                if name in self.plan.stored:
                    room = self.layout.scratch[name]
                    self._store(value.lanes, self._address_in(room, index), room)
            ends = [self._looped_sink(sink, index, counts, step.guard) for sink in step.sinks]
            for end in ends:
                end()
            self.place, self.element_of = (), {}

        def every() -> None:
            self._loop(
                shape,
                body,
                descending=step.descending,
                cuts=step.cuts,
                unroll=_UNROLLED if len(step.values) <= _SMALL else 1,
            )

        if (bit := self._chosen_by(step)) is None:
            every()
        else:
            some = self.as_number(self._element(bit, ()).lanes)
            on = self.builder.icmp_unsigned("!=", some, some.type(0))
            with self.builder.if_else(on) as (then, otherwise):
                with then:
                    every()
                with otherwise:
                    self.off = bit
                    every()
                    self.off = None
        for sink, variable in counts.items():
            self.tell(sink.number, self.builder.load(variable, typ=variable.allocated_type))

    def _chosen_by(self, step: Step) -> str | None:
        """A bit by which all elements of a loop are chosen, if the loop is small.

        Mostly it is 0 in all lanes: that something is loaded, or begins.
        """
        if len(step.values) > _SMALL:
            return None
        bits = (self.chooser(self.module.lets[name]) for name in step.values)
        return next((bit for bit in bits if bit is not None), None)

    def _straight(self, name: str) -> None:
        form = self.module.form(name)
        found: dict[Index, Value] = {}
        for index in np.ndindex(form.shape):
            value = self._made(name, index)
            found[index] = value
            if name in self.plan.stored:
                room = self.layout.scratch[name]
                self._store(value.lanes, self._address_in(room, index), room)
        self.straight[name] = found

    def _joined(self, name: str) -> None:
        """Copied together."""
        let, room = self.module.lets[name], self.layout.scratch[name]
        axis, start = let.data[0], 0
        assert isinstance(axis, int)
        for arg in let.args:
            shape = self.module.form(arg).shape

            def copied(index: Index, arg: str = arg, start: int = start) -> None:
                at = (*index[:axis], self._plus(index[axis], start), *index[axis + 1 :])
                value = self._element(arg, index)
                self._store(value.lanes, self._address_in(room, at), room)

            if is_straight(shape):
                for index in np.ndindex(shape):
                    copied(index)
            else:
                self._loop(shape, copied, descending=False)
            start += shape[axis]

    # What becomes of values.

    def _straight_sink(self, sink: Sink, after: dict[str, list[Any]]) -> None:
        if sink.kind == "register":
            register = self.module.registers[sink.name]
            after[sink.name] = [
                self._stored_form(self._element(register.next, index), register.form)
                for index in np.ndindex(register.form.shape)
            ]
            return
        if sink.kind == "claim":
            variable = self._variable(self._tally(sink))
        value, form = self._sunk(sink)
        for index in np.ndindex(form.shape):
            if sink.kind == "claim":
                self._count(sink, variable, self._element(value, index))
            else:
                self._looped_sink(sink, index, {})()
        if sink.kind == "claim":
            self.tell(sink.number, self.builder.load(variable, typ=variable.allocated_type))

    def _sunk(self, sink: Sink) -> tuple[str, Form]:
        if sink.kind == "claim":
            value = self.module.claims[sink.number].value
        elif sink.kind == "output":
            value = self.module.outputs[sink.name]
        else:
            return "", self.module.memories[sink.name].form
        return value, self.module.form(value)

    def _looped_sink(
        self, sink: Sink, index: Index, counts: dict[Sink, Any], guard: str | None = None
    ) -> Callable[[], None]:
        """Compute what becomes of values at a place; what is given back makes it so."""
        if sink.kind == "write":
            return self._write(sink, index)
        if sink.kind == "register":
            register, room = self.module.registers[sink.name], self.layout.registers[sink.name]
            flat = self._flat(index, register.form.shape)
            target = self._at(self._next(sink.name), room, flat)
            taken = register.next if guard is None else self.plan.guarded[sink.name]
            value = self._stored_form(self._element(taken, index), register.form)
            if guard is not None and self.lanes.count > 1:
                old = self._load(target, room)
                value = self.builder.select(self._element(guard, ()).lanes, value, old)
            return lambda: self._store(value, target, room)
        name, form = self._sunk(sink)
        value = self._element(name, index)
        if sink.kind == "claim":
            self._count(sink, counts[sink], value)
            return lambda: None
        room = self.layout.outputs[sink.name]
        known = self.operations.cleaned(value, form)
        target = self._at(self.made[sink.name], room, self._flat(index, form.shape))
        return lambda: self._store(known, target, room)

    def _stored_form(self, value: Value, form: Form) -> Any:
        return self.operations.cleaned(value, form)

    # Claims.

    def _tally(self, sink: Sink) -> Any:
        """What is gathered over the elements: where all hold, or how many are true."""
        if self.module.claims[sink.number].kind == "cover":
            return self.lanes.constant(64, 0)
        return self.lanes.constant(1, 1)

    def _variable(self, first: Any) -> Any:
        with self.builder.goto_entry_block():
            variable = self.builder.alloca(first.type)
        self.builder.store(first, variable)
        return variable

    def _count(self, sink: Sink, variable: Any, value: Value) -> None:
        so_far = self.builder.load(variable, typ=variable.allocated_type)
        if self.module.claims[sink.number].kind == "cover":
            found = self.builder.add(so_far, self.builder.zext(value.lanes, so_far.type))
        else:
            found = self.builder.and_(so_far, value.lanes)
        self.builder.store(found, variable)
