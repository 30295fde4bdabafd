"""From files to a module of the IR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zhufeng.base import InputError
from zhufeng.hdl import ir
from zhufeng.hdl.reader._builder import Names
from zhufeng.hdl.reader._cells import pieces, splits
from zhufeng.hdl.reader._clocks import Clocks, clocks
from zhufeng.hdl.reader._cycles import in_cycles
from zhufeng.hdl.reader._groups import grouped
from zhufeng.hdl.reader._module import Inside, Made, translated
from zhufeng.hdl.reader._netlist import Design, Netlist
from zhufeng.hdl.reader._refusals import refuse
from zhufeng.hdl.reader._yosys import Parameter, elaborated


def from_verilog(
    files: Sequence[str | Path] | str | Path,
    top: str,
    parameters: Mapping[str, Parameter] | None = None,
) -> ir.Module:
    """Read a design in Verilog or SystemVerilog into the IR.

    Yosys elaborates it (https://yosyshq.net); `SYNTHESIS` and `YOSYS` are defined. What comes out
    is two-valued: an x in a constant, and what nothing drives, is 0, and division by 0 gives 0.
    The hierarchy stays, unless only without it no value follows from itself; of instances of one
    module that are wired regularly, such as those of a generate loop, one array is made (element
    [2, 5] of ``row_col_u`` is ``row[2].col[5].u``). The one clock is no input any more; a reset is
    an ordinary input. An asynchronous reset shows in the cycle in which it is given: exact where
    resets change with the clock. A register starts with what the Verilog sets it to in
    its declaration or an ``initial`` block, and with anything where there is none.
    What is printed (``$display``) is left out; immediate assertions become claims.

    Args:
        files: the Verilog files, each with what it needs before it; ``include`` looks beside the
            file and in the current folder.
        top: the module to read, with what is inside it.
        parameters: of the top, by name: whole numbers or text.

    Returns:
        The top. Ports and values are unsigned and have the names of the Verilog, as far as those
        are names of the IR: other characters become ``_``.

    Raises:
        InputError: the files cannot be read, or hold what has no place in the IR: several clocks,
            both edges of one, a clock made by logic, latches, values that follow from themselves,
            high impedance, black boxes.
        MissingExtraError: without the extra ``hdl``.
    """
    paths = _paths(files)
    given = _given(parameters or {}, top)
    try:
        return _read(elaborated(paths, top, given, flat=False))
    except ir.CycleError as error:
        if not error.module.instances:
            raise _loop(error) from None
    # It may be one only because the IR takes a port for one value, whichever of its bits.
    try:
        return _read(elaborated(paths, top, given, flat=True))
    except ir.CycleError as error:
        raise _loop(error) from None


def _paths(files: Sequence[str | Path] | str | Path) -> list[Path]:
    paths = [Path(files)] if isinstance(files, str | Path) else list(map(Path, files))
    if not paths:
        raise InputError(
            "the Verilog files",
            expected="one or more",
            came="none",
            do="name the files that the design stands in",
        )
    for path in paths:
        if not path.is_file():
            raise InputError(
                str(path),
                expected="a Verilog file",
                came="a folder" if path.is_dir() else "no file of that name",
                do="name the files that the design stands in",
            )
    return paths


def _given(parameters: Mapping[str, object], top: str) -> Mapping[str, Parameter]:
    given: dict[str, Parameter] = {}
    for name, value in parameters.items():
        if not isinstance(value, int | str):
            raise InputError(
                f"parameter {name} of module {top}",
                expected="a whole number or text",
                came=repr(value),
                do="give a number that stands for it",
            )
        given[name] = value
    return given


def _read(design: Design) -> ir.Module:
    refuse(design)
    reader = _Reader(design, clocks(design), {}, Names())
    for netlist in design.modules.values():
        reader.add(netlist)
    top = reader.library[design.top].module
    ir.check(top)
    return top


@dataclass(frozen=True)
class _Reader:
    """Makes one module after another."""

    design: Design
    clocks: Clocks
    library: dict[str, Inside]
    names: Names

    def add(self, netlist: Netlist) -> None:
        """Make a module of one whose instances are made.

        Raises:
            CycleError: a value follows from itself.
        """
        name, cells = self.names.new(netlist.title), list(netlist.cells)
        while True:
            made = translated(netlist, cells, self.library, self.clocks, name)
            ir.check(made.inside.module)
            try:
                ir.port_graph(made.inside.module)
            except ir.CycleError:
                in_the_way = _wide(made)
                if not in_the_way:
                    raise
                cells = [
                    one
                    for cell in cells
                    for one in (pieces(cell) if cell.name in in_the_way else (cell,))
                ]
            else:
                module = grouped(made.inside.module)
                self.library[netlist.name] = replace(made.inside, module=module)
                return


def _wide(made: Made) -> set[str]:
    """The operations on words in cycles, whose bits may each be in none."""
    looped = in_cycles(made.inside.module)
    return {cell.name for value, cell in made.cells.items() if value in looped and splits(cell)}


def _loop(error: ir.CycleError) -> InputError:
    return InputError(
        f"a combinational loop in {error.module.name}",
        expected="values that follow from inputs and registers",
        came=" <- ".join(error.path),
        do="put a register on the way round; an asynchronous reset must not follow from what it "
        "resets",
    )
