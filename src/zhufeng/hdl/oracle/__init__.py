"""Other simulators of the printed Verilog, to compare the interpreter with; never trusted alone."""

from zhufeng.hdl.oracle._bench import Case
from zhufeng.hdl.oracle._icarus import has_icarus, icarus
from zhufeng.hdl.oracle._run import OracleError
from zhufeng.hdl.oracle._verilator import (
    Ran,
    has_verilator,
    lint,
    verilated,
    verilator,
)

__all__ = [
    "Case",
    "OracleError",
    "Ran",
    "has_icarus",
    "has_verilator",
    "icarus",
    "lint",
    "verilated",
    "verilator",
]
