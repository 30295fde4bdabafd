"""What the IR has no words for, refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from zhufeng.base import InputError
from zhufeng.hdl.reader._cells import DIVISIONS, OPERATIONS
from zhufeng.hdl.reader._module import CLAIMS, UNSEEN
from zhufeng.hdl.reader._netlist import Cell, Design, Netlist
from zhufeng.hdl.reader._state import FLIP_FLOPS, LATCHES
from zhufeng.hdl.reader._yosys import latch

_KNOWN: Final = frozenset(OPERATIONS) | DIVISIONS | FLIP_FLOPS | UNSEEN | {"$mem_v2", "$check"}


def refuse(design: Design) -> None:
    """Refuse black boxes, ports both ways, high impedance, latches, and cells of other kinds.

    Raises:
        InputError: the design has one.
    """
    for module in design.modules.values():
        for title, port in module.ports.items():
            if port.direction == "inout":
                raise InputError(
                    f"port {title} of {module.title} ({module.where})",
                    expected="an input or an output",
                    came="an inout",
                    do="make an input, an output and an enable of it",
                )
        for cell in module.cells:
            _refuse_cell(design, module, cell)
        for what, where in _floating(module):
            raise InputError(
                f"{what} in {module.title} ({where})",
                expected="0 or 1",
                came="z: it is driven at times only",
                do="choose between drivers with a condition; values here have no z",
            )


def _refuse_cell(design: Design, module: Netlist, cell: Cell) -> None:
    place = f"{module.title} ({cell.where})"
    if cell.kind in design.modules:
        inside = design.modules[cell.kind]
        if inside.blackbox and any(one.direction == "output" for one in inside.ports.values()):
            raise InputError(
                f"instance {cell.name} in {place}",
                expected="a module with something in it",
                came=f"{inside.title}, which is empty: a black box",
                do="add a file with a model of it",
            )
    elif cell.kind in LATCHES:
        raise latch(module.named(cell.pins["Q"][0]).partition("[")[0], place)
    elif cell.kind not in _KNOWN:
        raise InputError(
            f"{cell.name.lstrip('$')} in {place}",
            expected="operations, flip-flops, memories and instances",
            came=f"{cell.kind}, of which no value is made",
            do="write it with other operations; a power with products",
        )
    elif cell.kind == "$check" and cell.text("FLAVOR") not in CLAIMS:
        raise InputError(
            f"a claim in {place}",
            expected="assert, assume or cover of what is true now",
            came=f"one of what comes later: {cell.text('FLAVOR')}",
            do="count cycles in a register, and assert that it stays below a number",
        )


def _floating(module: Netlist) -> Iterator[tuple[str, str]]:
    """What reads z, and where."""
    for cell in module.cells:
        for pin, bits in cell.pins.items():
            if "z" in bits:
                made = next((made for _, made in cell.driven()), ())
                yield module.named(made[0]) if made else f"{cell.name}.{pin}", cell.where
    for title, port in module.ports.items():
        if "z" in port.bits:
            yield title, module.nets[title].where
