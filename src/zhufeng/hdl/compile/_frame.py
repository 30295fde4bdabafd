"""The function that runs cycles: its arguments, the loop over them, reset, and claims."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from llvmlite import ir as llvm

from zhufeng.hdl.compile._lanes import BYTE, INDEX, POINTER
from zhufeng.hdl.compile._layout import ALIGNMENT, Layout
from zhufeng.hdl.ir import Module

ENTRY = "zhufeng_run"
ARGUMENTS = ("state", "scratch", "ports", "reset", "claims")
NUMBERS = ("cycles", "first", "turn", "ring", "reset_step", "now")
SIGNATURE: Final = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p] * len(ARGUMENTS), *[ctypes.c_int64] * len(NUMBERS)
)
KIND: Final = llvm.FunctionType(
    llvm.VoidType(), [POINTER] * len(ARGUMENTS) + [INDEX] * len(NUMBERS)
)
Carried = Mapping[str, list[Any]]
"""What of each register stays in registers of the machine from one cycle to the next."""


class Entry(ABC):
    """Writes a function that takes

    - pointers to the state, and to scratch memory,
    - to a table of the inputs, then the outputs: where each stands in the first cycle, and how
      many bytes further in the next one,
    - to a byte that is 1 while `rst` is,
    - to what is known of the claims: by lane, in 8 bytes each, the first cycle and the number of
      cycles in which it failed, or how often it was true,

    and numbers: of cycles, of the first one of them, of the inputs' cycle that it takes and after
    how many they begin again, how many bytes further the next cycle's `rst` stands, and in which
    of their two places the registers stand that have two, in bytes.
    """

    def __init__(
        self, module: Module, layout: Layout, unit: llvm.Module | None = None, name: str = ENTRY
    ) -> None:
        self.module, self.layout, self.lanes = module, layout, layout.lanes
        self.unit = unit or llvm.Module(name=module.name)
        self.function = llvm.Function(self.unit, KIND, name=name)
        self.arguments = dict(zip((*ARGUMENTS, *NUMBERS), self.function.args, strict=True))
        for one in ARGUMENTS:
            self.arguments[one].add_attribute("noalias")
        self.builder = llvm.IRBuilder(self.function.append_basic_block("entry"))
        self._standing = self._ports()

    @abstractmethod
    def written(self) -> None:
        """All of it."""

    def _ports(self) -> list[tuple[Any, Any]]:
        """Where each port stands, and how far apart in two cycles."""
        builder, found = self.builder, []
        for number in range(len(self.module.inputs) + len(self.module.outputs)):
            place = builder.gep(self.arguments["ports"], [INDEX(2 * number)], source_etype=INDEX)
            step = builder.gep(self.arguments["ports"], [INDEX(2 * number + 1)], source_etype=INDEX)
            found.append((builder.load(place, typ=POINTER), builder.load(step, typ=INDEX)))
        return found

    def own(self, size: int) -> Any:
        """Memory of the function's own, so many bytes: nobody else reads it, as LLVM knows."""
        with self.builder.goto_entry_block():
            found = self.builder.alloca(llvm.ArrayType(BYTE, size))
        found.align, found.type = ALIGNMENT, POINTER
        return found

    def _port(self, number: int, cycle: Any) -> Any:
        start, step = self._standing[number]
        return self.builder.gep(start, [self.builder.mul(cycle, step)], source_etype=BYTE)

    def stand(self, turn: Any, time: Any) -> None:
        """Find the inputs of one cycle, and the outputs of another."""
        count = len(self.module.inputs)
        self.given = {
            port: self._port(number, turn) for number, port in enumerate(self.module.inputs)
        }
        self.made = {
            port: self._port(count + number, time)
            for number, port in enumerate(self.module.outputs)
        }

    def as_number(self, mask: Any) -> Any:
        """A bit for each lane, as a number."""
        if self.lanes.count == 1:
            return self.builder.zext(mask, self.lanes.mask)
        return self.builder.bitcast(mask, self.lanes.mask)

    def splat(self, one: Any) -> Any:
        """A number in all lanes."""
        return splat(self.builder, one, self.lanes.count)


class Frame(Entry):
    """Writes the loop over cycles."""

    @abstractmethod
    def loaded(self) -> Carried:
        """What is carried, from the state."""

    @abstractmethod
    def cycle(self, held: Carried) -> Carried:
        """A cycle: what is carried into the next one."""

    @abstractmethod
    def reset_values(self, after: Carried) -> Carried:
        """Of what is carried and has a reset value: that. Sets what is not carried."""

    @abstractmethod
    def kept(self, held: Carried) -> None:
        """What is carried, into the state."""

    def written(self) -> None:
        """All of it."""
        self._bad, self._seen = list[tuple[int, Any]](), list[tuple[int, Any]]()
        builder, numbers, start = self.builder, self.arguments, self.loaded()
        entry = builder.block
        head = self.function.append_basic_block("cycle")
        end = self.function.append_basic_block("end")
        builder.cbranch(builder.icmp_unsigned(">", numbers["cycles"], INDEX(0)), head, end)
        builder.position_at_end(head)
        self.time, self.turn, self.now = (builder.phi(INDEX, name) for name in ("t", "turn", "now"))
        held = {name: [builder.phi(one.type) for one in every] for name, every in start.items()}
        self._stand()
        after = self._after_reset(self._judged(held))
        time = builder.add(self.time, INDEX(1))
        turn = builder.add(self.turn, INDEX(1))
        turn = builder.select(builder.icmp_unsigned("==", turn, numbers["ring"]), INDEX(0), turn)
        apart = builder.sub(INDEX(self.layout.doubled), self.now)
        last = builder.block
        builder.cbranch(builder.icmp_unsigned("<", time, numbers["cycles"]), head, end)
        counts = ((self.time, INDEX(0), time), (self.turn, numbers["turn"], turn))
        values = [
            (phi, first, then)
            for name, phis in held.items()
            for phi, first, then in zip(phis, start[name], after[name], strict=True)
        ]
        for phi, first, then in (*counts, (self.now, numbers["now"], apart), *values):
            phi.add_incoming(first, entry)
            phi.add_incoming(then, last)
        builder.position_at_end(end)
        self.kept(self._merged(start, entry, after, last))
        builder.ret_void()

    def _merged(self, one: Carried, from_one: Any, other: Carried, from_other: Any) -> Carried:
        """What comes from either of two blocks."""
        found: dict[str, list[Any]] = {}
        for name, values in one.items():
            found[name] = []
            for a, b in zip(values, other[name], strict=True):
                phi = self.builder.phi(a.type)
                phi.add_incoming(a, from_one)
                phi.add_incoming(b, from_other)
                found[name].append(phi)
        return found

    def _stand(self) -> None:
        """Where the inputs, outputs and the reset of this cycle are."""
        builder, numbers = self.builder, self.arguments
        self.stand(self.turn, self.time)
        where = builder.mul(self.time, numbers["reset_step"])
        reset = builder.load(builder.gep(numbers["reset"], [where], source_etype=BYTE), typ=BYTE)
        self.reset = builder.icmp_unsigned("!=", reset, BYTE(0))

    def _after_reset(self, after: Carried) -> Carried:
        """Everything that has a reset value takes it while `rst` is 1."""
        if all(one.reset is None for one in self.module.registers.values()):
            return after
        builder, before = self.builder, self.builder.block
        inside, onward = builder.append_basic_block("reset"), builder.append_basic_block("onward")
        builder.cbranch(self.reset, inside, onward)
        builder.position_at_end(inside)
        values = self.reset_values(after)
        inside = builder.block
        builder.branch(onward)
        builder.position_at_end(onward)
        return {**after, **self._merged(values, inside, after, before)}

    # Claims.

    def tell(self, number: int, found: Any) -> None:
        """What is found of a claim in this cycle: where it holds, or how often it is true."""
        if self.module.claims[number].kind == "cover":
            self._seen.append((number, found))
        else:
            self._bad.append((number, self.builder.not_(found)))

    def _judged(self, held: Carried) -> Carried:
        """A cycle; write down which claims fail in it, and how often others are true."""
        after = self.cycle(held)
        if not self._bad and not self._seen:
            return after
        builder, zero = self.builder, self.lanes.constant(64, 0)
        some = self.lanes.constant(1, 0)
        for _, bad in self._bad:
            some = builder.or_(some, bad)
        for _, count in self._seen:
            some = builder.or_(some, builder.icmp_unsigned("!=", count, zero))
        on = builder.icmp_unsigned("!=", self.as_number(some), self.lanes.mask(0))
        with builder.if_then(builder.and_(on, builder.not_(self.reset))):
            for number, bad in self._bad:
                self._failed(number, bad)
            for number, count in self._seen:
                self._add(number, count)
        return after

    def _failed(self, number: int, bad: Any) -> None:
        builder, wide, target = self.builder, self.lanes.type(64), self._claim(number, 0)
        first = builder.load(target, typ=wide, align=8)
        new = builder.and_(builder.icmp_signed("<", first, self.lanes.constant(64, 0)), bad)
        time = self.splat(builder.add(self.time, self.arguments["first"]))
        builder.store(builder.select(new, time, first), target, align=8)
        self._add(number, builder.zext(bad, wide))

    def _add(self, number: int, count: Any) -> None:
        target = self._claim(number, 1)
        before = self.builder.load(target, typ=self.lanes.type(64), align=8)
        self.builder.store(self.builder.add(before, count), target, align=8)

    def _claim(self, number: int, place: int) -> Any:
        offset = (2 * number + place) * 8 * self.lanes.count
        return self.builder.gep(self.arguments["claims"], [INDEX(offset)], source_etype=BYTE)


def splat(builder: llvm.IRBuilder, one: Any, count: int) -> Any:
    """A number so many times."""
    if count == 1:
        return one
    kind = llvm.VectorType(one.type, count)
    nothing = llvm.Constant(kind, llvm.Undefined)
    first = builder.insert_element(nothing, one, llvm.IntType(32)(0))
    order = llvm.Constant(llvm.VectorType(llvm.IntType(32), count), None)
    return builder.shuffle_vector(first, nothing, order)
