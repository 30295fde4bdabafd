"""What modules around the functions say of tiles, played by the interpreter or by Verilator."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from formats_tiles.draw import ROWS, Words
from formats_tiles.opinions import Opinion, Plane, opinion
from formats_tiles.units import block_quantiser, dot_unit
from formats_tiles.ways import Side, Way
from simulation.design import Design
from simulation.verilator_rival import Verilator, Workshop
from zhufeng.formats.blocks import BLOCK, PAIRS
from zhufeng.hdl import Function, Module, ir
from zhufeng.hdl.interpret import interpret

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""Of each port, (cycles, lanes, ...)."""
Player: TypeAlias = Callable[[Arrays, Sequence[int] | None], Arrays]
"""What a module gives, of its inputs and of `rst` in each cycle (None: it has no state)."""

_MAIN = """
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

int main() {
    const auto m = std::make_unique<MODEL>();
    uint8_t given[@in@], made[@out@];
    while (fread(given, sizeof given, 1, stdin) == 1) {
@gives@
@before@
        m->eval();
@takes@
        fwrite(made, sizeof made, 1, stdout);
@after@
    }
}
"""


@dataclass(frozen=True)
class Players:
    """Who plays the modules for blocks of so many bits."""

    quantiser: Player
    dot: Player

    def __call__(self, a: Words, b: Words, way: Way) -> Opinion:
        """Their opinion of tiles, which are quantised in a plain way."""
        assert way.plain
        first, second = (_quantised(self.quantiser, x, s) for x, s in ((a, way.a), (b, way.b)))
        return opinion(first, second, _products(self.dot, first, second))


def interpreted(bits: int) -> Players:
    """By the interpreter."""
    quantiser, dot = block_quantiser(bits).ir, dot_unit(bits).ir
    return Players(partial(_interpreted, quantiser), partial(_interpreted, dot))


def simulated(bits: int, workshop: Workshop, verilator: Verilator) -> Players:
    """By Verilator, from the Verilog that is printed; built now."""
    quantiser = _built(block_quantiser(bits), workshop, verilator)
    return Players(quantiser, _built(dot_unit(bits), workshop, verilator))


# What is played.


def _quantised(player: Player, x: Words, side: Side) -> list[Plane]:
    """The planes of an operand, a block in each lane."""
    count, lead = x.size // BLOCK, (len(x), ROWS, x.shape[-1] // BLOCK)
    words = [0, 0, 0, 0]
    if side.rounding is not None:
        r = side.rounding
        words = [r.seed & 0xFFFFFFFF, r.seed >> 32, r.step, 2 * r.tensor + r.orientation]
    given: dict[str, NDArray[Any]] = {
        "x": x.reshape(1, count, BLOCK),
        "tensor": np.broadcast_to(np.array(words, np.uint32), (1, count, 4)),
        "index": np.arange(count, dtype=np.uint32)[None],
        "random": np.full((1, count), side.rounding is not None, np.uint8),
        "two": np.full((1, count), side.planes - 1, np.uint8),
    }
    made = player(given, None)
    codes, elements = made["codes"][0], made["elements"][0]
    return [
        (codes[:, plane].reshape(lead), elements[:, plane].reshape(*lead, BLOCK))
        for plane in range(side.planes)
    ]


def _products(player: Player, a: Sequence[Plane], b: Sequence[Plane]) -> NDArray[Any]:
    """The results, each in a lane: a reset, the steps, and a cycle in which they are seen."""
    passes = [(i, j) for i, j in ((0, 0), (0, 1), (1, 0)) if i < len(a) and j < len(b)]
    tiles, _, blocks = a[0][0].shape
    steps = [(*one, slice(k, k + PAIRS)) for one in passes for k in range(0, blocks, PAIRS)]
    lead = (len(steps) + 2, tiles, ROWS, ROWS, PAIRS)
    given: dict[str, NDArray[Any]] = {}
    for name in ("a", "b"):
        given[name] = np.zeros((*lead, BLOCK), np.int8)
        given[f"{name}_codes"] = np.zeros(lead, np.uint8)
    for cycle, (i, j, k) in enumerate(steps, 1):
        given["a_codes"][cycle], given["a"][cycle] = (part[:, :, None, k] for part in a[i])
        given["b_codes"][cycle], given["b"][cycle] = (part[:, None, :, k] for part in b[j])
    lanes = {
        name: one.reshape(lead[0], tiles * ROWS * ROWS, *one.shape[4:])
        for name, one in given.items()
    }
    made = player(lanes, [1] + [0] * (len(steps) + 1))
    out: NDArray[Any] = made["out"][-1].reshape(tiles, ROWS, ROWS)
    return out


# Who plays.


def _interpreted(module: ir.Module, inputs: Arrays, reset: Sequence[int] | None) -> Arrays:
    return interpret(module, inputs, reset=reset).outputs


@dataclass(frozen=True)
class Program:
    """Verilator's, which reads and writes a row a cycle."""

    path: Path
    given: np.dtype[Any]
    """The inputs, and last `rst` where there is state."""
    made: np.dtype[Any]

    def __call__(self, inputs: Arrays, reset: Sequence[int] | None) -> Arrays:
        """Play it, lane after lane."""
        cycles, lanes = next(iter(inputs.values())).shape[:2]
        rows = np.zeros((lanes, cycles), self.given)
        for port, values in inputs.items():
            rows[port] = values.swapaxes(0, 1)
        if reset is not None:
            rows["rst"] = reset
        said = subprocess.run(self.path, input=rows.tobytes(), capture_output=True, check=True)
        made = np.frombuffer(said.stdout, self.made).reshape(lanes, cycles)
        return {port: made[port].swapaxes(0, 1) for port in self.made.names or ()}


def _built(
    traced: Function[..., Any] | Module[Any, ..., Any], workshop: Workshop, verilator: Verilator
) -> Program:
    made = traced.ir
    inputs = dict(made.inputs)
    clocked = bool(made.registers or made.instances)
    outputs = {port: made.form(value) for port, value in made.outputs.items()}
    given = np.dtype([*_row(inputs), *([("rst", "u1", ())] if clocked else [])])
    program = _program(given, np.dtype(list(_row(outputs))), clocked=clocked)
    # Of what is traced the workshop looks at the IR alone.
    design = Design(made.name, (), {}, cast("Module[Any, ..., Any]", traced), made.name, ())
    built = workshop.build(design, "printed", verilator, program=program)
    return Program(built.program, given, np.dtype(list(_row(outputs))))


def _row(forms: Mapping[str, ir.Form]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Ports as Verilator has them in memory, where their elements are whole bytes or one bit."""
    for port, form in forms.items():
        assert form.width in {8, 32} or (form.width, form.shape) == (1, ()), form
        yield port, f"<{'i' if form.signed else 'u'}{-(-form.width // 8)}", form.shape


def _program(given: np.dtype[Any], made: np.dtype[Any], *, clocked: bool) -> str:
    parts = {
        "in": str(given.itemsize),
        "out": str(made.itemsize),
        "gives": _copies(given, "memcpy(&m->{port}, given + {at}, {size});"),
        "takes": _copies(made, "memcpy(made + {at}, &m->{port}, {size});"),
        "before": "m->clk = 0;" if clocked else "",
        "after": "m->clk = 1;\nm->eval();" if clocked else "",
    }
    text = _MAIN
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _copies(row: np.dtype[Any], text: str) -> str:
    assert row.fields is not None
    sizes = {port: (kind.itemsize, at) for port, (kind, at, *_) in row.fields.items()}
    return "\n".join(text.format(port=port, at=at, size=size) for port, (size, at) in sizes.items())
