"""What a block is (chapter 1)."""

from __future__ import annotations

from typing import Final

from zhufeng.base import InputError

WIDTHS: Final = (4, 5, 6, 8)
"""Bits of an element."""
BLOCK: Final = 16
"""Elements of a block."""
ZERO: Final = 0
"""The code of the zero block."""
POISON: Final = 255
"""The code of a block that had an infinity or a NaN."""
BIAS: Final = 124
"""A code from 1 to 254 stands for the scale 2^(code - BIAS - bits) (rule 1.2)."""
GUARD: Final = 10
"""Bits that an accumulator keeps below the sums with the largest exponent."""
PAIRS: Final = 2
"""Of blocks, in a step of an accumulator."""


def checked_bits(*bits: int) -> None:
    """See that there are such blocks.

    Raises:
        InputError: there are none.
    """
    for one in bits:
        if one not in WIDTHS:
            raise InputError(
                "the bits of an element of a block",
                expected="4, 5, 6 or 8",
                came=str(one),
                do="take one of these; two planes give about twice the bits",
            )


def largest(bits: int) -> int:
    """The largest element (rule 1.1)."""
    return (1 << (bits - 1)) - 1
