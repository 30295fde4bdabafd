"""What each family of formats does with operands."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor

from zhufeng.base import InputError
from zhufeng.formats.host import Rounding
from zhufeng.records import NumberFormat, Operands, family
from zhufeng.stack import _blocks, _microscaling, _nvfp4, _wide
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


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {"wide": _wide, "block": _blocks, "mx": _microscaling, "nvfp4": _nvfp4}
)


def family_of(number_format: NumberFormat) -> Family:
    """That of a format.

    Raises:
        InputError: models are not trained in it.
    """
    own = family(number_format)
    if own == "mx" and number_format not in _microscaling.ELEMENTS:
        raise InputError(
            f"training in {number_format}",
            expected=", ".join(("bf16", "fp32", "blocks", *_microscaling.ELEMENTS, "or nvfp4")),
            came=f"a rule with {number_format}, whose exact sums need more bits than fp64 has",
            do="take mxfp8_e4m3, of as many bits",
        )
    return FAMILIES[own]
