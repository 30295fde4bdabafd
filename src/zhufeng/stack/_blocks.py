"""Blocks as operands: chapters 1 to 4 of docs/formats.md."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from zhufeng.formats import host
from zhufeng.formats.blocks import BLOCK, PAIRS
from zhufeng.records import Operands
from zhufeng.stack import _tensors
from zhufeng.stack._tensors import TensorBlocks
from zhufeng.stack._window import Window

Ready: TypeAlias = "host.Blocks | host.Planes | tuple[TensorBlocks, ...]"
"""On the CPU those of compiled functions, elsewhere one plane or two of tensors."""


def whole(size: int) -> bool:
    """See `Family`."""
    return size % BLOCK == 0


def quantised(x: Tensor, form: Operands, rounding: host.Rounding | None, *, half: bool) -> Ready:
    """See `Family`."""
    bits, planes = int(form.format.removeprefix("block")), form.planes > 1
    x = x.to(torch.float32, memory_format=torch.contiguous_format)
    if x.device.type != "cpu":
        x = x.bfloat16().float() if half else x
        return _tensors.quantised(x, bits, rounding, tiles=form.tile, planes=planes)
    quantise = host.quantise_planes if planes else host.quantise
    array = x.detach().contiguous().numpy()
    return quantise(array, bits, rounding, tiles=form.tile, half=half)


def multiplied(a: Ready, b: Ready, threads: int) -> Tensor:
    """See `Family`."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        assert isinstance(a, tuple)
        assert isinstance(b, tuple)
        return _tensors.multiplied(a, b)
    return torch.from_numpy(host.multiply(a, b, threads=threads))


def windowed(pixels: Ready, window: Window) -> Ready:
    """See `Family`."""
    if isinstance(pixels, host.Planes):
        return host.Planes(*(_gathered(one, window) for one in (pixels.high, pixels.low)))
    if isinstance(pixels, host.Blocks):
        return _gathered(pixels, window)
    return tuple(
        TensorBlocks(one.bits, window.size, *_whole_steps(one.codes, one.elements, window))
        for one in pixels
    )


def _gathered(pixels: host.Blocks, window: Window) -> host.Blocks:
    parts = (torch.from_numpy(pixels.codes), torch.from_numpy(pixels.elements))
    codes, elements = (one.numpy() for one in _whole_steps(*parts, window))
    return host.Blocks(pixels.bits, window.size, codes, elements)


def _whole_steps(codes: Tensor, elements: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Codes and elements of rows, filled up to what an accumulator takes at a time."""
    count = window.shape[1] // BLOCK
    codes, elements = (window.gathered(one[:, :count]) for one in (codes, elements))
    rest = -codes.shape[1] % PAIRS
    return functional.pad(codes, (0, rest)), functional.pad(elements, (0, 0, 0, rest))


def stored(ready: Ready, form: Operands) -> tuple[host.Stored | TensorBlocks, ...]:
    """See `Family`; of tensors elements take a byte each."""
    del form
    if isinstance(ready, tuple):
        return ready
    planes = (ready.high, ready.low) if isinstance(ready, host.Planes) else (ready,)
    return tuple(map(host.stored, planes))


def restored(saved: tuple[host.Stored | TensorBlocks, ...]) -> Tensor:
    """See `Family`."""
    parts = [_numbers(one) for one in saved]
    # Both planes together have fewer bits than fp32: the sum is exact.
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _numbers(saved: host.Stored | TensorBlocks) -> Tensor:
    if isinstance(saved, TensorBlocks):
        return _tensors.dequantised(saved)
    return torch.from_numpy(host.dequantise(host.restored(saved)))
