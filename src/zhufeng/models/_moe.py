"""Mixture of experts: each token is sent to a few feed-forwards, and their results are summed.

Tokens are sorted by expert and multiplied in one grouped matrix product, so that work is done
for the tokens that are sent and for no others. No operation's shape depends on the routing.
Operations and their order are those of Hugging Face's grouped experts, so that results and
gradients of the same weights are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import DecoderConfig, MoeConfig
from zhufeng.models._layers import ACTIVATIONS, FeedForward


class Moe(nn.Module):
    """Routed experts, and a shared one where the config asks for it.

    `gate_up`, shape (experts, 2 * inner width, width), holds each expert's gate above its other
    projection (`up`, shape (experts, inner width, width), stands alone without a gate); `down` is
    of shape (experts, width, inner width).
    """

    correction: Tensor
    gate_up: Tensor
    up: Tensor

    def __init__(self, config: DecoderConfig, moe: MoeConfig) -> None:
        super().__init__()
        self.config = moe
        self.router = nn.Linear(config.width, moe.experts, bias=False)
        if moe.corrected:
            # Not learned by gradients (DeepSeek-V3, 2024, section 2.1.2).
            self.register_buffer("correction", torch.zeros(moe.experts))
        first = (1 + config.gated) * moe.ff_width
        self.gated = config.gated
        weight = nn.Parameter(torch.empty(moe.experts, first, config.width))
        self.register_parameter("gate_up" if config.gated else "up", weight)
        self.down = nn.Parameter(torch.empty(moe.experts, config.width, moe.ff_width))
        self.activation = ACTIVATIONS[config.activation]
        shared = moe.shared_ff_width
        self.shared = FeedForward(config, shared) if shared else None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """A model that changes its type keeps what routes in fp32, if it routes in fp32."""
        kept = (self.router.weight.data, self.correction if self.config.corrected else None)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.config.precise_router and self.router.weight.dtype != torch.float32:
            device = self.router.weight.device
            self.router.weight.data = kept[0].to(device, torch.float32)
        if kept[1] is not None and self.correction.dtype != torch.float32:
            self.correction = kept[1].to(self.correction.device, torch.float32)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the result, shaped as `x` (..., width), and the balance loss (a scalar)."""
        early = self.shared(x) if self.shared and self.config.shared_first else None
        # Two views, not one: so all gradients are added one by one, as elsewhere.
        chosen, weights, balance = self._route(x.reshape(-1, x.shape[-1]))
        out = self._routed(x.reshape(-1, x.shape[-1]), chosen, weights).view(x.shape)
        if early is not None:
            out = out + early
        elif self.shared is not None:
            out = out + self.shared(x)
        return out, balance

    def _routed(self, flat: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """The experts' weighted sum, shape (tokens, width)."""
        active = self.config.active
        order = torch.argsort(chosen.flatten(), stable=True)
        experts = torch.arange(self.config.experts, device=flat.device)
        ends = (chosen.flatten()[:, None] == experts).sum(0).cumsum(0).to(torch.int32)
        parts = self._experts(flat[order // active], ends)
        if not self.config.precise_weights:
            weights = weights.to(parts.dtype)
        weighted = parts * weights.flatten()[order][:, None]
        back = torch.argsort(order)
        return weighted[back].view(-1, active, flat.shape[-1]).sum(1).to(flat.dtype)

    def _route(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each token's experts and their weights, shape (tokens, active), in fp32."""
        if self.config.precise_router:
            logits = functional.linear(flat.float(), self.router.weight.float())
        else:
            logits = self.router(flat).float()
        if self.config.routing == "softmax":
            scores = logits.softmax(-1)
            shares = scores
        else:
            scores = logits.sigmoid()
            shares = scores / scores.sum(-1, keepdim=True)
        chosen = self._choose(scores)
        weights = scores.gather(1, chosen)
        if self.config.renormalise:
            # Sigmoids may all be nothing.
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        used = functional.one_hot(chosen, self.config.experts).float().sum(1).mean(0)
        balance = self.config.experts / self.config.active * (used * shares.mean(0)).sum()
        return chosen, weights * self.config.scale, self.config.balance * balance

    def _choose(self, scores: Tensor) -> Tensor:
        """Each token's experts, shape (tokens, active)."""
        with torch.no_grad():
            liked = scores + self.correction if self.config.corrected else scores
            groups = self.config.groups
            if groups > 1:
                apart = liked.view(len(liked), groups, -1)
                best = apart.topk(2, dim=-1).values.sum(-1)
                # Sorted or not is one here: only who is among them counts.
                kept = best.topk(self.config.active_groups, dim=-1).indices
                outside = torch.ones_like(best, dtype=torch.bool).scatter(1, kept, value=False)
                liked = apart.masked_fill(outside[:, :, None], float("-inf")).flatten(1)
            return liked.topk(self.config.active, dim=-1, sorted=not self.config.corrected).indices

    def _experts(self, sent: Tensor, ends: Tensor) -> Tensor:
        first: Tensor = self.gate_up if self.gated else self.up
        inner = grouped_matmul(sent, first.transpose(1, 2), ends)
        if self.gated:
            gate, up = inner.chunk(2, dim=-1)
            inner = self.activation(gate) * up
        else:
            inner = self.activation(inner)
        return grouped_matmul(inner, self.down.transpose(1, 2), ends)


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
    if x.dtype == torch.float64 or (x.device.type == "cuda" and x.dtype != torch.bfloat16):
        # These have no kernel, exact types being for checks and not for speed.
        begins = [0, *ends.tolist()]
        parts = [x[a:b] @ w for a, b, w in zip(begins, begins[1:], weight, strict=False)]
        return torch.cat(parts)
    return functional.grouped_mm(x, weight, offs=ends)
