"""Flip-flops as registers whose next value says all.

Those with an asynchronous reset, load, set or clear are gone by now: Yosys' ``async2sync`` lets
these show at the output in the cycle in which they are 1, and hold at the clock's edge. That is
exact where they change with the clock, which is all that a simulation by cycles can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zhufeng.hdl.ir import Form, Let, Register
from zhufeng.hdl.reader._netlist import Bits, Cell
from zhufeng.hdl.reader._words import Words

FLIP_FLOPS: Final = frozenset({"$dff", "$dffe", "$sdff", "$sdffe", "$sdffce"})
LATCHES: Final = frozenset({"$dlatch", "$adlatch", "$dlatchsr", "$sr"})


def flip_flop(
    cell: Cell,
    after: str,
    words: Words,
    registers: dict[str, Register],
    *,
    name: str,
    start: str,
) -> Let:
    """Make a register of a flip-flop; what stands at its output.

    Args:
        cell: the flip-flop.
        after: what it takes.
        words: takes the values.
        registers: takes the register.
        name: of the register.
        start: what it holds at the start, bits highest first; any where all are x.
    """
    form = Form(len(cell.pins["Q"]))
    held = words.let("register", form, data=(name,))
    if "EN" in cell.pins and cell.kind != "$sdffce":
        after = words.mux(_pin(cell, words, "EN"), after, words.add(held), form)
    if "SRST" in cell.pins:
        value = words.constant(cell.number("SRST_VALUE"), form)
        after = words.mux(_pin(cell, words, "SRST"), value, after, form)
    if cell.kind == "$sdffce":
        after = words.mux(_pin(cell, words, "EN"), after, words.add(held), form)
    reset = (int(start.replace("x", "0"), 2),) if set(start) - {"x"} else None
    registers[name] = Register(form, reset, after, cell.where)
    return held


def _pin(cell: Cell, words: Words, pin: str) -> str:
    """A control of one bit, true where it is 1."""
    value = words.bit(cell.pins[pin][0])
    return value if cell.number(f"{pin}_POLARITY") else words.inverted(value)


def start_of(bits: Bits, starts: Mapping[int | str, str]) -> str:
    """What some bits hold at the start, highest first."""
    return "".join(starts.get(bit, "x") for bit in reversed(bits))
