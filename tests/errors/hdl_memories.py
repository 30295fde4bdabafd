"""Errors of zhufeng.hdl: memories."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.errors.hdl_case import says
from tests.hdl.rules import stepped
from zhufeng import hdl
from zhufeng.hdl import (
    Memory,
    Signal,
    SInt,
    State,
    UInt,
    fold,
    mem,
    reg,
    vmap,
)

# As somebody writes who has no type checker.
any_hdl: Any = hdl


class Count(State):
    """A number."""

    n: Signal = reg(UInt(4), reset=0)


class Cells(State):
    """A memory, and banks."""

    ram: Memory = mem(UInt(4), 6, reads=("sync", "async"))
    banks: Memory = mem(UInt(4), 4, reads=(), byte_enable=2, banks=(3,))


def stored(f: Callable[..., object], *kinds: Any) -> None:
    """Trace a step with memories."""
    stepped(Cells, f, *kinds)


@says(
    "a memory of UInt(4).array(2)",
    "a single element: Bits(n) and pack(x) for an array",
    "UInt(4).array(2)",
    "declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
)
def memory_of_arrays() -> None:
    mem(UInt(4).array(2), 4)


@says(
    "a memory",
    "a type: UInt(8), SInt(8), Bits(8), Bool, or UInt(8).array(4)",
    "Count",
    "name a type, with its width; of a struct, its fields or Bits for all of them",
)
def memory_of_a_struct() -> None:
    any_hdl.mem(Count, 4)


@says(
    "a memory of UInt(4)",
    "a depth of at least 1",
    "0",
    "declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
)
def memory_without_depth() -> None:
    mem(UInt(4), 0)


@says(
    "a memory of UInt(4)",
    "reads such as ('sync', 'async')",
    "('later',)",
    "declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
)
def memory_with_unknown_reads() -> None:
    any_hdl.mem(UInt(4), 4, reads=("later",))


@says(
    "a memory of UInt(4)",
    "at least 0 writes",
    "-1",
    "declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
)
def memory_with_fewer_than_no_writes() -> None:
    mem(UInt(4), 4, writes=-1)


@says(
    "a memory of UInt(12)",
    "a byte_enable that divides 12",
    "8",
    "declare it so: mem(UInt(8), 256, reads=['sync'], writes=1, byte_enable=4)",
)
def memory_with_uneven_bytes() -> None:
    mem(UInt(12), 4, byte_enable=8)


@says(
    "the banks of a memory",
    "axes of at least one element",
    "0",
    "give whole numbers: UInt(8).array(4, 2)",
)
def memory_of_no_banks() -> None:
    mem(UInt(4), 4, banks=(0,))


@says(
    "the start of a memory of UInt(4)",
    "at most 4 numbers from 0 to 15",
    "list of 3, of which 2 fit",
    "give numbers that fit, or make it deeper",
)
def memory_that_starts_with_too_much() -> None:
    mem(UInt(4), 4, initial=[1, 2, 16])


@says(
    "an index of a memory",
    "a read or a write on one of its ports",
    "a memory",
    "write m, value = m.read(address), or m = m.write(address, value)",
)
def memory_indexed() -> None:
    stored(lambda s, a: (s, s.ram[a]), UInt(3))


@says("the address of ram", "UInt", "SInt(3)", "write as_uint(x)")
def memory_read_at_a_signed_address() -> None:
    stored(lambda s, a: s.ram.read(a), SInt(3))


@says("the address of ram", "one index", "UInt(3).array(2)", "vmap over the indices")
def memory_read_at_many_addresses() -> None:
    stored(lambda s, a: s.ram.read(a), UInt(3).array(2))


@says("the address of ram", "0 to 5", "6", "give a number that is there, or make it deeper")
def memory_read_out_of_range() -> None:
    stored(lambda s: s.ram.read(6))


@says(
    "a read of ram",
    "no enable: the port is asynchronous",
    "an enable",
    "leave it out, or declare the port 'sync'",
)
def memory_read_with_an_enable() -> None:
    stored(lambda s, a: s.ram.read(a)[0].read(a, a == 0), UInt(3))


@says(
    "a read of ram",
    "at most 2 in a cycle",
    "another",
    "declare one port more, or choose the address of one read with mux",
)
def memory_read_too_often() -> None:
    stored(lambda s, a: s.ram.read(a)[0].read(a)[0].read(a), UInt(3))


@says(
    "a read of ram",
    "ram as the last read or write returned it",
    "as it was before that",
    "write ram, x = ram.read(...) or ram = ram.write(...), and go on with that",
)
def memory_read_twice_as_it_was() -> None:
    stored(lambda s, a: (s.ram.read(a), s.ram.read(a)), UInt(3))


@says(
    "ram, one memory, is used once for each of 2 elements",
    "a bank for each",
    "one memory",
    "declare mem(..., banks=(2,)) and vmap over it too",
)
def memory_read_for_many() -> None:
    stored(lambda s, a: vmap(s.ram.read)(a), UInt(3).array(2))


@says(
    "a read of ram",
    "a memory of fold",
    "one of traced",
    "read before fold and write after it: a link holds no state",
)
def memory_read_in_a_fold() -> None:
    stored(lambda s, a: fold(lambda c, x: (c, s.ram.read(x)[1]), a[0], a), UInt(3).array(2))


@says(
    "a read of ram",
    "a memory of traced",
    "one of traced",
    "reach a memory from the module whose state has it",
)
def memory_of_another_trace() -> None:
    kept: list[Memory] = []

    def keeping(s: Cells, a: Signal) -> object:
        kept.append(s.ram)
        return kept[-2].read(a) if len(kept) > 1 else None

    with suppress(hdl.HdlError):
        stored(keeping, UInt(3))
    stored(keeping, UInt(3))


@says("a write of banks", "one memory", "banks of [3]", "vmap over them")
def banks_read_as_one() -> None:
    stored(lambda s, a: s.banks.write(a, 1, mask=3), UInt(3))


@says(
    "vmap",
    "axis 0 of a memory",
    "axis 1",
    "nest: vmap over axis 0 outside, and over the next one inside",
)
def banks_along_another_axis() -> None:
    class Grid(State):
        cells: Memory = mem(UInt(4), 4, banks=(2, 3))

    stepped(Grid, lambda s, a: vmap(lambda m, b: m, (1, 0))(s.cells, a), UInt(3).array(3))


@says("a write of banks", "a mask", "none", "write m.write(address, data, mask=x)")
def write_without_its_mask() -> None:
    stored(lambda s, a: vmap(lambda m, x: m.write(x, 1))(s.banks, a), UInt(3).array(3))


@says(
    "a write of ram",
    "no mask: it has no byte_enable",
    "UInt(3)",
    "leave it out, or declare mem(..., byte_enable=8)",
)
def write_with_a_mask() -> None:
    stored(lambda s, a: s.ram.write(a, 1, mask=a), UInt(3))


@says("the mask of banks", "Bits(2)", "UInt(3)", "write wrap(x, Bits(2)), which keeps what fits")
def write_with_a_mask_of_another_type() -> None:
    stored(lambda s, a: vmap(lambda m, x: m.write(x, 1, mask=x))(s.banks, a), UInt(3).array(3))


@says("what is written to ram", "UInt(4)", "UInt(3)", "write wrap(x, 4) or saturate(x, 4)")
def write_of_another_type() -> None:
    stored(lambda s, a: s.ram.write(a, a), UInt(3))


@says(
    "the memory ram of the next state",
    "2 read ports used",
    "1",
    "use all of them, or declare fewer; store what the last read returned",
)
def memory_whose_port_is_not_used() -> None:
    stored(lambda s, a: (hdl.replace(s, ram=s.ram.read(a)[0]), a), UInt(3))


@says(
    "the field ram of the next state",
    "s.ram with its ports used",
    "s.banks",
    "write ram = s.ram.write(...) and return ram=ram",
)
def memory_in_the_place_of_another() -> None:
    stored(lambda s, a: (hdl.replace(s, ram=s.banks), a), UInt(3))


@says(
    "the field ram of the next state",
    "s.ram with its ports used",
    "UInt(3)",
    "write ram = s.ram.write(...) and return ram=ram",
)
def memory_replaced_by_a_number() -> None:
    stored(lambda s, a: (hdl.replace(s, ram=a), a), UInt(3))


@says(
    "the field banks of the next state",
    "s.banks with its ports used",
    "a bank of it",
    "write banks = s.banks.write(...) and return banks=banks",
)
def memory_of_one_bank_of_many() -> None:
    def step(s: Cells, a: Signal) -> object:
        kept: list[Memory] = []

        def one(bank: Memory) -> Signal:
            kept.append(bank)
            return a

        out = vmap(one)(s.banks)
        ram = s.ram.read(a)[0].read(a)[0].write(a, 1)
        return Cells(ram, kept[0]), out

    stored(step, UInt(3))
