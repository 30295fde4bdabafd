"""The golden model: the IR evaluated with exact integers."""

from zhufeng.hdl.interpret._run import Failure, Run, interpret
from zhufeng.hdl.interpret._values import Values, dtype, evaluated

__all__ = ["Failure", "Run", "Values", "dtype", "evaluated", "interpret"]
