"""Memories, with the ports that the IR has; what they have beside that is made of registers."""

from __future__ import annotations

from dataclasses import dataclass

from zhufeng.base import InputError
from zhufeng.hdl.ir import BIT, Form, Let, Memory, ReadPort, Register, WritePort
from zhufeng.hdl.reader._builder import Names
from zhufeng.hdl.reader._netlist import Bits, Cell
from zhufeng.hdl.reader._state import flip_flop
from zhufeng.hdl.reader._words import Words


@dataclass(frozen=True)
class Parts:
    """Where the parts of a module's state go, and their names."""

    registers: dict[str, Register]
    memories: dict[str, Memory]
    names: Names


def memory(cell: Cell, words: Words, parts: Parts) -> None:
    """Make a memory of a cell, and the values at its read ports.

    Raises:
        InputError: its lowest address is negative.
    """
    _Maker(cell, words, parts).make()


class _Maker:
    def __init__(self, cell: Cell, words: Words, parts: Parts) -> None:
        self._cell = cell
        self._words = words
        self._parts = parts
        self._form = Form(cell.number("WIDTH"))
        self._abits = cell.number("ABITS")
        self._writes = cell.number("WR_PORTS")
        self._title = cell.text("MEMID").lstrip("\\")
        self._name = parts.names.new(self._title)

    def make(self) -> None:
        cell = self._cell
        offset = cell.number("OFFSET")
        if offset >> 31:
            raise InputError(
                f"memory {self._title} ({cell.where})",
                expected="addresses from 0 on, or from a positive number on",
                came=f"addresses from {offset - (1 << 32)} on",
                do="add to its addresses what makes them positive",
            )
        self._check_priority()
        writes = [self._write(number) for number in range(self._writes)]
        reads: list[ReadPort] = []
        for number in range(cell.number("RD_PORTS")):
            bits = self._port("RD_DATA", number, self._form.width)
            if any(isinstance(bit, int) for bit in bits):
                reads.append(self._read(number, len(reads)))
        self._parts.memories[self._name] = Memory(
            self._form,
            cell.number("SIZE"),
            self._start(),
            tuple(reads),
            tuple(port for port in writes if port is not None),
            cell.where,
        )

    # What a port is given.

    def _port(self, pin: str, number: int, width: int) -> Bits:
        return self._cell.pins[pin][number * width : (number + 1) * width]

    def _flag(self, parameter: str, number: int) -> bool:
        return bool(self._cell.number(parameter) >> number & 1)

    def _address(self, side: str, number: int) -> str:
        """From 0 on; one below the first is beyond the last."""
        address = self._words.word(self._port(f"{side}_ADDR", number, self._abits))
        offset, size = self._cell.number("OFFSET"), self._cell.number("SIZE")
        if not offset:
            return address
        form = Form(max(self._abits, (offset + size).bit_length()))
        start = self._words.constant(offset, form)
        return self._words.make("sub", form, address, start)

    def _start(self) -> tuple[int, ...] | None:
        text = self._cell.text("INIT")
        if not set(text) & {"0", "1"}:
            return None
        # The lowest address stands last.
        digits = text.replace("x", "0").zfill(self._cell.number("SIZE") * self._form.width)
        width = self._form.width
        whole = [digits[end - width : end] for end in range(len(digits), 0, -width)]
        return tuple(int(one, 2) for one in whole)

    def _check_priority(self) -> None:
        """Of two writes to an address the later wins, as in the IR: Yosys' ports are sorted so."""
        for port in range(self._writes):
            for other in range(port, self._writes):
                assert not self._flag("WR_PRIORITY_MASK", port * self._writes + other)

    # Writing.

    def _write(self, number: int) -> WritePort | None:
        bits = self._port("WR_EN", number, self._form.width)
        if set(bits) <= {"0", "x"}:
            return None
        address = self._address("WR", number)
        data = self._words.word(self._port("WR_DATA", number, self._form.width))
        group = _group(bits)
        if group < len(bits):
            return WritePort(address, data, None, self._words.word(bits[::group]))
        enable = None if bits[0] == "1" else self._words.bit(bits[0])
        return WritePort(address, data, enable)

    # Reading.

    def _read(self, number: int, place: int) -> ReadPort:
        words, name = self._words, self._words.word(self._port("RD_DATA", number, self._form.width))
        address = self._address("RD", number)
        stands = words.let("read", self._form, data=(self._name, place))
        if not self._flag("RD_CLK_ENABLE", number):
            words.add(stands, name)
            return ReadPort(address)
        seen = [
            self._flag("RD_TRANSPARENCY_MASK", number * self._writes + port)
            for port in range(self._writes)
        ]
        if not self._plain(number) or len(set(seen)) > 1:
            fresh = self._with_written(number, words.add(stands), seen)
            words.add(self._held(number, fresh, name), name)
            return ReadPort(address)
        words.add(stands, name)
        enable = self._cell.pins["RD_EN"][number]
        when = None if enable == "1" else words.bit(enable)
        return ReadPort(address, when, sync=True, transparent=any(seen))

    def _plain(self, number: int) -> bool:
        """Whether what a port has read is never reset."""
        reset = self._cell.pins["RD_SRST"][number]
        return reset in ("0", "x") and set(self._digits("RD_INIT_VALUE", number)) == {"x"}

    def _digits(self, parameter: str, number: int) -> str:
        """Of a parameter with a word for each read port; highest first, port 0 last."""
        text, width = self._cell.text(parameter), self._form.width
        whole = text.rjust(self._cell.number("RD_PORTS") * width, text[0])
        return whole[len(whole) - (number + 1) * width : len(whole) - number * width]

    def _with_written(self, number: int, read: str, seen: list[bool]) -> str:
        """What is read, with what those of the write ports that it sees write in this cycle."""
        words, form = self._words, self._form
        address = words.word(self._port("RD_ADDR", number, self._abits))
        for port in (port for port, one in enumerate(seen) if one):
            other = words.word(self._port("WR_ADDR", port, self._abits))
            same = words.make("eq", BIT, address, other)
            bits = words.word(self._port("WR_EN", port, form.width))
            mask = words.mux(same, bits, words.constant(0, form), form)
            data = words.word(self._port("WR_DATA", port, form.width))
            new = words.make("and", form, mask, data)
            old = words.make("and", form, words.inverted(mask, form), read)
            read = words.make("or", form, old, new)
        return read

    def _held(self, number: int, fresh: str, name: str) -> Let:
        """The flip-flops after a port, as `flip_flop` makes them."""
        cell, pins = self._cell, self._cell.pins
        over = self._flag("RD_CE_OVER_SRST", number)
        data = self._port("RD_DATA", number, self._form.width)
        made = Cell(
            cell.name,
            "$sdffce" if over else "$sdffe",
            {
                "SRST_VALUE": self._digits("RD_SRST_VALUE", number),
                "SRST_POLARITY": "1",
                "EN_POLARITY": "1",
            },
            {"Q": data, "EN": (pins["RD_EN"][number],), "SRST": (pins["RD_SRST"][number],)},
            frozenset({"Q"}),
            cell.where,
        )
        register = self._parts.names.new(name if not name.isdigit() else f"{self._title}_read")
        start = self._digits("RD_INIT_VALUE", number)
        return flip_flop(
            made, fresh, self._words, self._parts.registers, name=register, start=start
        )


def _group(bits: Bits) -> int:
    """The size of the largest groups of bits that are written together."""
    for group in range(len(bits), 0, -1):
        parts = [set(bits[low : low + group]) for low in range(0, len(bits), group)]
        if len(bits) % group == 0 and all(len(part) == 1 for part in parts):
            return group
    return 1
