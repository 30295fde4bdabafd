"""What a value of the IR is: an array of bit-vectors that are read as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """An array of integers of one width, in two's complement where they are signed."""

    width: int
    signed: bool = False
    shape: tuple[int, ...] = ()

    @property
    def low(self) -> int:
        """The least number."""
        return -(1 << self.width >> 1) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest number."""
        return (1 << self.width >> 1) - 1 if self.signed and self.width else (1 << self.width) - 1

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    def has(self, value: int) -> bool:
        """Whether an element may be `value`."""
        return self.low <= value <= self.high

    def wrap(self, value: int) -> int:
        """The number of this width with the same bits at the lower end."""
        value &= (1 << self.width) - 1
        return value - (1 << self.width) if value > self.high else value

    def __str__(self) -> str:
        shape = f"[{','.join(map(str, self.shape))}]" if self.shape else ""
        return f"{'s' if self.signed else 'u'}{self.width}{shape}"


BIT = Form(1)
