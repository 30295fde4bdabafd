"""Blocks as operands: chapters 1 to 4 of docs/formats.md."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from zhufeng.formats import host
from zhufeng.records import Operands
from zhufeng.stack._window import Window

Ready: TypeAlias = host.Blocks | host.Planes


def quantised(x: Tensor, form: Operands, rounding: host.Rounding | None) -> Ready:
    """See `Family`."""
    bits = int(form.format.removeprefix("block"))
    quantise = host.quantise_planes if form.planes > 1 else host.quantise
    return quantise(x.detach().contiguous().numpy(), bits, rounding, tiles=form.tile)


def multiplied(a: Ready, b: Ready, threads: int) -> Tensor:
    """See `Family`."""
    return torch.from_numpy(host.multiply(a, b, threads=threads))


def windowed(pixels: Ready, window: Window) -> Ready:
    """See `Family`."""
    if isinstance(pixels, host.Planes):
        return host.Planes(window.gathered(pixels.high), window.gathered(pixels.low))
    return window.gathered(pixels)


def stored(ready: Ready, form: Operands) -> tuple[host.Stored, ...]:
    """See `Family`."""
    del form
    planes = (ready.high, ready.low) if isinstance(ready, host.Planes) else (ready,)
    return tuple(map(host.stored, planes))


def restored(saved: tuple[host.Stored, ...]) -> Tensor:
    """See `Family`."""
    parts = [torch.from_numpy(host.dequantise(host.restored(one))) for one in saved]
    # Both planes together have fewer bits than fp32: the sum is exact.
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]
