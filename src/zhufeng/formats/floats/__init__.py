"""Floating-point formats and what is computed in them: chapter 5 of docs/formats.md.

A number is its bits, Bits(fmt.bits). `add(FP32)` and the others are functions of hardware: call
them in a module, or `compile_function(add(FP32).ir)` over arrays. `unpacked` and `rounded` are what
they are made of.
"""

from zhufeng.formats.floats._arithmetic import Binary, add, multiply, subtract
from zhufeng.formats.floats._compare import Comparison, compare, maximum, minimum
from zhufeng.formats.floats._convert import Unary, convert
from zhufeng.formats.floats._fma import fma
from zhufeng.formats.floats._format import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FloatFormat,
    Special,
)
from zhufeng.formats.floats._integers import from_int, to_int
from zhufeng.formats.floats._rounded import rounded
from zhufeng.formats.floats._shifts import jammed, left_jammed, right_jammed
from zhufeng.formats.floats._specials import chosen, infinite
from zhufeng.formats.floats._unpacked import Unpacked, unpacked, unpacked_type

__all__ = [
    "BF16",
    "E2M1",
    "E2M3",
    "E3M2",
    "E4M3",
    "E5M2",
    "FP16",
    "FP32",
    "Binary",
    "Comparison",
    "FloatFormat",
    "Special",
    "Unary",
    "Unpacked",
    "add",
    "chosen",
    "compare",
    "convert",
    "fma",
    "from_int",
    "infinite",
    "jammed",
    "left_jammed",
    "maximum",
    "minimum",
    "multiply",
    "right_jammed",
    "rounded",
    "subtract",
    "to_int",
    "unpacked",
    "unpacked_type",
]
