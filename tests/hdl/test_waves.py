"""Waves: a VCD holds what was simulated, as readers that know nothing of us see it."""

from __future__ import annotations

import bisect
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.hdl import designs
from zhufeng.hdl import ir
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.interpret import Run, interpret
from zhufeng.hdl.verilog import to_verilog
from zhufeng.hdl.waves import Waves, draw_waves, signals, waves_of, write_fst, write_vcd

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERIOD = 10
NESTED = """
module bit {
  input x : u1
  input n : s70
  reg held : u1 <- %x
  reg wide : s70 <- %n
  %x = input["x"] : u1
  %n = input["n"] : s70
  %held = register["held"] : u1
  %wide = register["wide"] : s70
  output held = %held
  output wide = %wide
}
module row {
  input x : u1[2]
  input n : s70[2]
  inst bits [2] : bit(x=%x, n=%n)
  %x = input["x"] : u1[2]
  %n = input["n"] : s70[2]
  %h = port["bits", "held"] : u1[2]
  %w = port["bits", "wide"] : s70[2]
  output h = %h
  output w = %w
}
module grid {
  input x : u1[3,2]
  input n : s70[3,2]
  input clk : u4
  input none : u0
  inst rows [3] : row(x=%x, n=%n)
  %x = input["x"] : u1[3,2]
  %n = input["n"] : s70[3,2]
  %clk = input["clk"] : u4
  %h = port["rows", "h"] : u1[3,2]
  %w = port["rows", "w"] : s70[3,2]
  output x = %h
  output w = %w
  output same = %clk
}
"""


def numbers(form: ir.Form, shape: tuple[int, ...], draw: np.random.Generator) -> NDArray[Any]:
    """Numbers of any width."""
    found = np.zeros(shape, object)
    for _ in range(0, form.width, 16):
        found = found * 2**16 + draw.integers(0, 2**16, shape).astype(object)
    wrapped: NDArray[Any] = np.vectorize(form.wrap, otypes=[object])(found)
    return wrapped


def simulated(
    module: ir.Module, cycles: int, lanes: int = 1, reset: list[int] | None = None
) -> tuple[dict[str, NDArray[Any]], Run]:
    draw = np.random.default_rng(11)
    inputs = {
        port: numbers(form, (cycles, lanes, *form.shape), draw)
        for port, form in module.inputs.items()
    }
    return inputs, interpret(module, inputs, reset=reset, record=signals(module))


class Dump:
    """A VCD file, read by what the standard says of it."""

    def __init__(self, path: Path) -> None:
        self.widths: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._changes: dict[str, tuple[list[int], list[int]]] = {}
        scopes: list[str] = []
        time = 0
        for line in path.read_text().splitlines():
            if match := re.fullmatch(r"\$scope \w+ (\S+) \$end", line.strip()):
                scopes.append(match[1])
            elif line.strip() == "$upscope $end":
                scopes.pop()
            elif match := re.fullmatch(
                r"\$var \w+ (\d+) (\S+) (\S+)( \[.*\])? \$end", line.strip()
            ):
                name = ".".join((*scopes, match[3]))
                assert name not in self._ids
                self._ids[name], self.widths[name] = match[2], int(match[1])
            elif match := re.fullmatch(r"#(\d+)", line):
                time = int(match[1])
            elif match := re.fullmatch(r"(?:b([01xz]+) |([01xz]))(\S+)", line):
                times, values = self._changes.setdefault(match[3], ([], []))
                times.append(time)
                digits = match[1] or match[2]
                values.append(-1 if set(digits) & set("xz") else int(digits, 2))
        self.end = time

    def at(self, name: str, time: int) -> int:
        """The bits of a signal, as a number without sign."""
        times, values = self._changes[self._ids[name]]
        return values[bisect.bisect_right(times, time) - 1]


def expected(
    module: ir.Module, inputs: Mapping[str, NDArray[Any]], run: Run, top: str
) -> dict[str, NDArray[Any]]:
    """Each port and register by its name in the dump, [cycles, lanes]."""
    found: dict[str, NDArray[Any]] = {}
    for port, values in inputs.items():
        found |= elements(f"{top}.{port}", values)
    for name, values in run.recorded.items():
        *path, last = name.split(".")
        shapes, inner = [], module
        for part in path:
            shapes.append(inner.instances[part].shape)
            inner = inner.instances[part].module
        outer = [size for shape in shapes for size in shape]
        for index in np.ndindex(*outer):
            at, scopes = list(index), [top]
            for part, shape in zip(path, shapes, strict=True):
                scopes.append(part + "".join(f"[{at.pop(0)}]" for _ in shape))
            # Names are those of the Verilog, in which `before` is a keyword.
            shown = "before_" if last == "before" else last
            found |= elements(
                ".".join((*scopes, shown)), values[(slice(None), slice(None), *index)]
            )
    return found


def legal(name: str) -> str:
    """As Verilog has it, in which one of the names here is a keyword."""
    return "before_" if name == "before" else name


def elements(name: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {
        name + "".join(f"[{n}]" for n in index): values[(slice(None), slice(None), *index)]
        for index in np.ndindex(*values.shape[2:])
    }


def test_the_file_holds_every_value_of_ports_and_registers(tmp_path: Path) -> None:
    cycles, lane = 12, 1
    for module in (designs.systolic(3), designs.elastic(3), designs.ram(), designs.crc32()):
        inputs, run = simulated(module, cycles, lanes=2)
        write_vcd(tmp_path / "x.vcd", waves_of(module, inputs, run, lane=lane))
        dump = Dump(tmp_path / "x.vcd")
        known = expected(module, inputs, run, module.name)
        assert known.keys() <= dump.widths.keys()
        for name, values in known.items():
            mask = (1 << dump.widths[name]) - 1
            for cycle in range(cycles):
                there = dump.at(name, cycle * PERIOD + 1)
                assert there == int(values[cycle, lane]) & mask, (name, cycle)
        for port, values in run.outputs.items():
            # Of an input and an output of one name, the output is called otherwise.
            called = f"{port}_out" if port in inputs else legal(port)
            for name, column in elements(f"{module.name}.{called}", values).items():
                mask = (1 << dump.widths[name]) - 1
                found = [dump.at(name, cycle * PERIOD + 1) for cycle in range(cycles)]
                assert found == [int(value) & mask for value in column[:, lane]]


@pytest.mark.parametrize("write", [write_vcd, write_fst])
def test_surfers_reader_sees_the_same(write: Callable[[Path, Waves], None], tmp_path: Path) -> None:
    pywellen = pytest.importorskip("pywellen")
    module = ir.parse_ir(NESTED)
    ir.check(module)
    inputs, run = simulated(module, 9)
    waves = waves_of(module, inputs, run)
    write(tmp_path / "waves", waves)
    read = pywellen.Waveform(str(tmp_path / "waves"))
    # It takes an array for a scope, with a signal for each element.
    seen = {re.sub(r"\.\[", "[", one.full_name): one for one in read.all_vars()}
    assert seen.keys() == {f"grid.{one.full_name}" for one in waves.signals} | {"grid.clk"}
    for one in waves.signals:
        there = seen[f"grid.{one.full_name}"]
        assert there.bitwidth == one.width
        for cycle, value in enumerate(one.values):
            bits = int(there.signal.value_at(cycle * PERIOD + 1))
            assert bits == value % (1 << one.width)
    clock = seen["grid.clk"].signal
    assert [int(clock.value_at(time)) for time in (0, 4, 5, 9, 80, 85)] == [1, 1, 0, 0, 1, 0]
    wide = run.recorded["rows.bits.wide"][:, 0, 2, 1]
    assert [int(value) for value in wide] == list(waves["rows[2].bits[1].wide"].values)
    held = {wave.full_name for wave in waves.signals if wave.held}
    assert held == {
        f"rows[{r}].bits[{b}].{name}"
        for r in range(3)
        for b in range(2)
        for name in ("held", "wide")
    }


def test_the_same_waves_give_the_same_bytes(tmp_path: Path) -> None:
    inputs, run = simulated(designs.crc32(), 40)
    for write in (write_vcd, write_fst):
        for name in ("first", "second"):
            write(tmp_path / name, waves_of(designs.crc32(), inputs, run))
        assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_clock_and_reset_are_there_as_a_viewer_expects_them(tmp_path: Path) -> None:
    reset = [1, 1, 0, 0, 1, 0]
    run = interpret(designs.enabled(), {}, cycles=6, reset=reset, record=["third", "inner.n"])
    write_vcd(tmp_path / "x.vcd", waves_of(designs.enabled(), {}, run, reset=reset))
    dump = Dump(tmp_path / "x.vcd")
    for cycle, bit in enumerate(reset):
        for offset, clock in ((0, 1), (4, 1), (5, 0), (9, 0)):
            assert dump.at("outer.clk", cycle * PERIOD + offset) == clock
            assert dump.at("outer.rst", cycle * PERIOD + offset) == bit
    assert dump.end == 6 * PERIOD, "the last cycle is seen in full"
    assert dump.at("outer.inner.n", 35) == 3
    # Without state, there is no clock.
    pair = designs.pair().ir
    inputs, run = simulated(pair, 3)
    write_vcd(tmp_path / "y.vcd", waves_of(pair, inputs, run))
    assert Dump(tmp_path / "y.vcd").widths.keys() == {
        "side_by_side.x",
        "side_by_side.y",
        "side_by_side.out",
    }


def test_the_same_waves_give_the_same_bytes_without_a_date(tmp_path: Path) -> None:
    module = designs.systolic(2)
    for name in ("a", "b"):
        inputs, run = simulated(module, 5)
        write_vcd(tmp_path / name, waves_of(module, inputs, run))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"$date" not in (tmp_path / "a").read_bytes()


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")
def test_icarus_dumps_the_same_of_the_printed_verilog(tmp_path: Path) -> None:
    module = systolic(2).ir.instances["pes"].module
    cycles, reset = 40, [1, 1, *[0] * 18, 1, *[0] * 19]
    inputs, run = simulated(module, cycles, reset=reset)
    write_vcd(tmp_path / "ours.vcd", waves_of(module, inputs, run, reset=reset))
    for name, text in to_verilog(module).files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bench.sv").write_text(bench(module, inputs, reset))
    command = ["iverilog", "-g2012", "-o", "bench", "bench.sv", "pe.sv"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True)
    ours, theirs = Dump(tmp_path / "ours.vcd"), Dump(tmp_path / "theirs.vcd")
    common = {name for name in ours.widths if f"bench.{name}" in theirs.widths}
    assert {f"pe.{name}" for name in ("clk", "rst", "a", "p_out", "p_reg", "product")} <= common
    for name in common:
        assert ours.widths[name] == theirs.widths[f"bench.{name}"]
        # Registers are known from the first reset on.
        for time in range(PERIOD, cycles * PERIOD, PERIOD // 2):
            assert ours.at(name, time + 1) == theirs.at(f"bench.{name}", time + 1), (name, time)


def bench(module: ir.Module, inputs: Mapping[str, NDArray[Any]], reset: list[int]) -> str:
    """A test bench that changes its inputs just after each rising edge."""
    ports = {"rst": (1, reset)}
    ports |= {
        port: (form.width, [int(value) % (1 << form.width) for value in inputs[port][:, 0]])
        for port, form in module.inputs.items()
    }
    lines = [f"reg [{width - 1}:0] {port};" for port, (width, _) in ports.items()]
    pins = ", ".join(f".{port}({port})" for port in ("clk", *ports))
    begin = [f"{port} = {width}'d{values[0]};" for port, (width, values) in ports.items()]
    steps = [
        f"@(posedge clk);\n{port} <= {width}'d{values[cycle]};"
        if port == "rst"
        else f"{port} <= {width}'d{values[cycle]};"
        for cycle in range(1, len(reset))
        for port, (width, values) in ports.items()
    ]
    dump = '$dumpfile("theirs.vcd"); $dumpvars(0, pe);'
    return "\n".join(
        (
            "module bench; reg clk = 1; always #5 clk = ~clk;",
            *lines,
            f"pe pe ({pins});",
            "initial begin",
            dump,
            *begin,
            *steps,
            "#10 $finish; end endmodule",
            "",
        )
    )


def test_a_drawing_has_a_line_for_a_bit_and_a_number_where_it_holds() -> None:
    first, valid, data = 1, [0, 1, 1, 0, 1, 1, 1, 1], [7, 7, 7, 8, 8, 201, 201, 8]
    waves = ports_of(valid=(1, valid), data=(8, data))
    drawn = draw_waves(waves, ["valid", "data"], first=first, alt="a <b>", caption="what came")
    assert (drawn.alt, drawn.caption) == ("a <b>", "what came")
    texts = [(one.text, float(one.get("x", 0)), one) for one in parts(drawn.svg, "text")]
    ticks = {int(text): x for text, x, _ in texts[: 9 - first] if text}
    assert list(ticks) == list(range(first, 9))

    def cycle_at(x: float) -> float:
        return first + (x - ticks[first]) / (ticks[8] - ticks[first]) * (8 - first)

    names = [text for text, _, _ in texts].index("valid")
    told = [(text, round(cycle_at(x), 2)) for text, x, _ in texts[names + 2 :]]
    # In the middle of the cycles in which it holds: 7 in 1 and 2, 8 in 3 and 4, ...
    assert told == [("7", 2), ("8", 4), ("201", 6), ("8", 7.5)]
    (line,) = [
        one for one in parts(drawn.svg, "path") if "stroke-width: 1.2" in one.get("style", "")
    ]
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", line.get("d", ""))]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    low = max(y for _, y in points)
    ups = [
        y != low
        for cycle in range(first, 8)
        for (x0, y), (x1, _) in pairwise(points)
        if round(cycle_at(x0), 2) <= cycle + 0.5 <= round(cycle_at(x1), 2)
    ]
    assert ups == [bool(bit) for bit in valid[first:]], "a one is above a zero"
    assert drawn == draw_waves(waves, ["valid", "data"], first=1, alt="a <b>", caption="what came")


def test_a_number_without_room_is_left_out_of_its_box() -> None:
    waves = ports_of(x=(32, [0x12345678] * 2 + [0xFFFFFFFF, 5, 5, 5]))
    assert "12345678" in words(draw_waves(waves, ["x"], alt="", cycles=6).svg)
    crowded = ports_of(x=(32, list(range(2**31, 2**31 + 40))))
    told = words(draw_waves(crowded, ["x"], alt="", cycles=40).svg)
    assert not [text for text in told if len(text) == 8]


def ports_of(**ports: tuple[int, list[int]]) -> Waves:
    """Inputs of a width and these values."""
    lines = [f"input {name} : u{width}" for name, (width, _) in ports.items()]
    lines += [f'%{name} = input["{name}"] : u{width}' for name, (width, _) in ports.items()]
    lines += [f"output {name} = %{name}" for name in ports]
    module = ir.parse_ir("module m {\n" + "\n".join(lines) + "\n}")
    inputs = {name: np.array(values, object)[:, None] for name, (_, values) in ports.items()}
    return waves_of(module, inputs, interpret(module, inputs))


def parts(svg: str, tag: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(svg).iter() if one.tag.endswith("}" + tag)]


def words(svg: str) -> list[str]:
    return [one.text or "" for one in parts(svg, "text")]


def test_a_name_of_no_signal_is_an_error() -> None:
    with pytest.raises(KeyError):
        draw_waves(ports_of(x=(3, [1])), ["nothing"], alt="")
