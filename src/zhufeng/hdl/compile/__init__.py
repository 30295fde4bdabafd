"""The simulator: modules as code of this machine, one simulation or many side by side.

>>> fast = compile(module, lanes=32)
>>> run = fast.run({"x": x}, reset=reset)
"""

from zhufeng.base import needs_extra

with needs_extra("hdl"):
    from zhufeng.hdl.compile._grid import Grid, compile_grid
    from zhufeng.hdl.compile._host import HostFunction, compile_function
    from zhufeng.hdl.compile._simulator import Run, Simulator, compile  # noqa: A004
from zhufeng.hdl.compile._harness import harness
from zhufeng.hdl.compile._session import Session
from zhufeng.hdl.compile._state import State

__all__ = [
    "Grid",
    "HostFunction",
    "Run",
    "Session",
    "Simulator",
    "State",
    "compile",
    "compile_function",
    "compile_grid",
    "harness",
]
