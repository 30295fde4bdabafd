"""Verilog in: a design that others have written, as a module of the IR."""

from zhufeng.hdl.reader._reader import from_verilog

__all__ = ["from_verilog"]
