"""What each family of formats does with operands."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor

from zhufeng.base import InputError
from zhufeng.formats.host import Rounding
from zhufeng.records import NumberFormat, Operands, family
from zhufeng.stack import _blocks, _wide
from zhufeng.stack._window import Window


class Family(Protocol):
    """Formats whose operands are multiplied with one another."""

    def whole(self, size: int) -> bool:
        """Whether so many elements are cut the same alone and as part of a longer row."""

    def quantised(self, x: Tensor, form: Operands, rounding: Rounding | None, *, half: bool) -> Any:
        """An operand, fp32 or bf16 (..., rows, k), cut along its last axis.

        With `half` its numbers are first rounded to bf16.
        """

    def windowed(self, pixels: Any, window: Window) -> Any:
        """The rows of a convolution, put together from an operand whose rows are pixels."""

    def multiplied(self, a: Any, b: Any, threads: int) -> Tensor:
        """All rows of `a` (..., m, k) with all of `b` (..., n, k): fp32 (..., m, n)."""

    def stored(self, ready: Any, form: Operands) -> Any:
        """An operand in as few bytes as its format takes."""

    def restored(self, saved: Any) -> Tensor:
        """The numbers that were stored, in fp32."""


FAMILIES: Mapping[str, Family] = MappingProxyType({"wide": _wide, "block": _blocks})


def family_of(number_format: NumberFormat) -> Family:
    """That of a format.

    Raises:
        InputError: models are not trained in it yet.
    """
    found = FAMILIES.get(family(number_format))
    if found is None:
        raise InputError(
            f"training in {number_format}",
            expected="bf16, fp32, or blocks: block4, block5, block6, block8",
            came=f"a rule with {number_format}",
            do="take one of these; zhufeng.formats has the others, but for no model yet",
        )
    return found
