"""Types are values: ``SInt(8)``, ``Bits(3)``, ``UInt(4).array(16, 16)``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zhufeng.hdl.ir import Form

Kind = Literal["UInt", "SInt", "Bits", "Bool"]


@dataclass(frozen=True)
class Type:
    """An array of numbers or bits; one of them by itself has no shape."""

    kind: Kind
    width: int
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError(f"a width of at least 0, not {self.width}")
        if any(size < 1 for size in self.shape):
            raise ValueError(f"arrays of at least one element, not {list(self.shape)}")

    def array(self, *shape: int) -> Type:
        """An array of these; of an array, its outer axes."""
        return replace(self, shape=(*shape, *self.shape))

    @property
    def element(self) -> Type:
        """What an array is of."""
        return replace(self, shape=())

    @property
    def signed(self) -> bool:
        """Whether it has numbers below 0."""
        return self.kind == "SInt"

    @property
    def numeric(self) -> bool:
        """Whether it can be added and ordered."""
        return self.kind in ("UInt", "SInt")

    @property
    def form(self) -> Form:
        """How the IR has it."""
        return Form(self.width, self.signed, self.shape)

    @property
    def low(self) -> int:
        """The least number."""
        return self.form.low

    @property
    def high(self) -> int:
        """The greatest number."""
        return self.form.high

    def __str__(self) -> str:
        name = self.kind if self.kind == "Bool" else f"{self.kind}({self.width})"
        return name + (f".array({', '.join(map(str, self.shape))})" if self.shape else "")


def UInt(width: int) -> Type:  # noqa: N802 (a type's name)
    """Numbers from 0 to 2^width - 1."""
    return Type("UInt", width)


def SInt(width: int) -> Type:  # noqa: N802
    """Numbers from -2^(width-1) to 2^(width-1) - 1, in two's complement."""
    return Type("SInt", width)


def Bits(width: int) -> Type:  # noqa: N802
    """Bits that are no number: without arithmetic and order."""
    return Type("Bits", width)


def _bool() -> Type:
    return Type("Bool", 1)


Bool = _bool()
"""False or true."""


def least(value: int) -> Type:
    """The narrowest type of numbers that has `value`."""
    if value < 0:
        return SInt((-value - 1).bit_length() + 1)
    return UInt(value.bit_length())
