"""Functions of the vector unit: exp2, log2, reciprocal and rsqrt of fp32."""

from zhufeng.formats.vector._coefficients import TABLES, Row
from zhufeng.formats.vector._functions import Op, exp2, log2, reciprocal, rsqrt, special_function
from zhufeng.formats.vector._interpolate import interpolate

__all__ = [
    "TABLES",
    "Op",
    "Row",
    "exp2",
    "interpolate",
    "log2",
    "reciprocal",
    "rsqrt",
    "special_function",
]
