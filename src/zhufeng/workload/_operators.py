"""Operators of our own that a trace is written in, where torch's cannot be traced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

# torch 2.13 multiplies groups in fp32 on the CPU, but its shape function admits bfloat16 only.
# So a trace holds this operator in its place.


@torch.library.custom_op("zhufeng::grouped_mm", mutates_args=())
def grouped_mm(left: Tensor, right: Tensor, ends: Tensor) -> Tensor:
    """torch's grouped matrix product: 2-D by 3-D, or (weight gradients) 2-D by 2-D."""
    if left.dtype == torch.bfloat16 or left.device.type == "cpu":
        return torch._grouped_mm(left, right, ends).clone()
    spans = list(pairwise([0, *ends.tolist()]))
    if right.dim() == 3:
        return torch.cat([left[a:b] @ right[i] for i, (a, b) in enumerate(spans)])
    return torch.stack([left[:, a:b] @ right[a:b] for a, b in spans])


@grouped_mm.register_fake
def _(left: Tensor, right: Tensor, ends: Tensor) -> Tensor:
    if right.dim() == 3:
        return left.new_empty(left.shape[0], right.shape[2])
    return left.new_empty(ends.shape[0], left.shape[0], right.shape[1])


def _grouped(
    left: Tensor,
    right: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Any:
    if offs is None or bias is not None or out_dtype not in (None, left.dtype):
        return NotImplemented
    return grouped_mm(left, right, offs)


TRACED_AS: Mapping[Any, Callable[..., Any]] = {torch.ops.aten._grouped_mm.default: _grouped}
