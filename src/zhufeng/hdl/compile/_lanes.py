"""How an element stands in memory and in registers: a row of lanes of the narrowest fit.

Lanes are simulations side by side. An element of w bits takes, in each, the next of 1, 8, 16, 32
or 64 bits, or a multiple of 64; above its w bits anything may stand until somebody needs to know.
Single bits are masks: a bit for each lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from llvmlite import ir as llvm

from zhufeng.hdl.ir import Form

_WIDTHS = (8, 16, 32, 64)
WORD = 64
"""Bits of the widest number that is reached in one go."""
BYTE = llvm.IntType(8)
INDEX = llvm.IntType(WORD)
POINTER = llvm.PointerType()


def container(width: int) -> int:
    """How many bits of a lane hold so many."""
    if width == 1:
        return 1
    return next((size for size in _WIDTHS if width <= size), -(-width // 64) * 64)


@dataclass(frozen=True)
class Lanes:
    """So many simulations in one vector: 1, or a multiple of 8."""

    count: int

    def type(self, bits: int) -> llvm.Type:
        """Of a container of so many bits in every lane."""
        number = llvm.IntType(bits)
        return number if self.count == 1 else llvm.VectorType(number, self.count)

    def of(self, form: Form) -> llvm.Type:
        """Of an element of a form."""
        return self.type(container(form.width))

    def constant(self, bits: int, number: int) -> llvm.Constant:
        """One number in all lanes."""
        value = number & ((1 << bits) - 1)
        if self.count == 1:
            return llvm.Constant(llvm.IntType(bits), value)
        return llvm.Constant(self.type(bits), [value] * self.count)

    def bytes(self, bits: int) -> int:
        """Of an element in memory."""
        return -(-self.count // 8) if bits == 1 else bits // 8 * self.count

    @cached_property
    def mask(self) -> llvm.IntType:
        """A bit for each lane, as a number."""
        return llvm.IntType(max(8, self.count))
