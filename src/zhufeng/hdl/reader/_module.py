"""A module of Yosys' as a module of the IR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from zhufeng.hdl.ir import BIT, Claim, Fold, Form, Instance, Module
from zhufeng.hdl.reader._builder import Names
from zhufeng.hdl.reader._cells import DIVISIONS, OPERATIONS
from zhufeng.hdl.reader._clocks import Clocks
from zhufeng.hdl.reader._division import Division, divided
from zhufeng.hdl.reader._memories import Parts, memory
from zhufeng.hdl.reader._netlist import Bit, Bits, Cell, Netlist
from zhufeng.hdl.reader._state import FLIP_FLOPS, flip_flop, start_of
from zhufeng.hdl.reader._words import Words

Kind = Literal["assert", "assume", "cover"]
_CLAIMS: Final[Mapping[str, Kind]] = {"assert": "assert", "assume": "assume", "cover": "cover"}
CLAIMS: Final = frozenset(_CLAIMS)
UNSEEN: Final = frozenset({"$print", "$scopeinfo"})
"""Cells that nothing follows from."""


@dataclass(frozen=True)
class Inside:
    """A module that others may have instances of."""

    netlist: Netlist
    module: Module
    ports: Mapping[str, str]
    """What each port of the Verilog is called in the IR; without clocks."""


@dataclass(frozen=True)
class Made:
    """What a module has become."""

    inside: Inside
    cells: Mapping[str, Cell]
    """Where each value comes from, by its name."""


@dataclass
class _Module:
    """One that is being made."""

    netlist: Netlist
    cells: Sequence[Cell]
    library: Mapping[str, Inside]
    clocks: Clocks
    name: str
    words: Words = field(init=False)
    parts: Parts = field(init=False)
    ports: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Form] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    folds: dict[str, Fold] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    origin: dict[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.words = Words(self.netlist)
        self.parts = Parts({}, {}, Names())
        self._starts = {
            bit: digit
            for net in self.netlist.nets.values()
            for bit, digit in zip(net.bits, reversed(net.init), strict=False)
            if digit in "01"
        }

    def made(self) -> Made:
        self._take_inputs()
        for cell in self.cells:
            self._declare(cell)
        for cell in self.cells:
            self.words.where = cell.where
            self._make(cell)
        outputs = self._outputs()
        self._name_nets()
        module = Module(
            self.name,
            self.inputs,
            outputs,
            self.words.lets,
            self.parts.registers,
            self.parts.memories,
            self.instances,
            self.folds,
            tuple(self.claims),
        )
        return Made(Inside(self.netlist, module, self.ports), self.origin)

    @cached_property
    def _reset_later(self) -> dict[Bits, str]:
        """The names of registers that are reset between them and the net of that name."""
        found: dict[Bits, str] = {}
        for cell in self.cells:
            title = self.words.title(cell.pins["Y"]) if cell.kind == "$mux" else None
            if title:
                found |= {cell.pins["A"]: title, cell.pins["B"]: title}
        return found

    # Ports and names.

    def _take_inputs(self) -> None:
        names, dropped = Names(), self.clocks.ports[self.netlist.name]
        for title, port in self.netlist.ports.items():
            if title in dropped:
                continue
            self.ports[title] = names.new(title)
            if port.direction == "input":
                self.words.where = self.netlist.nets[title].where
                value = self.words.declare(port.bits, self.netlist.where)
                form = Form(len(port.bits))
                self.inputs[self.ports[title]] = form
                given = self.words.let("input", form, data=(self.ports[title],))
                self.words.add(given, value)

    def _outputs(self) -> dict[str, str]:
        ports = self.netlist.ports.items()
        return {
            self.ports[title]: self.words.word(port.bits)
            for title, port in ports
            if port.direction == "output"
        }

    def _name_nets(self) -> None:
        """Have a value for each name in the Verilog."""
        dropped = {self.netlist.ports[port].bits for port in self.clocks.ports[self.netlist.name]}
        for title, net in self.netlist.nets.items():
            if not net.hidden and net.bits not in dropped:
                self.words.where = net.where
                self.words.call(net.bits, title)

    def _part_name(self, cell: Cell, bits: Bits) -> str:
        """Of a register: that of the net it drives, or of the net that it drives a part of."""
        title = self.words.title(bits) or self._reset_later.get(bits)
        if title is None:
            named = self.netlist.named(bits[0])
            title = named if not named.startswith("$") else f"{cell.kind[1:]}"
        return self.parts.names.new(title)

    # Cells.

    def _declare(self, cell: Cell) -> None:
        if cell.kind == "$mem_v2":
            width = cell.number("WIDTH")
            data = cell.pins["RD_DATA"]
            outputs = [data[low : low + width] for low in range(0, len(data), width)]
        else:
            outputs = [bits for _, bits in cell.driven()]
        for bits in outputs:
            self.origin[self.words.declare(bits, cell.where)] = cell

    def _make(self, cell: Cell) -> None:
        if cell.kind in self.library:
            self._instance(cell)
        elif cell.kind in OPERATIONS:
            made = OPERATIONS[cell.kind](cell, self.words)
            self.words.add(made, self.words.word(cell.pins["Y"]))
        elif cell.kind in FLIP_FLOPS:
            self._flip_flop(cell)
        elif cell.kind == "$mem_v2":
            memory(cell, self.words, self.parts)
        elif cell.kind in DIVISIONS:
            self._division(cell)
        elif cell.kind not in UNSEEN:
            self._claim(cell)

    def _flip_flop(self, cell: Cell) -> None:
        bits = cell.pins["Q"]
        name, start = self._part_name(cell, bits), start_of(bits, self._starts)
        after = self.words.word(cell.pins["D"])
        shown = flip_flop(cell, after, self.words, self.parts.registers, name=name, start=start)
        self.words.add(shown, self.words.word(bits))

    def _division(self, cell: Cell) -> None:
        a, b, y = (cell.pins[pin] for pin in "ABY")
        signed = bool(cell.number("A_SIGNED") and cell.number("B_SIGNED"))
        of = Division(
            self.words.word(a),
            len(a),
            self.words.word(b),
            len(b),
            signed,
            cell.kind.endswith("floor"),
        )
        name = self.parts.names.new("divide")
        quotient, rest = divided(of, self.words, self.folds, name)
        chosen = quotient if cell.kind.startswith("$div") else rest
        self.words.add(self.words.let("wrap", Form(len(y)), chosen), self.words.word(y))

    def _instance(self, cell: Cell) -> None:
        inside, name = self.library[cell.kind], self.parts.names.new(cell.name)
        inputs = {}
        for title, port in inside.ports.items():
            if inside.netlist.ports[title].direction == "input":
                inputs[port] = self.words.word(self._given(cell, title, inside))
        self.instances[name] = Instance(inside.module, inputs, where=cell.where)
        for title, bits in cell.driven():
            data = (name, inside.ports[title])
            self.words.add(
                self.words.let("port", Form(len(bits)), data=data), self.words.word(bits)
            )

    def _given(self, cell: Cell, title: str, inside: Inside) -> Bits:
        """What an input of an instance gets: 0 where it is open."""
        width = len(inside.netlist.ports[title].bits)
        given: Sequence[Bit] = cell.pins.get(title, ())
        return (*given, *["0"] * (width - len(given)))

    def _claim(self, cell: Cell) -> None:
        """What is checked at the clock's edge, or always, while it is enabled."""
        kind = _CLAIMS[cell.text("FLAVOR")]
        value, enable = cell.pins["A"][0], cell.pins["EN"][0]
        held = self.words.bit(value)
        if enable != "1" and kind == "cover":
            held = self.words.make("and", BIT, self.words.bit(enable), held)
        elif enable != "1":
            off = self.words.inverted(self.words.bit(enable))
            held = self.words.make("or", BIT, off, held)
        beside = [
            one
            for one in self.cells
            if one.kind == "$check" and one.name.startswith("$") and one.where == cell.where
        ]
        text = cell.name
        if cell in beside:
            text = cell.where if len(beside) == 1 else cell.column
        self.claims.append(Claim(kind, held, text, cell.where))


def translated(
    netlist: Netlist,
    cells: Sequence[Cell],
    library: Mapping[str, Inside],
    clocks: Clocks,
    name: str,
) -> Made:
    """A module of the IR.

    Args:
        netlist: the module.
        cells: those in it.
        library: the modules that it may have instances of.
        clocks: of the design.
        name: of the module.

    Raises:
        InputError: a net with two drivers, or a memory that the IR has no words for.
    """
    return _Module(netlist, cells, library, clocks, name).made()
