"""What the ports of a design are called in its Verilog, the clock among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhufeng.hdl.reader._builder import Names
from zhufeng.hdl.reader._clocks import clocks
from zhufeng.hdl.reader._netlist import Cell
from zhufeng.hdl.reader._yosys import elaborated


@dataclass(frozen=True)
class Pins:
    """The ports of a top module."""

    clocks: tuple[str, ...]
    """Those that are the clock: none where nothing is clocked."""
    rising: bool
    """Whether things change at its rising edge."""
    titles: Mapping[str, str]
    """The others, by their names in the IR."""


def pins_of(files: Sequence[Path], top: str, parameters: Mapping[str, int | str]) -> Pins:
    """Find them again, of what the reader has read.

    Raises:
        InputError: as of `zhufeng.hdl.reader.from_verilog`.
    """
    design = elaborated(files, top, parameters, flat=False)
    known = clocks(design).ports[design.top]
    names = Names()
    titles = {names.new(one): one for one in design.modules[design.top].ports if one not in known}
    rising = all(one for module in design.modules.values() for one in _rising(module.cells))
    return Pins(tuple(sorted(known)), rising, titles)


def _rising(cells: Sequence[Cell]) -> Iterator[bool]:
    for cell in cells:
        if cell.kind == "$mem_v2":
            for side in ("RD", "WR"):
                clocked = cell.number(f"{side}_CLK_ENABLE")
                if clocked:
                    yield bool(cell.number(f"{side}_CLK_POLARITY") & clocked)
        elif cell.kind.startswith("$") and "CLK" in cell.pins:
            yield cell.number("CLK_POLARITY") == 1
