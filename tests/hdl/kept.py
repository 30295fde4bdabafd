"""Programs on which something once disagreed: shrunk, and run by the tests for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.hdl.agreement import FEW_GUESSES, Oracle, disagreements
from tests.hdl.programs import Program
from tests.hdl.shrinking import shrink
from zhufeng.hdl import ir

FOLDER = Path(__file__).parent / "kept"


def kept(folder: Path = FOLDER) -> dict[str, Program]:
    """All of them, by the names of their files: a line ``stimulus SEED``, then the IR."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.ir"))}


def _read(path: Path) -> Program:
    first, _, text = path.read_text(encoding="utf-8").partition("\n")
    return Program(ir.parse_ir(text), int(first.removeprefix("stimulus ")))


def keep(program: Program, others: Mapping[str, Oracle], name: str, folder: Path = FOLDER) -> Path:
    """Shrink a program on which something disagrees, and write its file.

    Args:
        program: the program.
        others: what disagrees, by name.
        name: of the file.
        folder: where it goes.
    """

    def failing(modules: Sequence[ir.Module]) -> list[bool]:
        programs = [Program(module, program.seed) for module in modules]
        return [bool(told) for told in disagreements(programs, others, guesses=FEW_GUESSES)]

    # A build takes long, however little is in it.
    least = shrink(program.module, failing, batch=24 if "verilator" in others else 1)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ir"
    path.write_text(f"stimulus {program.seed}\n{ir.print_ir(least)}", encoding="utf-8")
    return path
