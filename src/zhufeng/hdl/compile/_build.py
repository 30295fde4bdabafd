"""Kernels of a module: for one simulation, or for several side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

from zhufeng.hdl.compile._blocks import Blocks
from zhufeng.hdl.compile._engine import Code, coded
from zhufeng.hdl.compile._frame import Entry
from zhufeng.hdl.compile._lanes import WORD, Lanes, container
from zhufeng.hdl.compile._layout import Layout, layout
from zhufeng.hdl.compile._loops import loops
from zhufeng.hdl.compile._nest import Nest, nest
from zhufeng.hdl.compile._operations import vector_bits
from zhufeng.hdl.compile._plan import NOTHING, is_view
from zhufeng.hdl.compile._split import Parts, split
from zhufeng.hdl.compile._whole import Whole
from zhufeng.hdl.ir import Module, print_ir

WIDTHS = (8, 16, 32, 64)
"""How many lanes there may be, beside 1."""
_WRITTEN_OUT: Final = 1 << 16
"""Elements of all values of a module whose arrays are vectors."""


@dataclass(frozen=True)
class Kernel:
    """Code for a number of lanes."""

    lanes: int
    places: Layout
    code: Code


def most_lanes(module: Module) -> int:
    """Above a word, LLVM takes a number apart: in many lanes, that takes it minutes."""
    wide = any(let.form.width > WORD for let in module.lets.values())
    return WIDTHS[0] if wide else WIDTHS[-1]


def worth_trying(module: Module) -> tuple[int, ...]:
    """Numbers of lanes of which one is likely to be best.

    Most of what is computed should fill a vector, or two; the widest register of a tile, one.
    """
    if (most := most_lanes(module)) < WIDTHS[-1]:
        return (most,)
    if tiled := _tiled(module):
        widest = max(container(one.form.width) for one in tiled[1].module.registers.values())
        return (_nearest(widest),)
    sizes = [
        (let.form.size, container(let.form.width))
        for name, let in module.lets.items()
        if let.args and not is_view(module, name) and let.form.width > 1
    ]
    count = sum(size for size, _ in sizes)
    first = _nearest(sum(size * width for size, width in sizes) / max(1, count))
    return tuple(dict.fromkeys((first, min(2 * first, most))))


def _nearest(bits: float) -> int:
    """How many lanes of so many bits about fill a vector."""
    return min(WIDTHS, key=lambda lanes: abs(math.log2(lanes * max(1, bits) / vector_bits())))


def _tiled(module: Module) -> tuple[Parts, Nest] | None:
    """Its parts around an array that can be computed tile by tile, if there is one."""
    parts = split(module)
    array = nest(parts.array) if parts else None
    return (parts, array) if parts and array else None


def _in_vectors(module: Module) -> bool:
    """Whether arrays are vectors in one lane."""
    forms = [let.form for let in module.lets.values()]
    # LLVM 22.1 stops at one bit of a number above a word that is taken out of a vector.
    wide = any(form.width > WORD and form.size > 1 for form in forms)
    return not wide and sum(form.size for form in forms) <= _WRITTEN_OUT


def build(module: Module, lanes: int) -> Kernel:
    """Make code for so many lanes, of a module without instances and folds."""
    if lanes == 1 and _in_vectors(module):
        found: Entry = Whole(module, layout(module, NOTHING, Lanes(1)))
    elif lanes > 1 and (tiled := _tiled(module)):
        found = Blocks(module, *tiled, Lanes(lanes))
    else:
        found = loops(module, Lanes(lanes))
    return Kernel(lanes, found.layout, coded([print_ir(module), lanes], partial(_text, found)))


def _text(function: Entry) -> str:
    function.written()
    return str(function.unit)
