"""Memories inside the module under trace: their ports are used one after another."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from zhufeng.hdl import ir
from zhufeng.hdl._refusals import OF_MEMORIES, refuse
from zhufeng.hdl._scope import Levels, Scope, scope, together, told, where, wrong
from zhufeng.hdl._signal import (
    Operand,
    Signal,
    fitted,
    index_of,
    local,
    need_one,
    physical,
    spread,
)
from zhufeng.hdl._struct import Mem
from zhufeng.hdl._types import Bits, Bool


@dataclass(frozen=True)
class Memory:
    """A memory at some point of a cycle: each read and write takes the next port."""

    told_: ClassVar[str] = "a memory"
    scope: Scope
    name: str
    declared: Mem
    shape: tuple[int, ...]
    levels: Levels = ()
    reads: tuple[ir.ReadPort, ...] = ()
    writes: tuple[ir.WritePort, ...] = ()

    def read(self, address: Operand, enable: Operand | None = None) -> tuple[Self, Signal]:
        """Read on the next read port.

        Args:
            address: UInt or a number; out of range it reads 0.
            enable: of a synchronous port: while it is 0, the port holds what it has read.

        Returns:
            The memory with that port used, and what stands at the port: of an asynchronous one
            what is at the address, of a synchronous one what was in the last cycle.
        """
        self._ready("read", len(self.reads), len(self.declared.reads))
        at = self._address(address)
        sync = self.declared.reads[len(self.reads)] == "sync"
        if enable is not None and not sync:
            raise wrong(
                f"a read of {self.name}",
                expected="no enable: the port is asynchronous",
                came="an enable",
                do="leave it out, or declare the port 'sync'",
            )
        port = ir.ReadPort(at, self._bit(enable), sync, self.declared.transparent)
        kind = self.declared.kind
        data = (self.name, len(self.reads))
        value = self.scope.add("read", physical(kind, self.levels), (), data)
        return (
            replace(self, reads=(*self.reads, port)),
            Signal(self.scope, value, kind, self.levels),
        )

    def write(
        self,
        address: Operand,
        data: Operand,
        enable: Operand | None = None,
        mask: Operand | None = None,
    ) -> Self:
        """Write on the next write port.

        Args:
            address: UInt or a number; out of range nothing is written.
            data: an element.
            enable: nothing is written while it is 0.
            mask: Bits, one for each `byte_enable` bits, the lowest for the lowest.
        """
        self._ready("write", len(self.writes), self.declared.writes)
        at = self._address(address)
        group = self.declared.byte_enable
        if (mask is None) != (group is None):
            raise wrong(
                f"a write of {self.name}",
                expected="a mask" if group else "no mask: it has no byte_enable",
                came="none" if mask is None else told(mask),
                do="write m.write(address, data, mask=x)"
                if group
                else "leave it out, or declare mem(..., byte_enable=8)",
            )
        what = f"what is written to {self.name}"
        masked = None
        if mask is not None and group is not None:
            kind = Bits(self.declared.kind.width // group)
            masked = self._each(fitted(mask, kind, f"the mask of {self.name}"))
        port = ir.WritePort(
            at,
            self._each(fitted(data, self.declared.kind, what)),
            self._bit(enable),
            masked,
        )
        return replace(self, writes=(*self.writes, port))

    def _ready(self, what: str, used: int, ports: int) -> None:
        if self.scope is not scope():
            raise wrong(
                f"a {what} of {self.name}",
                expected=f"a memory of {scope().name}",
                came=f"one of {self.scope.name}",
                do="read before fold and write after it: a link holds no state"
                if self.scope in scope().around()
                else "reach a memory from the module whose state has it",
            )
        if self.shape:
            raise wrong(
                f"a {what} of {self.name}",
                expected="one memory",
                came=f"banks of {list(self.shape)}",
                do="vmap over them",
            )
        if used == ports:
            raise wrong(
                f"a {what} of {self.name}",
                expected=f"at most {ports} in a cycle",
                came="another",
                do=f"declare one port more, or choose the address of one {what} with mux",
            )
        # A memory is a chain of ports: a second use of an older link would be lost.
        port = (self.name, what, used)
        if port in self.scope.ports:
            raise wrong(
                f"a {what} of {self.name}",
                expected=f"{self.name} as the last read or write returned it",
                came="as it was before that",
                do=f"write {self.name}, x = {self.name}.read(...) or {self.name} = "
                f"{self.name}.write(...), and go on with that",
            )
        self.scope.ports.add(port)

    def _address(self, address: Operand) -> str:
        what = f"the address of {self.name}"
        at = index_of(address, what)
        need_one(at, what)
        if not isinstance(address, Signal) and (known := operator.index(address)) >= (
            depth := self.declared.depth
        ):
            raise wrong(
                what,
                expected=f"0 to {depth - 1}",
                came=str(known),
                do="give a number that is there, or make it deeper",
            )
        return self._each(at)

    def _bit(self, enable: Operand | None) -> str | None:
        return (
            None if enable is None else self._each(fitted(enable, Bool, f"enable of {self.name}"))
        )

    def _each(self, signal: Signal) -> str:
        own = local(signal)
        levels = together(own.levels, self.levels)
        if levels != self.levels:
            raise wrong(
                f"{self.name}, one memory, is used once for each of {levels[-1].size} elements",
                expected="a bank for each",
                came="one memory",
                do=f"declare mem(..., banks=({levels[-1].size},)) and vmap over it too",
            )
        return spread(own, levels, ())


refuse(Memory, OF_MEMORIES)


def _came(value: Any, field: str) -> str:
    if not isinstance(value, Memory):
        return told(value)
    if value.scope is not scope():
        return f"{value.name} of {value.scope.name}"
    return "a bank of it" if value.name == field else f"s.{value.name}"


def finished_memory(value: Any, field: str, declared: Mem) -> ir.Memory:
    """The memory of the next state, all of whose ports are used."""
    here = isinstance(value, Memory) and value.scope is scope()
    if not here or (value.name, value.shape) != (field, declared.banks):
        raise wrong(
            f"the field {field} of the next state",
            expected=f"s.{field} with its ports used",
            came=_came(value, field),
            do=f"write {field} = s.{field}.write(...) and return {field}={field}",
        )
    for what, used, ports in (
        ("read", len(value.reads), len(declared.reads)),
        ("write", len(value.writes), declared.writes),
    ):
        if used != ports:
            raise wrong(
                f"the memory {field} of the next state",
                expected=f"{ports} {what} ports used",
                came=str(used),
                do=f"use all of them, or declare fewer; store what the last {what} returned",
            )
    form = declared.kind.array(*declared.banks).form
    return ir.Memory(form, declared.depth, declared.init, value.reads, value.writes, where())
