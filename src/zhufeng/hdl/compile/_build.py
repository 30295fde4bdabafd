"""Kernels of a module: for one simulation, or for several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from zhufeng.hdl.compile._blocks import Blocks
from zhufeng.hdl.compile._engine import Code, coded
from zhufeng.hdl.compile._frame import Entry
from zhufeng.hdl.compile._lanes import Lanes
from zhufeng.hdl.compile._layout import Layout, layout
from zhufeng.hdl.compile._loops import Loops
from zhufeng.hdl.compile._nest import nest
from zhufeng.hdl.compile._plan import NOTHING, Planner
from zhufeng.hdl.compile._split import split
from zhufeng.hdl.compile._whole import Whole
from zhufeng.hdl.compile._widen import products_as_wide_as_sums, wide_registers
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


def build(module: Module, lanes: int) -> Kernel:
    """Make code for so many lanes, of a module without instances and folds."""
    if lanes == 1 and sum(let.form.size for let in module.lets.values()) <= _WRITTEN_OUT:
        found: Entry = Whole(module, layout(module, NOTHING, Lanes(1)))
    elif lanes > 1 and (parts := split(module)) and (array := nest(parts.array)):
        found = Blocks(module, parts, array, Lanes(lanes))
    else:
        wide = products_as_wide_as_sums(module)
        plan = Planner(wide).plan
        places = layout(wide, plan, Lanes(lanes), wide_registers(wide, plan.guarded))
        found = Loops(wide, plan, places)
    return Kernel(lanes, found.layout, coded([print_ir(module), lanes], partial(_text, found)))


def _text(function: Entry) -> str:
    function.written()
    return str(function.unit)
