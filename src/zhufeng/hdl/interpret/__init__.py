"""The golden model: the IR evaluated with exact integers."""

from zhufeng.hdl.interpret._run import Failure, Run, interpret

__all__ = ["Failure", "Run", "interpret"]
