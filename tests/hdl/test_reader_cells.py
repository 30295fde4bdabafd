"""Every operation of Yosys: as its own models of them (``simlib.v``) say, run in Icarus."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.hdl.verilog_bench import NEEDS_ICARUS, Design, differences, drawn, given, in_icarus
from zhufeng.hdl import ir
from zhufeng.hdl.reader._cells import DIVISIONS, OPERATIONS
from zhufeng.hdl.reader._clocks import Clocks
from zhufeng.hdl.reader._module import translated
from zhufeng.hdl.reader._netlist import Bits, Cell, Net, Netlist, Port

pytest.importorskip("pyosys")

_ONE = ("$not", "$pos", "$neg", "$logic_not", *(f"$reduce_{op}" for op in ("and", "or", "xor")))
_ONE_MORE = ("$reduce_xnor", "$reduce_bool")
_SHIFTS = ("$shl", "$sshl", "$shr", "$sshr", "$shift", "$shiftx")
_TWO = (
    *("$and", "$or", "$xor", "$xnor", "$add", "$sub", "$mul", "$logic_and", "$logic_or"),
    *("$lt", "$le", "$gt", "$ge", "$eq", "$ne", "$eqx", "$nex"),
    *DIVISIONS,
)
_CASES = 6
"""Of each kind, in different widths."""


@dataclass(frozen=True)
class Shape:
    """A cell: the widths of its pins, and its parameters."""

    kind: str
    pins: dict[str, int]
    parameters: dict[str, int]


def _shapes(draw: random.Random) -> Iterator[Shape]:
    for _ in range(_CASES):
        a, b, y = (draw.choice((1, 2, 3, 5, 8, 9)) for _ in range(3))
        width, select = draw.randint(1, 5), draw.randint(1, 3)
        signed = draw.randrange(2)
        wide = {"A_WIDTH": a, "Y_WIDTH": y, "A_SIGNED": signed}
        for kind in (*_ONE, *_ONE_MORE):
            yield Shape(kind, {"A": a, "Y": y}, wide)
        for kind in _TWO:
            more = {"B_WIDTH": b, "B_SIGNED": signed}
            yield Shape(kind, {"A": a, "B": b, "Y": y}, wide | more)
        for kind in _SHIFTS:
            signs = {"A_SIGNED": signed * (kind != "$shiftx"), "B_SIGNED": draw.randrange(2)}
            # Of a plain shift, the amount has no sign.
            signs["B_SIGNED"] *= kind in ("$shift", "$shiftx")
            yield Shape(kind, {"A": a, "B": b, "Y": y}, wide | {"B_WIDTH": b} | signs)
        same = {"A": width, "B": width, "Y": width}
        by = {"WIDTH": width}
        yield Shape("$mux", same | {"S": 1}, by)
        yield Shape("$bwmux", same | {"S": width}, by)
        yield Shape("$buf", {"A": width, "Y": width}, by)
        many = {"WIDTH": width, "S_WIDTH": select}
        yield Shape("$pmux", same | {"B": width * select, "S": select}, many)
        yield Shape("$bmux", {"A": width << select, "S": select, "Y": width}, many)
        yield Shape("$demux", {"A": width, "S": select, "Y": width << select}, many)
        table = draw.getrandbits(1 << select)
        yield Shape("$lut", {"A": select, "Y": 1}, {"WIDTH": select, "LUT": table})
        low = draw.randrange(a)
        part = {"A_WIDTH": a, "Y_WIDTH": a - low, "OFFSET": low}
        yield Shape("$slice", {"A": a, "Y": a - low}, part)
        joined = {"A_WIDTH": a, "B_WIDTH": b}
        yield Shape("$concat", {"A": a, "B": b, "Y": a + b}, joined)


def _netlist(shapes: Sequence[Shape]) -> Netlist:
    """A module of unconnected cells, whose pins are its ports."""
    numbers = count(2)
    ports: dict[str, Port] = {}
    cells = []
    for place, shape in enumerate(shapes):
        pins: dict[str, Bits] = {}
        for pin, width in shape.pins.items():
            pins[pin] = tuple(next(numbers) for _ in range(width))
            ports[f"{pin}{place}"] = Port("output" if pin == "Y" else "input", pins[pin])
        digits = {name: f"{value:0256b}" for name, value in shape.parameters.items()}
        cells.append(Cell(f"u{place}", shape.kind, digits, pins, frozenset("Y"), ""))
    nets = {name: Net(port.bits, False, "", "") for name, port in ports.items()}
    return Netlist("top", "top", ports, cells, nets, False, "")


def _verilog(shapes: Sequence[Shape]) -> str:
    """The same in Verilog."""
    ports, lines = [], []
    for place, shape in enumerate(shapes):
        for pin, width in shape.pins.items():
            way = "output" if pin == "Y" else "input"
            ports.append(f"{way} [{width - 1}:0] {pin}{place}")
        values = ", ".join(
            f".{name}({max(1, value.bit_length() + 1)}'d{value})"
            if name == "LUT"
            else f".{name}({value})"
            for name, value in shape.parameters.items()
        )
        pins = ", ".join(f".{pin}({pin}{place})" for pin in shape.pins)
        lines.append(f"\\{shape.kind} #({values}) u{place} ({pins});")
    return "\n".join((f"module top ({', '.join(ports)});", *lines, "endmodule\n"))


def _models() -> str:
    """Yosys' models, those of memories and other state left out."""
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "share" / "simlib.v").read_text()
    names = {f"\\{kind} " for kind in (*OPERATIONS, *DIVISIONS)}
    parts = [f"module {part}" for part in text.split("\nmodule ")[1:]]
    return "\n".join(
        f"{part.partition('endmodule')[0]}endmodule\n"
        for part in parts
        if part.removeprefix("module ").partition("(")[0] in names
    )


@NEEDS_ICARUS
def test_every_operation_is_as_its_model(tmp_path: Path) -> None:
    shapes = list(_shapes(random.Random(6)))
    assert {shape.kind for shape in shapes} == {*OPERATIONS, *DIVISIONS}
    netlist = _netlist(shapes)
    read = frozenset(netlist.ports)
    made = translated(
        netlist, netlist.cells, {}, Clocks({"top": frozenset()}, {"top": read}), "top"
    )
    module = made.inside.module
    ir.check(module)
    inputs = drawn(module, 7, 40)
    for place, shape in enumerate(shapes):
        if shape.kind == "$pmux":
            # Of several choices at once its model makes x.
            bits = np.random.default_rng(place).integers(-1, shape.pins["S"], size=40)
            inputs[f"S{place}"] = np.array([1 << b if b >= 0 else 0 for b in bits], object)
    design = Design(_models() + _verilog(shapes), clock=None)
    theirs = in_icarus(design, module, inputs, tmp_path)
    found = differences(given(module, inputs), theirs)
    told = {one.partition(" ")[0][1:] for one in found}
    assert not found, ({shapes[int(place)].kind for place in told}, found[:5])
    unknown = {
        shapes[int(port[1:])].kind
        for port, values in theirs.items()
        if sum("x" in one for one in values) > len(values) / 2
    }
    assert unknown <= {"$shiftx", "$mod", "$div", "$divfloor", "$modfloor"}
