"""Verilog of others in Icarus, cycle by cycle, and beside it what is read of it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Values, interpret
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.reader import from_verilog

HAS_ICARUS = shutil.which("iverilog") is not None and shutil.which("vvp") is not None
NEEDS_ICARUS = pytest.mark.skipif(not HAS_ICARUS, reason="needs Icarus")

Bits = list[str]
"""The digits of an output in each cycle, highest first; x where they are not known."""


@dataclass(frozen=True)
class Design:
    """Verilog in one file, and how it is run."""

    text: str
    top: str = "top"
    clock: str | None = "clk"
    """The port; None where nothing is clocked."""
    rising: bool = True
    parameters: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Other files, which stand beside it."""

    def write(self, folder: Path) -> Path:
        """Put the files into a folder."""
        for name, text in self.headers.items():
            (folder / name).write_text(text)
        path = folder / "design.v"
        path.write_text(self.text)
        return path

    def read(self, folder: Path) -> ir.Module:
        """As a module of the IR."""
        return from_verilog(self.write(folder), self.top, self.parameters)


def drawn(module: ir.Module, seed: int, cycles: int) -> dict[str, Values]:
    """Inputs at random, [cycles]: any number, one of the ends now and then."""
    draw = np.random.default_rng(seed)
    found: dict[str, Values] = {}
    for port, form in module.inputs.items():
        rows = [
            int.from_bytes(draw.bytes(-(-form.width // 8)), "little") & form.high
            for _ in range(cycles)
        ]
        ends = draw.integers(8, size=cycles)
        chosen = [{0: 0, 1: form.high}.get(int(e), row) for e, row in zip(ends, rows, strict=True)]
        found[port] = np.array(chosen, object)
    return found


def in_icarus(
    design: Design, module: ir.Module, inputs: Mapping[str, Values], folder: Path
) -> dict[str, Bits]:
    """What Icarus gives for the Verilog itself."""
    path = design.write(folder)
    cycles = len(next(iter(inputs.values())))
    (folder / "bench.v").write_text("\n".join(_bench(design, module, cycles)))
    rows = [0] * cycles
    for port, place in _places(module):
        for cycle in range(cycles):
            rows[cycle] |= int(inputs[port][cycle]) << place
    (folder / "rows.hex").write_text("".join(f"{row:x}\n" for row in rows))
    command = ("iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", path.name)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    done = subprocess.run(
        ("vvp", "-n", "bench.vvp"), cwd=folder, check=True, capture_output=True, text=True
    )
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("row")]
    assert len(lines) == cycles, done.stdout
    return {port: [line[n] for line in lines] for n, port in enumerate(module.outputs)}


def _places(module: ir.Module) -> Iterator[tuple[str, int]]:
    place = 0
    for port, form in module.inputs.items():
        yield port, place
        place += form.width


def _bench(design: Design, module: ir.Module, cycles: int) -> Iterator[str]:
    width = max(1, sum(form.width for form in module.inputs.values()))
    before, edge = ("0", "1") if design.rising else ("1", "0")
    yield "module bench;"
    yield f"reg clock = {before}; integer t;"
    yield f"reg [{width - 1}:0] rows [0:{cycles - 1}]; reg [{width - 1}:0] row;"
    # An input that nothing takes for a clock stays one.
    clocked = design.clock is not None and design.clock not in module.inputs
    pins = [f".{design.clock}(clock)"] if clocked else []
    for port, place in _places(module):
        pins.append(f".{port}(row[{place} +: {module.inputs[port].width}])")
    for port, value in module.outputs.items():
        yield f"wire [{module.form(value).width - 1}:0] o_{port};"
        pins.append(f".{port}(o_{port})")
    given = ", ".join(f".{name}({value})" for name, value in design.parameters.items())
    yield f"{design.top} #({given}) dut ({', '.join(pins)});"
    yield 'initial begin $readmemh("rows.hex", rows);'
    yield f"for (t = 0; t < {cycles}; t = t + 1) begin row = rows[t]; #1 $display("
    yield f'"row{" %b" * len(module.outputs)}"{"".join(f", o_{port}" for port in module.outputs)});'
    yield f"clock = {edge}; #1 clock = {before}; end"
    yield "$finish; end endmodule\n"


def given(module: ir.Module, inputs: Mapping[str, Values], **more: Any) -> dict[str, Bits]:
    """What the interpreter gives, as digits."""
    lanes = {port: values[:, None] for port, values in inputs.items()}
    outputs = interpret(module, lanes, **more).outputs
    return {
        port: [f"{int(one):0{module.form(module.outputs[port]).width}b}" for one in values[:, 0]]
        for port, values in outputs.items()
    }


def differences(ours: Mapping[str, Bits], theirs: Mapping[str, Bits]) -> list[str]:
    """Where digits differ that are known."""
    return [
        f"{port} in cycle {cycle}: {here}, not {there}"
        for port, values in ours.items()
        for cycle, (here, there) in enumerate(zip(values, theirs[port], strict=True))
        if any(b in "01" and a != b for a, b in zip(here, there, strict=True))
    ]


def known(theirs: Mapping[str, Bits]) -> float:
    """The share of digits that are known."""
    digits = "".join("".join(values) for values in theirs.values())
    return sum(digit in "01" for digit in digits) / len(digits)


def disagreements(
    design: Design, seed: int = 1, cycles: int = 60, *, least: float = 0.5
) -> list[str]:
    """Where what is read, as it is or simplified, does otherwise than Icarus with the Verilog.

    At `least` such a share of Icarus's digits must be known.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        module = design.read(folder)
        inputs = drawn(module, seed, cycles)
        theirs = in_icarus(design, module, inputs, folder)
    assert known(theirs) >= least, theirs
    simple = simplify(module)
    ir.check(simple)
    more = {} if inputs else {"cycles": cycles}
    found = differences(given(module, inputs, **more), theirs)
    return found + [
        f"simplified: {one}" for one in differences(given(simple, inputs, **more), theirs)
    ]
