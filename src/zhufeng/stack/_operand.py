"""Tensors as operands of matrix products: quantised along the axis that is summed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from zhufeng.formats import host
from zhufeng.records import Operands
from zhufeng.stack._families import family_of
from zhufeng.stack._window import Window

BLOCK: Final = 16


@dataclass(frozen=True)
class Stream:
    """Which random bytes a tensor is rounded with."""

    seed: int
    step: int
    tensor: int

    def rounding(self, form: Operands, *, turned: bool) -> host.Rounding | None:
        """Of a tensor cut along its last axis, or `turned`, along the one before."""
        if form.rounding == "nearest":
            return None
        return host.Rounding(self.seed, self.step, self.tensor, int(turned))


@dataclass(frozen=True)
class Turning:
    """What is done to an operand on its way into a product."""

    form: Operands
    """How it is to stand."""
    rounding: host.Rounding | None = None
    """Where random bytes come from, if it is rounded with such."""
    signs: Tensor | None = None
    """Of a rotation of its blocks; None for none."""


@dataclass(frozen=True)
class Saved:
    """What stays in memory of an operand, for the backward pass."""

    kept: Any
    form: Operands | None
    """The format in which it is kept; None for a tensor."""

    def tensor(self) -> Tensor:
        """The numbers: in fp32, or as they are kept."""
        if self.form is None:
            found: Tensor = self.kept
            return found
        return family_of(self.form.format).restored(self.kept)


def prepared(x: Tensor, turning: Turning) -> Any:
    """An operand (..., rows, k) in its format, taken from its storage."""
    form = turning.form
    half = form.storage == "bf16" and x.dtype != torch.bfloat16
    if turning.signs is not None:
        x, half = rotated((x.bfloat16() if half else x).float(), turning.signs), False
    return family_of(form.format).quantised(x, form, turning.rounding, half=half)


def prepared_window(images: Tensor, turning: Turning, window: Window) -> Any:
    """The rows of a convolution in their format; pixels are quantised once, where blocks are cut
    alike: the scale of a tensor is then that of all pixels, and each has its random bytes once.
    """
    family = family_of(turning.form.format)
    plain = turning.signs is None and not turning.form.tile
    if plain and window.groups == 1 and family.whole(images.shape[1]):
        return family.windowed(prepared(window.pixels(images), turning), window)
    return prepared(window.rows(images), turning)


def kept(x: Tensor, form: Operands, ready: Any | None) -> Saved:
    """What stays in memory of an operand.

    Args:
        x: the operand.
        form: how it stands.
        ready: its very elements in its format, if there is such a thing.
    """
    if form.storage == "same" and ready is not None:
        return Saved(family_of(form.format).stored(ready, form), form)
    return Saved(x.detach() if form.storage == "fp32" else x.bfloat16(), None)


def rotated(x: Tensor, signs: Tensor) -> Tensor:
    """Each block of 16 along the last axis times a random Hadamard matrix (rule 2.9)."""
    x = functional.pad(x, (0, -x.shape[-1] % BLOCK))
    turned = x.reshape(*x.shape[:-1], -1, BLOCK) * signs.to(x.device)
    apart = 1
    while apart < BLOCK:
        pairs = turned.reshape(*turned.shape[:-1], -1, 2, apart)
        first, second = pairs.unbind(-2)
        turned = torch.stack((first + second, first - second), -2).reshape(turned.shape)
        apart *= 2
    return (turned / BLOCK**0.5).reshape(x.shape)
