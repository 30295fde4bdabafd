"""Our simulator on a design: between its stimulus and its checksum, or with arrays of NumPy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulation.cpu_time import children_s
from simulation.design import Design
from simulation.stimulus import (
    Sums,
    Words,
    checksum_module,
    checksums,
    inputs_of,
    stimulus_module,
)
from zhufeng.hdl.compile import Simulator, State, compile, harness  # noqa: A004
from zhufeng.hdl.ir import Module
from zhufeng.hdl.reader import from_verilog

_BENCH = Path(__file__).parents[1]


@dataclass(frozen=True)
class Compiled:
    """What it took, CPU seconds of a new process that finds nothing compiled before."""

    lanes: int
    read_s: float
    """To read Verilog, where there is no other source."""
    compile_s: float
    """From the IR to code that can be called."""
    process_s: float
    """Of the whole process: Python, its imports and the trace of the design too."""

    @property
    def build_s(self) -> float:
        """What Verilator's build is to be compared with."""
        return self.read_s + self.compile_s


def module_of(design: Design) -> Module:
    """Its IR; read from its Verilog where there is no other source."""
    if design.traced is not None:
        return design.traced.ir
    return from_verilog([str(path) for path in design.files], design.top)


def harnessed(design: Design, module: Module) -> Module:
    """The module of a design between its stimulus and its checksum."""
    stimulus, checksum = stimulus_module(design.drives), checksum_module(design.outputs)
    return harness(module, stimulus.ir, checksum.ir)


def time_to_compile(design: Design, lanes: int | None) -> Compiled:
    """Compile in a new process with an empty cache; without lanes, with a trial of how many."""
    with tempfile.TemporaryDirectory() as cache:
        before = children_s()
        command = (sys.executable, "-m", "simulation.compile_time", design.name, str(lanes))
        known = {**os.environ, "ZHUFENG_CACHE": cache}
        said = subprocess.run(command, cwd=_BENCH, env=known, stdout=subprocess.PIPE, check=True)
        told = json.loads(said.stdout)
        return Compiled(**told, process_s=children_s() - before)


class Ours:
    """Simulations of a design side by side, its stimulus and its checksum compiled with it."""

    def __init__(self, design: Design, lanes: int | None, seeds: Words) -> None:
        """Compile.

        Args:
            design: which.
            lanes: how many; without it, a trial tells.
            seeds: of the generators, [at least as many lanes, generators].
        """
        self._simulator = compile(harnessed(design, module_of(design)), lanes)
        self.lanes = self._simulator.lanes
        self.seeds = seeds[: self.lanes]
        self._begin = self._simulator.run(
            self._inputs(start=0, rst=1), 1, reset=[1], outputs=(), last=True
        ).end
        self.sums: Sums = np.zeros(0, np.uint32)
        """Of the last run, [lanes, elements]."""

    def cpu_s(self, cycles: int) -> float:
        """Run so many cycles from the start; the CPU seconds of all but the first."""
        first = self._simulator.run(
            self._inputs(start=1), 1, outputs=(), last=True, start=self._begin
        )
        inputs = self._inputs(start=0)
        begin = time.process_time()
        run = self._simulator.run(inputs, cycles - 1, outputs=("out",), last=True, start=first.end)
        spent = time.process_time() - begin
        self.sums = run.outputs["out"][0].astype(np.uint32)
        return spent

    def _inputs(self, start: int, rst: int = 0) -> dict[str, NDArray[np.int64]]:
        """Of one cycle."""
        every = {
            "start": np.full((1, self.lanes), start),
            "seed": self.seeds[None].astype(np.int64),
            "rst": np.full((1, self.lanes), rst),
        }
        return {port: every[port] for port in self._simulator.module.inputs}


class WithArrays:
    """Simulations of a design whose inputs and outputs are arrays of NumPy."""

    def __init__(self, design: Design, seeds: Words) -> None:
        """Compile.

        Args:
            design: which.
            seeds: of the generators, [lanes, generators].
        """
        module = module_of(design)
        self._design, self._seeds = design, seeds
        self._simulator: Simulator = compile(module, len(seeds))
        zeros = {port: np.zeros((1, len(seeds), *form.shape), np.int64)
                 for port, form in module.inputs.items()}  # fmt: skip
        self._rst = {"rst": zeros["rst"]} if "rst" in zeros else {}
        held = {port: one + 1 for port, one in self._rst.items()}
        self._begin: State = self._simulator.run({**zeros, **held}, reset=[1], outputs=()).end

    def cpu_s(self, cycles: int) -> tuple[float, Sums]:
        """Run so many cycles; their CPU seconds, and the checksums of what came out."""
        inputs = inputs_of(self._design.drives, self._seeds, cycles)
        whole = {**inputs, **{port: one.repeat(cycles, 0) for port, one in self._rst.items()}}
        begin = time.process_time()
        run = self._simulator.run(whole, start=self._begin)
        spent = time.process_time() - begin
        return spent, checksums({port: run.outputs[port] for port in self._design.outputs})
