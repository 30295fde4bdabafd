"""Causal self-attention with grouped queries, a window, and a cache of keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import DecoderConfig
from zhufeng.models._layers import make_norm
from zhufeng.models._rotary import Rotary, linear_in, neighbours_order


@dataclass
class KvCache:
    """Keys and values of the tokens so far, one pair of tensors a layer.

    Each has shape (batch, kv heads, capacity, head width); the first `length` tokens count. With
    latents these are kept: the one of keys and values, and the shared turned keys.
    """

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0

    @staticmethod
    def empty(config: DecoderConfig, batch: int, capacity: int, like: Tensor) -> KvCache:
        """Room for `capacity` tokens, in the type and on the device of `like`."""
        heads, widths = config.keys, (config.per_head, config.per_head)
        if config.latent is not None:
            heads, widths = 1, (config.latent.kv_rank, config.latent.rotary_width)
        keys, values = (
            [like.new_zeros(batch, heads, capacity, width) for _ in range(config.layers)]
            for width in widths
        )
        return KvCache(keys, values)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add new tokens' keys and values; returns those of all tokens so far."""
        end = self.length + keys.shape[2]
        for kept, new in ((self.keys[layer], keys), (self.values[layer], values)):
            kept[:, :, self.length : end] = new
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]


class Attention(nn.Module):
    """softmax(q k^T / sqrt(head width)) v over each token's past."""

    order: Tensor | None

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads, self.kv_heads, self.per_head = config.heads, config.keys, config.per_head
        self.window, self.scale = config.window, scale_of(config)
        queries, keys = self.heads * self.per_head, self.kv_heads * self.per_head
        self.widths = [queries, keys, keys]
        self.qkv: nn.Linear | None = None
        if config.joint_qkv:
            self.qkv = nn.Linear(config.width, queries + 2 * keys, bias=config.qkv_bias)
        else:
            self.q = nn.Linear(config.width, queries, bias=config.qkv_bias)
            self.k = nn.Linear(config.width, keys, bias=config.qkv_bias)
            self.v = nn.Linear(config.width, keys, bias=config.qkv_bias)
        self.output = nn.Linear(queries, config.width, bias=config.output_bias)
        self.qk_norm = config.qk_norm
        if self.qk_norm != "none":
            self.q_norm = make_norm(config, self.per_head)
            self.k_norm = make_norm(config, self.per_head)
        self.rotary = Rotary(config)
        order, turned = None, config.rotary_width
        if config.rotary_order == "neighbours":
            order = neighbours_order(0, turned, self.per_head - turned)
        self.register_buffer("order", order, persistent=False)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], cache: KvCache | None = None
    ) -> Tensor:
        """Attend from the tokens `x` to themselves and to those in `cache`.

        Args:
            x: shape (batch, tokens, width).
            angles: of these tokens' positions, from `Rotary.angles`.
            cache: gains these tokens; its `length` is moved on by the decoder.
        """
        batch, tokens, _ = x.shape
        q, k, v = (part.view(batch, tokens, -1, self.per_head) for part in self._projected(x))
        q, k = self._turned(q, angles, "q"), self._turned(k, angles, "k")
        v = v.transpose(1, 2)
        if cache is not None:
            k, v = cache.put(self.layer, k, v)
        mixed = attend(q, k, v, self.window, self.scale)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        return out

    def _projected(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.qkv is not None:
            return self.qkv(x).split(self.widths, dim=-1)  # type: ignore[no-any-return]
        if self.order is not None:
            return linear_in(self.order, self.q, x), linear_in(self.order, self.k, x), self.v(x)
        return self.q(x), self.k(x), self.v(x)

    def _turned(self, x: Tensor, angles: tuple[Tensor, Tensor], which: str) -> Tensor:
        """Heads first, normalised and turned in the order that the config asks for."""
        x = x.transpose(1, 2)
        if self.order is not None:
            return self.rotary.neighbours(x, angles, halves=False)
        if self.qk_norm == "before_rotary":
            x = getattr(self, f"{which}_norm")(x)
        x = self.rotary(x, angles)
        if self.qk_norm == "after_rotary":
            x = getattr(self, f"{which}_norm")(x)
        return x


def scale_of(config: DecoderConfig) -> float:
    """By which q k^T is multiplied."""
    return config.per_head**-0.5 if config.attention_scale is None else config.attention_scale


def attend(q: Tensor, k: Tensor, v: Tensor, window: int | None, scale: float) -> Tensor:
    """Each query sees the keys up to its own token, or those of a window that ends there.

    Args:
        q: shape (batch, heads, tokens, head width); the last of all tokens.
        k: shape (batch, kv heads, all tokens, head width); `v` likewise.
        window: tokens that are seen, or None for all.
        scale: of q k^T.

    Returns:
        Shape (batch, heads, tokens, width of values).
    """
    tokens, total = q.shape[2], k.shape[2]
    plain = window is None or window >= total
    causal = plain and tokens == total
    seen = None if causal or (plain and tokens == 1) else _seen(tokens, total, window, q.device)
    grouped = q.shape[1] != k.shape[1]
    if grouped and seen is not None:
        # Kernels for groups take no mask; those that do would round gradients otherwise.
        k, v = (part.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for part in (k, v))
        grouped = False
    return functional.scaled_dot_product_attention(
        q, k, v, seen, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def _seen(tokens: int, total: int, window: int | None, device: torch.device) -> Tensor:
    """True where a query (row) may see a key (column)."""
    queries = torch.arange(total - tokens, total, device=device)[:, None]
    keys = torch.arange(total, device=device)[None, :]
    seen = keys <= queries
    return seen if window is None else seen & (keys > queries - window)
