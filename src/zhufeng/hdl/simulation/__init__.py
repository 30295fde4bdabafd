"""Any design in lanes, a block of cycles at a time: given a file or a seed, beside Verilator.

What `zhufeng hdl sim` does.
"""

from zhufeng.base import needs_extra

with needs_extra("hdl"):
    from zhufeng.hdl.simulation._simulated import Kept, Simulated, Watch, simulated
from zhufeng.hdl.simulation._resets import Reset, parse_reset, reset_inputs, resets_of
from zhufeng.hdl.simulation._stimuli import FromFile, Random, Stimulus
from zhufeng.hdl.simulation._verilator import Beside, Difference, verilator_of
from zhufeng.hdl.simulation._waves import check_signals, waves_of_lane

__all__ = [
    "Beside",
    "Difference",
    "FromFile",
    "Kept",
    "Random",
    "Reset",
    "Simulated",
    "Stimulus",
    "Watch",
    "check_signals",
    "parse_reset",
    "reset_inputs",
    "resets_of",
    "simulated",
    "verilator_of",
    "waves_of_lane",
]
