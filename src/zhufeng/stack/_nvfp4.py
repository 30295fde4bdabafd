"""NVFP4 as an operand: rules 7.8 to 7.18 of docs/formats.md."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zhufeng.formats import host
from zhufeng.formats.microscaling import NVFP4_BLOCK
from zhufeng.records import Operands
from zhufeng.stack._steps import summed
from zhufeng.stack._window import Window


@dataclass(frozen=True)
class Ready:
    """An operand."""

    blocks: host.Nvfp4
    numbers: Tensor
    """Elements times the scales of their blocks, fp32 (..., rows, k)."""


def whole(size: int) -> bool:
    """See `Family`."""
    return size % NVFP4_BLOCK == 0


def quantised(x: Tensor, form: Operands, rounding: host.Rounding | None, *, half: bool) -> Ready:
    """See `Family`."""
    array = x.detach().float().cpu().contiguous().numpy()
    made = host.nvfp4_quantise(array, rounding, tiles=form.tile, half=half)
    return Ready(made, torch.from_numpy(made.numbers()).to(x.device))


def windowed(pixels: Ready, window: Window) -> Ready:
    """See `Family`."""
    return replace(pixels, numbers=window.gathered(pixels.numbers))


def multiplied(a: Ready, b: Ready, threads: int) -> Tensor:
    """See `Family`; sums of a block are exact in fp32, and the order of its products is no matter.

    It runs in one thread.
    """
    del threads
    out = summed(a.numbers, b.numbers, NVFP4_BLOCK, torch.float32, normal=True)
    for one in (a, b):
        out *= float(one.blocks.tensor_scale)
    return out


def stored(ready: Ready, form: Operands) -> tuple[host.StoredScaled, torch.device]:
    """See `Family`; and where its numbers are wanted."""
    del form
    return host.stored_nvfp4(ready.blocks), ready.numbers.device


def restored(saved: tuple[host.StoredScaled, torch.device]) -> Tensor:
    """See `Family`."""
    packed, device = saved
    blocks = host.restored_nvfp4(packed)
    return torch.from_numpy(blocks.numbers() * blocks.tensor_scale).to(device)
