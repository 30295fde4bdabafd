"""Kernels of a module: for one simulation, or for several side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from zhufeng.hdl.compile._engine import Code, coded
from zhufeng.hdl.compile._lanes import Lanes
from zhufeng.hdl.compile._layout import Layout, layout
from zhufeng.hdl.compile._loops import kernel
from zhufeng.hdl.compile._plan import NOTHING, Planner
from zhufeng.hdl.compile._whole import whole_kernel
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
    text: Callable[[], str]
    if lanes == 1 and sum(let.form.size for let in module.lets.values()) <= _WRITTEN_OUT:
        places = layout(module, NOTHING, Lanes(1))
        text = partial(whole_kernel, module, places)
    else:
        wide = products_as_wide_as_sums(module)
        plan = Planner(wide).plan
        places = layout(wide, plan, Lanes(lanes), wide_registers(wide, plan.guarded))
        text = partial(kernel, wide, plan, places)
    return Kernel(lanes, places, coded([print_ir(module), lanes], text))
