"""What the elements of a microscaling block are (rules 7.1 and 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zhufeng.base import InputError
from zhufeng.formats.floats import E2M1, E2M3, E3M2, E4M3, E5M2, FloatFormat

MX_BLOCK: Final = 32
"""Elements under one scale."""
NVFP4_BLOCK: Final = 16
"""Elements of NVFP4 under one scale."""
SCALE_BIAS: Final = 127
"""What the bits of a scale of MX are above its exponent."""
SCALE_NAN: Final = 255
"""The scale of MX that makes all elements NaN."""


@dataclass(frozen=True)
class FixedFormat:
    """Two's complement from -2 to below 2, of which -2 itself is not made."""

    name: str
    fraction: int
    """Bits below the point."""

    @property
    def bits(self) -> int:
        """Of a number."""
        return self.fraction + 2

    @property
    def lowest(self) -> int:
        """The exponent whose spacing all numbers have, as that of a float's subnormal ones."""
        return 0


INT8: Final = FixedFormat("int8", 6)
"""Of MXINT8 (OCP Microscaling Formats 1.0), up to 127/64."""

Element = FloatFormat | FixedFormat
"""What an element is."""

MX_ELEMENTS: Final[tuple[Element, ...]] = (E5M2, E4M3, E3M2, E2M3, E2M1, INT8)
"""The elements of MXFP8, MXFP6, MXFP4 and MXINT8."""


def magnitudes(element: Element) -> FloatFormat:
    """The floating-point format that has the bits of its magnitudes.

    One bit of exponent field makes all numbers as far apart as the subnormal ones: fixed point.
    """
    if isinstance(element, FixedFormat):
        return FloatFormat(element.name, 1, element.fraction, "none")
    return element


def highest(element: Element) -> int:
    """The exponent of the largest power of two that an element can be."""
    field = magnitudes(element).largest_bits >> element.fraction
    return element.lowest - 1 + field


def checked(element: Element) -> Element:
    """See that there is such a block.

    Raises:
        InputError: there is none.
    """
    if element not in MX_ELEMENTS:
        raise InputError(
            "the elements of a microscaling block",
            expected=", ".join(one.name for one in MX_ELEMENTS),
            came=getattr(element, "name", repr(element)),
            do="take one of these",
        )
    return element
