"""MXFP8, MXFP6, MXFP4 and MXINT8 as operands: rules 7.1 to 7.17 of docs/formats.md.

But for elements in e5m2: sums of their products need more bits than fp64 has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from zhufeng.formats import host
from zhufeng.formats.floats import E2M1, E2M3, E3M2, E4M3
from zhufeng.formats.microscaling import INT8, MX_BLOCK, Element
from zhufeng.records import NumberFormat, Operands
from zhufeng.stack._steps import summed
from zhufeng.stack._window import Window

ELEMENTS: Final[Mapping[NumberFormat, Element]] = {
    "mxfp8_e4m3": E4M3,
    "mxfp6_e3m2": E3M2,
    "mxfp6_e2m3": E2M3,
    "mxfp4": E2M1,
    "mxint8": INT8,
}
_SMALLEST, _BIAS = -126, 127


@dataclass(frozen=True)
class Ready:
    """An operand."""

    numbers: Tensor
    """Elements times their scales, fp32 (..., rows, k).

    An element of 2^128 is an infinity here (rule 7.2), and would be none in a dot unit.
    """
    spacing: int
    """All of them are multiples of 2 to the power of it."""


@dataclass(frozen=True)
class Kept:
    """An operand in as few bytes as it takes."""

    packed: host.StoredScaled
    element: Element
    device: torch.device
    """Where its numbers are wanted."""


def whole(size: int) -> bool:
    """See `Family`."""
    return size % MX_BLOCK == 0


def quantised(x: Tensor, form: Operands, rounding: host.Rounding | None, *, half: bool) -> Ready:
    """See `Family`."""
    element, array = ELEMENTS[form.format], x.detach().float().cpu().contiguous().numpy()
    made = host.mx_quantise(array, element, rounding, half=half)
    numbers = torch.from_numpy(made.numbers)
    spacing = made.least - _BIAS + element.lowest - element.fraction
    return Ready(numbers.to(x.device), spacing)


def windowed(pixels: Ready, window: Window) -> Ready:
    """See `Family`."""
    return replace(pixels, numbers=window.gathered(pixels.numbers))


def multiplied(a: Ready, b: Ready, threads: int) -> Tensor:
    """See `Family`; sums of a block are exact in fp64, and the order of its products is no matter.

    It runs in one thread.
    """
    del threads
    normal = a.spacing + b.spacing >= _SMALLEST
    return summed(a.numbers, b.numbers, MX_BLOCK, torch.float64, normal=normal)


def stored(ready: Ready, form: Operands) -> Kept:
    """See `Family`."""
    element, numbers = ELEMENTS[form.format], ready.numbers
    return Kept(host.stored_mx(numbers.cpu().numpy(), element), element, numbers.device)


def restored(saved: Kept) -> Tensor:
    """See `Family`."""
    return torch.from_numpy(host.restored_mx(saved.packed, saved.element)).to(saved.device)
