"""What multiplies matrices, as products of (..., m, k) and (..., n, k)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from zhufeng.base import InputError
from zhufeng.stack._window import filters, window_of

Multiply: TypeAlias = Callable[..., Tensor]
"""multiply(left, right, *, weight: bool, turned: bool = False, window: Window | None = None)."""


def linear(multiply: Multiply, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As `torch.nn.functional.linear`."""
    out = multiply(x.reshape(-1, x.shape[-1]), weight, weight=True)
    out = out.reshape(*x.shape[:-1], weight.shape[0])
    return out if bias is None else out + bias


def matmul(multiply: Multiply, a: Tensor, b: Tensor) -> Tensor:
    """As `torch.matmul`, of tensors of which neither is a weight."""
    left = a[None] if a.dim() == 1 else a
    right = b[:, None] if b.dim() == 1 else b
    lead = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])  # type: ignore[no-untyped-call]
    left = left.expand(*lead, *left.shape[-2:])
    right = right.expand(*lead, *right.shape[-2:])
    out = multiply(left, right.mT, weight=False, turned=True)
    out = out.squeeze(-2) if a.dim() == 1 else out
    return out.squeeze(-1) if b.dim() == 1 else out


def addmm(
    multiply: Multiply, bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """As `torch.addmm` and `torch.baddbmm`."""
    return beta * bias + alpha * matmul(multiply, a, b)


def attention(  # noqa: PLR0917 (as torch has it)
    multiply: Multiply,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """As `torch.nn.functional.scaled_dot_product_attention`; the softmax stays wide."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    lead = query.shape[:-2]
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = multiply(query, key.expand(*lead, -1, -1), weight=False) * factor
    if is_causal:
        shape = (query.shape[-2], key.shape[-2])
        attn_mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    shares = scores.softmax(-1)
    if dropout_p:
        shares = functional.dropout(shares, dropout_p)
    return multiply(shares, value.expand(*lead, -1, -1).mT, weight=False, turned=True)


def grouped(multiply: Multiply, x: Tensor, weight: Tensor, offs: Tensor | None = None) -> Tensor:
    """As `torch.nn.functional.grouped_mm`.

    Raises:
        InputError: it is not rows sorted by group, times a matrix a group.
    """
    if offs is None or x.dim() != _MATRIX or weight.dim() != _MATRIX + 1:
        raise InputError(
            "a grouped product in a policy's formats",
            expected="rows (rows, k) sorted by group, weights (groups, k, n), and offs",
            came=f"{list(x.shape)} and {list(weight.shape)}"
            + (" without offs" if offs is None else ""),
            do="multiply the groups one by one",
        )
    ends = [0, *offs.tolist()]
    parts = [
        multiply(x[begin:end], one.mT, weight=True, turned=True)
        for begin, end, one in zip(ends, ends[1:], weight, strict=False)
        if end > begin
    ]
    return torch.cat(parts) if parts else x.new_zeros(0, weight.shape[-1])


_MATRIX = 2


def convolution(  # noqa: PLR0917 (as torch has it)
    multiply: Multiply,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """As `torch.nn.functional.conv2d`: patches times filters."""
    if x.dim() == _MATRIX + 1:
        alone = convolution(multiply, x[None], weight, bias, stride, padding, dilation, groups)
        return alone[0]
    images, window = window_of(x, weight, stride, padding, dilation, groups)
    out = multiply(images, filters(weight, groups), weight=True, window=window)
    out = out.reshape(groups, images.shape[0], *window.places, -1).permute(1, 0, 4, 2, 3)
    out = out.reshape(images.shape[0], weight.shape[0], *window.places)
    return out if bias is None else out + bias[:, None, None]


def line_convolution(  # noqa: PLR0917 (as torch has it)
    multiply: Multiply,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """As `torch.nn.functional.conv1d`: images of one line."""

    def flat(value: int | Sequence[int], other: int) -> tuple[int, int]:
        return other, value if isinstance(value, int) else value[0]

    edges = padding if isinstance(padding, str) else flat(padding, 0)
    steps = (flat(stride, 1), edges, flat(dilation, 1))
    flat_weight = weight[:, :, None]
    found = convolution(multiply, x[..., None, :], flat_weight, bias, *steps, groups)
    return found.squeeze(-2)
