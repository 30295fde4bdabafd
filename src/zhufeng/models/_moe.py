"""Mixture of experts: each token is sent to a few feed-forwards, and their results are summed.

Tokens are sorted by expert and multiplied in one grouped matrix product, so that work is done
for the tokens that are sent and for no others. No operation's shape depends on the routing, and
every gather goes by a permutation, so that its gradient is the same to the bit in any order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import DecoderConfig, MoeConfig
from zhufeng.models._layers import ACTIVATIONS, FeedForward


class Moe(nn.Module):
    """Routed experts, and a shared one where the config asks for it."""

    def __init__(self, config: DecoderConfig, moe: MoeConfig) -> None:
        super().__init__()
        self.config = moe
        self.router = nn.Linear(config.width, moe.experts, bias=False)
        shape = (moe.experts, config.width, moe.ff_width)
        self.gate = nn.Parameter(torch.empty(shape)) if config.gated else None
        self.up = nn.Parameter(torch.empty(shape))
        self.down = nn.Parameter(torch.empty(moe.experts, moe.ff_width, config.width))
        self.activation = ACTIVATIONS[config.activation]
        shared = moe.shared_ff_width
        self.shared = FeedForward(config, shared) if shared else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the result, shaped as `x` (..., width), and the balance loss (a scalar)."""
        flat = x.reshape(-1, x.shape[-1])
        chosen, weights, balance = self._route(flat)
        order = torch.argsort(chosen.flatten(), stable=True)
        sent = flat.repeat_interleave(self.config.active, dim=0)[order]
        experts = torch.arange(self.config.experts, device=x.device)
        ends = (chosen.flatten()[:, None] == experts).sum(0).cumsum(0).to(torch.int32)
        back = torch.argsort(order)
        parts = self._experts(sent, ends)[back].view(-1, self.config.active, x.shape[-1])
        out = (parts * weights[:, :, None].to(parts.dtype)).sum(1) * self.config.scale
        if self.shared is not None:
            out = out + self.shared(flat)
        return out.view(x.shape).to(x.dtype), balance

    def _route(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each token's experts and their weights, shape (tokens, active), in fp32."""
        logits = self.router(flat).float()
        if self.config.routing == "softmax":
            scores = logits.softmax(-1)
            shares = scores
        else:
            scores = logits.sigmoid()
            shares = scores / scores.sum(-1, keepdim=True)
        weights, chosen = scores.topk(self.config.active, dim=-1)
        if self.config.renormalise:
            weights = weights / weights.sum(-1, keepdim=True)
        used = functional.one_hot(chosen, self.config.experts).float().sum(1).mean(0)
        balance = self.config.experts / self.config.active * (used * shares.mean(0)).sum()
        return chosen, weights, self.config.balance * balance

    def _experts(self, sent: Tensor, ends: Tensor) -> Tensor:
        up = grouped_matmul(sent, self.up, ends)
        if self.gate is None:
            inner = self.activation(up)
        else:
            inner = self.activation(grouped_matmul(sent, self.gate, ends)) * up
        return grouped_matmul(inner, self.down, ends)


def grouped_matmul(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Each group of rows times its own matrix.

    Args:
        x: shape (rows, k), sorted by group.
        weight: shape (groups, k, n).
        ends: the row after each group's last, shape (groups,), int32.

    Returns:
        Shape (rows, n), in bfloat16 under autocast to it.
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
    if x.device.type == "cuda" and x.dtype != torch.bfloat16:
        # Only bfloat16 has a kernel there; exact types are for checks, not for speed.
        begins = [0, *ends.tolist()]
        parts = [x[a:b] @ w for a, b, w in zip(begins, begins[1:], weight, strict=False)]
        return torch.cat(parts)
    return functional.grouped_mm(x, weight, offs=ends)
