"""Functions of the vector unit: chapter 6 of docs/formats.md.

`exp2()` and the others are functions of hardware, of the bits of an fp32: call them in a module, or
`compile_function(exp2().ir)` over arrays of uint32. `special_function()` is the unit that does all.
"""

from zhufeng.formats.vector._coefficients import TABLES, Row
from zhufeng.formats.vector._functions import (
    Op,
    Unary,
    exp2,
    log2,
    reciprocal,
    rsqrt,
    special_function,
)
from zhufeng.formats.vector._interpolate import interpolate

__all__ = [
    "TABLES",
    "Op",
    "Row",
    "Unary",
    "exp2",
    "interpolate",
    "log2",
    "reciprocal",
    "rsqrt",
    "special_function",
]
