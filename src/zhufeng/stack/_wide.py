"""bf16 and fp32 as operands: numbers of that format, multiplied by torch in fp32."""

from __future__ import annotations

from torch import Tensor

from zhufeng.formats.host import Rounding
from zhufeng.records import Operands
from zhufeng.stack._window import Window


def whole(size: int) -> bool:
    """See `Family`."""
    del size
    return True


def quantised(x: Tensor, form: Operands, rounding: Rounding | None, *, half: bool) -> Tensor:
    """See `Family`."""
    assert rounding is None
    return x.bfloat16().float() if half or form.format == "bf16" else x.float()


def windowed(pixels: Tensor, window: Window) -> Tensor:
    """See `Family`."""
    return window.gathered(pixels)


def multiplied(a: Tensor, b: Tensor, threads: int) -> Tensor:
    """See `Family`; torch's sums are in an order of its own, by one thread."""
    del threads
    return a @ b.mT


def stored(ready: Tensor, form: Operands) -> Tensor:
    """See `Family`."""
    return ready.bfloat16() if form.format == "bf16" else ready.detach()


def restored(saved: Tensor) -> Tensor:
    """See `Family`."""
    return saved.float()
