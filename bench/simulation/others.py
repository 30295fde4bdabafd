"""What else simulates, with a single stimulus: CXXRTL, Icarus Verilog and Amaranth's simulator.

Each is checked by its checksums. CXXRTL has the driver of Verilator; the interpreters are given the
inputs beforehand, and a run of one cycle is taken off.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from simulation.cpu_time import children_s
from simulation.design import Design
from simulation.driver import driver
from simulation.stimulus import SUM_BITS, Sums, Words, checksums, inputs_of
from simulation.verilator_rival import OPTIMISED, Source, compiler, verilog_of
from zhufeng.hdl import Type

Found = tuple[float, Sums]
"""Cycles a second of CPU time, and the checksums, [elements]."""
_PATIENCE_S = 120
_YOSYS = """
from sys import argv
from pyosys import libyosys
design = libyosys.Design()
libyosys.Pass.call(design, ["read_verilog", "-sv", *argv[2:]])
libyosys.Pass.call(design, ["hierarchy", "-top", argv[1]])
libyosys.Pass.call(design, ["write_cxxrtl", "design.cpp"])
"""
_BENCH = """module bench;
  reg clk = 0, rst = 1;
  reg [{width}-1:0] every [0:{cycles}-1];
  reg [{width}-1:0] now;
  wire [{sums}-1:0] out;
  reg [{sums}-1:0] sums = 0;
  integer cycle, k;
  {top} dut (.clk(clk), .rst(rst), {ports});
{ties}
  initial begin
    $readmemh("inputs.hex", every);
    now = 0;
    repeat (2) begin #1 clk = 1; #1 clk = 0; end
    rst = 0;
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      now = every[cycle];
      #1;
      for (k = 0; k < {sums}; k = k + 32)
        sums[k+:32] = {{sums[k+:31], sums[k+31]}} ^ out[k+:32];
      clk = 1;
      #1 clk = 0;
    end
    $display("%h", sums);
    $finish;
  end
endmodule
"""


def _printed_if_ours(design: Design, folder: Path) -> tuple[list[Path], str]:
    """Ports as packed arrays, which all can read."""
    source: Source = "hand-written" if design.traced is None else "printed"
    return verilog_of(design, source, folder)


def cxxrtl(design: Design, seeds: Words, cycles: int, folder: Path) -> Found | str:
    """Yosys's simulator, built with clang; or why it cannot be run.

    Args:
        design: which.
        seeds: of the generators, [generators].
        cycles: how many.
        folder: an empty one.
    """
    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        return "pyosys is not installed"
    runtime = Path(spec.origin).parent / "share/include/backends/cxxrtl/runtime"
    if not runtime.exists():
        return "pyosys has no headers of CXXRTL"
    files, top = _printed_if_ours(design, folder)
    command = (sys.executable, "-c", _YOSYS, top, *map(str, files))
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    text = '#include "design.cpp"\n' + driver(design, top, "CXXRTL")
    (folder / "main.cpp").write_text(text)
    flags = (*OPTIMISED, "-std=gnu++20", "-w", f"-I{runtime}")
    if not _in_time((*compiler(), *flags, "main.cpp", "-o", "simulator"), folder):
        return f"not built within {_PATIENCE_S} s"
    seeds.tofile(folder / "seeds")
    said = subprocess.run(
        (folder / "simulator", "seeds", str(cycles)),
        cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    sums, seconds = said.splitlines()
    return cycles / float(seconds), np.array([int(one, 16) for one in sums.split()], np.uint32)


def _in_time(command: Sequence[str], folder: Path) -> bool:
    # In a group of its own: the compiler starts others.
    with subprocess.Popen(command, cwd=folder, start_new_session=True) as process:
        try:
            code = process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False
    if code:
        raise subprocess.CalledProcessError(code, command)
    return True


def icarus(design: Design, seeds: Words, cycles: int, folder: Path) -> Found | str:
    """Icarus Verilog; or why it cannot be run. As `cxxrtl`."""
    if not shutil.which("iverilog") or not shutil.which("vvp"):
        return "Icarus Verilog is not installed"
    files, top = _printed_if_ours(design, folder)
    _write_inputs(design, seeds, cycles, folder / "inputs.hex")
    base_s, _ = _icarus(design, files, top, 1, folder)
    spent_s, sums = _icarus(design, files, top, cycles, folder)
    return (cycles - 1) / (spent_s - base_s), sums


def _icarus(
    design: Design, files: list[Path], top: str, cycles: int, folder: Path
) -> tuple[float, Sums]:
    (folder / "bench.sv").write_text(_bench(design, top, cycles))
    command = ("iverilog", "-g2012", "-gno-assertions", "-s", "bench", "-o", "bench.vvp")
    subprocess.run((*command, *files, "bench.sv"), cwd=folder, check=True)
    before = children_s()
    said = subprocess.run(
        ("vvp", "-n", "bench.vvp"), cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    spent = children_s() - before
    digits = said.split()[-1]
    words = [int(digits[k : k + 8], 16) for k in range(0, len(digits), 8)]
    return spent, np.array(words[::-1], np.uint32)


def _bench(design: Design, top: str, cycles: int) -> str:
    ports, ties, low = [], [], 0
    for drive in design.drives:
        bits = drive.kind.width * drive.count
        ports.append(f".{drive.port}(now[{low}+:{bits}])")
        low += bits
    width, low = low, 0
    for port, kind in design.outputs.items():
        # An element of an array is as wide as a sum.
        bits = _bits(kind)
        ports.append(f".{port}(out[{low}+:{bits}])")
        low += SUM_BITS * kind.form.size
        if spare := SUM_BITS * kind.form.size - bits:
            ties.append(f"  assign out[{low - spare}+:{spare}] = 0;")
    return _BENCH.format(
        width=width, sums=low, cycles=cycles, top=top, ports=", ".join(ports), ties="\n".join(ties)
    )


def _bits(kind: Type) -> int:
    assert not kind.shape or kind.width == SUM_BITS
    return kind.width * kind.form.size


def _write_inputs(design: Design, seeds: Words, cycles: int, target: Path) -> None:
    inputs = inputs_of(design.drives, seeds[None], cycles)
    with target.open("w") as file:
        for cycle in range(cycles):
            word, low = 0, 0
            for drive in design.drives:
                mask = (1 << drive.kind.width) - 1
                for value in inputs[drive.port][cycle].reshape(-1).tolist():
                    word |= (value & mask) << low
                    low += drive.kind.width
            file.write(f"{word:x}\n")


def amaranth(design: Design, seeds: Words, cycles: int) -> Found | str:
    """Amaranth's simulator on the systolic array; or why it cannot be run. As `cxxrtl`."""
    if importlib.util.find_spec("amaranth") is None:
        return "Amaranth is not installed"
    if design.top != "sa":
        return "not written in Amaranth"
    from simulation.amaranth_array import run  # noqa: PLC0415 (where it is installed)

    inputs = inputs_of(design.drives, seeds[None], cycles)
    some = {port: values[:, 0].tolist() for port, values in inputs.items()}
    n = design.outputs["out"].form.size
    rows: list[list[int]] = []
    begin = time.process_time()
    rows.extend(run(n, {port: values[:1] for port, values in some.items()}))
    base = time.process_time()
    rows = list(run(n, some))
    spent = time.process_time() - base - (base - begin)
    return (cycles - 1) / spent, checksums({"out": np.array(rows)[:, None]})[0]


def every(
    design: Design, seeds: Words, cycles: int, few: int, folder: Path
) -> Iterator[tuple[str, int, Found | str]]:
    """Each by its name, how many cycles it ran, and what came out.

    Args:
        design: which.
        seeds: of the generators, [generators].
        cycles: of what is compiled.
        few: of interpreters.
        folder: an empty one.
    """
    for name, run, count in (("CXXRTL", cxxrtl, cycles), ("Icarus Verilog", icarus, few)):
        own = folder / name.partition(" ")[0]
        own.mkdir()
        yield name, count, run(design, seeds, count, own)
    yield "Amaranth", few, amaranth(design, seeds, few)
