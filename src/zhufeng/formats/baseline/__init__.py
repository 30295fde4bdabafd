"""The bf16 dot unit that narrower formats are measured against (chapter 8 of the contract)."""

from zhufeng.formats.baseline._dot import KEPT, LANES, bf16_dot

__all__ = ["KEPT", "LANES", "bf16_dot"]
