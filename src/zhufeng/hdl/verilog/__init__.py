"""The IR as SystemVerilog."""

from zhufeng.hdl.verilog._print import WAIVERS, Port, Verilog, to_verilog

__all__ = ["WAIVERS", "Port", "Verilog", "to_verilog"]
