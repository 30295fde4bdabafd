"""Which floating-point formats there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Special = Literal["ieee", "one nan", "none"]


@dataclass(frozen=True)
class FloatFormat:
    """Bits from above: sign, exponent, fraction; subnormals where the exponent field is 0."""

    name: str
    exponent: int
    """Bits of the exponent field."""
    fraction: int
    """Bits of the fraction."""
    special: Special
    """``ieee``: an exponent field of ones is an infinity (fraction 0) or a NaN. ``one nan``: all
    ones but the sign are a NaN, and there are no infinities. ``none``: neither."""

    @property
    def bits(self) -> int:
        """Of a number."""
        return 1 + self.exponent + self.fraction

    @property
    def precision(self) -> int:
        """Bits of a significand: the hidden one and the fraction."""
        return 1 + self.fraction

    @property
    def bias(self) -> int:
        """What the exponent field is above the exponent."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def lowest(self) -> int:
        """The exponent of the smallest normal number, and of all subnormal ones."""
        return 1 - self.bias

    @cached_property
    def largest_bits(self) -> int:
        """The bits of the largest finite number."""
        ones = (1 << (self.exponent + self.fraction)) - 1
        if self.special == "ieee":
            return ones - (1 << self.fraction)
        return ones - (self.special == "one nan")

    @cached_property
    def nan_bits(self) -> int:
        """The bits of a NaN as a result: quiet, of no sign, no payload (rule 5.5)."""
        if self.special == "none":
            return self.largest_bits
        return self.largest_bits + 1 + ((self.special == "ieee") << (self.fraction - 1))


FP32 = FloatFormat("fp32", 8, 23, "ieee")
"""IEEE 754 binary32."""
FP16 = FloatFormat("fp16", 5, 10, "ieee")
"""IEEE 754 binary16."""
BF16 = FloatFormat("bf16", 8, 7, "ieee")
"""The upper half of fp32."""
E5M2 = FloatFormat("e5m2", 5, 2, "ieee")
"""OCP 8-bit floating point 1.0."""
E4M3 = FloatFormat("e4m3", 4, 3, "one nan")
"""OCP 8-bit floating point 1.0: no infinities, up to 448."""
E3M2 = FloatFormat("e3m2", 3, 2, "none")
"""Of MXFP6 (OCP Microscaling Formats 1.0), up to 28."""
E2M3 = FloatFormat("e2m3", 2, 3, "none")
"""Of MXFP6, up to 7.5."""
E2M1 = FloatFormat("e2m1", 2, 1, "none")
"""Of MXFP4 and NVFP4, up to 6."""
