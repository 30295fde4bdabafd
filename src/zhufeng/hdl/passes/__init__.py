"""Passes: from a module to another that does the same."""

from zhufeng.hdl.passes._constants import ConstantFolding
from zhufeng.hdl.passes._dead import DeadCode
from zhufeng.hdl.passes._flatten import Flattening
from zhufeng.hdl.passes._narrow import WidthNarrowing
from zhufeng.hdl.passes._pass import Pass
from zhufeng.hdl.passes._same import CommonSubexpressions
from zhufeng.hdl.passes._simplify import simplify

__all__ = [
    "CommonSubexpressions",
    "ConstantFolding",
    "DeadCode",
    "Flattening",
    "Pass",
    "WidthNarrowing",
    "simplify",
]
