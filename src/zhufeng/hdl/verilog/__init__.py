"""The IR as SystemVerilog."""

from zhufeng.hdl.verilog._print import Verilog, to_verilog

__all__ = ["Verilog", "to_verilog"]
