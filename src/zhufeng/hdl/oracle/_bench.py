"""Many modules in one test bench: files for any simulator of Verilog, and the outputs it writes.

The module `bench` has an instance of each case. In cycle `t` it gives them row `t` of their
stimulus, and at the clock's edge it writes their outputs to a file, a line a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Form
from zhufeng.hdl.oracle._run import OracleError
from zhufeng.hdl.verilog import Port, Verilog, to_verilog

TOP = "bench"
_OUTPUTS = "outputs.txt"


@dataclass(frozen=True)
class Case:
    """A module and what it is given."""

    module: ir.Module
    inputs: Mapping[str, Values]
    """Each input, [cycles, ...]."""


@dataclass(frozen=True)
class Bench:
    """A test bench that stands in a folder."""

    folder: Path
    cycles: int
    cases: tuple[Case, ...]
    verilog: tuple[Verilog, ...]
    """Of each case; its modules have names of their own."""

    @property
    def files(self) -> list[str]:
        """Those to compile, by name."""
        modules = (name for one in self.verilog for name in one.files if name.endswith(".sv"))
        return [*modules, f"{TOP}.sv"]

    def outputs(self) -> list[Mapping[str, Values]]:
        """What the last run has written: of each case its outputs, [cycles, ...].

        Raises:
            OracleError: a bit is X or Z.
        """
        rows = [line.split() for line in (self.folder / _OUTPUTS).read_text().splitlines()]
        assert len(rows) == self.cycles
        return [
            _outputs(verilog, case.module, [row[number] for row in rows])
            for number, (case, verilog) in enumerate(zip(self.cases, self.verilog, strict=True))
        ]


def write_bench(cases: Sequence[Case], reset: Sequence[int], folder: Path) -> Bench:
    """Write the files of a test bench.

    Args:
        cases: the modules and their inputs.
        reset: `rst` in each cycle, the same for all of them.
        folder: where the files go; simulators run there.
    """
    made = []
    for number, case in enumerate(cases):
        verilog = to_verilog(_prefixed(case.module, case_prefix(number)))
        for name, text in verilog.files.items():
            (folder / name).write_text(text)
        rows = _rows(verilog, case, reset)
        (folder / _stimulus(number)).write_text("".join(f"{row:x}\n" for row in rows))
        made.append(verilog)
    (folder / f"{TOP}.sv").write_text("\n".join((*_text(made, len(reset)), "")))
    return Bench(folder, len(reset), tuple(cases), tuple(made))


def case_prefix(number: int) -> str:
    """With what the modules of a case are called."""
    return f"c{number}_"


def _prefixed(module: ir.Module, prefix: str) -> ir.Module:
    """The same module with other names for it and all inside it; what is shared stays shared."""
    return ir.rebuilt(module, lambda one: replace(one, name=prefix + one.name))


def _stimulus(number: int) -> str:
    return f"stimulus{number}.hex"


def _bits(port: Port) -> int:
    return port.form.width * port.form.size


def _directed(verilog: Verilog, direction: str) -> list[tuple[Port, int]]:
    """The inputs or outputs, each with the place of its lowest bit in the row of a cycle."""
    found, place = [], 1 if direction == "input" else 0
    for port in verilog.ports:
        if port.direction == direction:
            found.append((port, place))
            place += _bits(port)
    return found


def _width(verilog: Verilog, direction: str) -> int:
    return max((place + _bits(port) for port, place in _directed(verilog, direction)), default=1)


def _rows(verilog: Verilog, case: Case, reset: Sequence[int]) -> list[int]:
    """The inputs of each cycle as one number; its bit 0 is `rst`."""
    rows = [int(bit) for bit in reset]
    for port, place in _directed(verilog, "input"):
        for cycle in range(len(rows)):
            rows[cycle] |= _packed(case.inputs[port.port][cycle], port.form) << place
    return rows


def _outputs(verilog: Verilog, module: ir.Module, rows: Sequence[str]) -> dict[str, Values]:
    """Of the bits of each cycle."""
    forms = {port: module.form(value) for port, value in module.outputs.items()}
    found: dict[str, Values] = {
        port: np.zeros((len(rows), *form.shape), np.int64)
        for port, form in forms.items()
        if not form.width
    }
    for port, place in _directed(verilog, "output"):
        bits = _bits(port)
        parts = [row[len(row) - place - bits : len(row) - place] for row in rows]
        if not set("".join(parts)) <= {"0", "1"}:
            raise OracleError(f"output {port.port} of {module.name} is {', '.join(parts)}")
        found[port.port] = np.stack([_unpacked(part, port.form) for part in parts])
    return {port: found[port] for port in module.outputs}


def _packed(values: Values, form: Form) -> int:
    """An array as one number, element 0 lowest."""
    mask, found = (1 << form.width) - 1, 0
    for place, value in enumerate(np.asarray(values, object).reshape(-1)):
        found |= (int(value) & mask) << (place * form.width)
    return found


def _unpacked(bits: str, form: Form) -> Values:
    """The array of such a number's digits."""
    elements = np.empty(form.size, object)
    for place in range(form.size):
        end = len(bits) - place * form.width
        elements[place] = form.wrap(int(bits[end - form.width : end], 2))
    return elements.reshape(form.shape)


def _text(made: Sequence[Verilog], cycles: int) -> Iterator[str]:
    """The bench. It has no delays of its own: whoever drives `clk` and `t` keeps the time."""
    yield f"module {TOP} (input logic clk, input logic [31:0] t);"
    yield "integer file;"
    yield f'initial file = $fopen("{_OUTPUTS}", "w");'
    for number, verilog in enumerate(made):
        held, given, got = f"stimulus{number}", f"in{number}", f"out{number}"
        wide = _width(verilog, "input")
        yield f"logic [{wide - 1}:0] {held} [0:{cycles - 1}];"
        yield f'initial $readmemh("{_stimulus(number)}", {held});'
        yield f"wire [{wide - 1}:0] {given} = {held}[t];"
        yield f"wire [{_width(verilog, 'output') - 1}:0] {got};"
        pins = [".clk(clk)", f".rst({given}[0])"] if verilog.clocked else []
        for port, place in _directed(verilog, "input"):
            pins.append(f".{port.name}({given}[{place} +: {_bits(port)}])")
        for port, place in _directed(verilog, "output"):
            pins.append(f".{port.name}({got}[{place} +: {_bits(port)}])")
        yield f"{verilog.top} {case_prefix(number)} ({', '.join(pins)});"
    yield "always @(posedge clk) begin"
    yield from (f'$fwrite(file, "%b ", out{number});' for number in range(len(made)))
    yield '$fwrite(file, "\\n");'
    yield "end"
    yield "endmodule"
