"""The golden model: the IR evaluated with exact integers."""

from zhufeng.hdl.interpret._cell import anything
from zhufeng.hdl.interpret._given import given_inputs, given_reset, given_size, recorded_part
from zhufeng.hdl.interpret._run import Failure, Run, interpret
from zhufeng.hdl.interpret._values import Values, dtype, evaluated

__all__ = [
    "Failure",
    "Run",
    "Values",
    "anything",
    "dtype",
    "evaluated",
    "given_inputs",
    "given_reset",
    "given_size",
    "interpret",
    "recorded_part",
]
