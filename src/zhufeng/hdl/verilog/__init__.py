"""The IR as SystemVerilog."""

from zhufeng.hdl.verilog._print import Port, Verilog, to_verilog

__all__ = ["Port", "Verilog", "to_verilog"]
