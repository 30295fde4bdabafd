"""Causal self-attention with grouped queries, a window, and a cache of keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import DecoderConfig
from zhufeng.models._layers import Rotary, make_norm


@dataclass
class KvCache:
    """Keys and values of the tokens so far, one pair of tensors a layer.

    Each has shape (batch, kv heads, capacity, head width); the first `length` tokens count.
    """

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0

    @staticmethod
    def empty(config: DecoderConfig, batch: int, capacity: int, like: Tensor) -> KvCache:
        """Room for `capacity` tokens, in the type and on the device of `like`."""
        shape = (batch, config.keys, capacity, config.per_head)
        keys, values = ([like.new_zeros(shape) for _ in range(config.layers)] for _ in range(2))
        return KvCache(keys, values)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add new tokens' keys and values; returns those of all tokens so far."""
        end = self.length + keys.shape[2]
        for kept, new in ((self.keys[layer], keys), (self.values[layer], values)):
            kept[:, :, self.length : end] = new
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]


class Attention(nn.Module):
    """softmax(q k^T / sqrt(head width)) v over each token's past."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads, self.kv_heads, self.per_head = config.heads, config.keys, config.per_head
        self.window = config.window
        queries, keys = self.heads * self.per_head, self.kv_heads * self.per_head
        self.q = nn.Linear(config.width, queries, bias=config.qkv_bias)
        self.k = nn.Linear(config.width, keys, bias=config.qkv_bias)
        self.v = nn.Linear(config.width, keys, bias=config.qkv_bias)
        self.output = nn.Linear(queries, config.width, bias=config.output_bias)
        self.qk_norm = config.qk_norm
        if self.qk_norm != "none":
            self.q_norm = make_norm(config, self.per_head)
            self.k_norm = make_norm(config, self.per_head)
        self.rotary = Rotary(config)

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
        q = self._turned(self.q(x).view(batch, tokens, self.heads, -1), angles, "q")
        k = self._turned(self.k(x).view(batch, tokens, self.kv_heads, -1), angles, "k")
        v = self.v(x).view(batch, tokens, self.kv_heads, -1).transpose(1, 2)
        if cache is not None:
            k, v = cache.put(self.layer, k, v)
        mixed = self._attend(q, k, v)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        return out

    def _turned(self, x: Tensor, angles: tuple[Tensor, Tensor], which: str) -> Tensor:
        """Heads first, normalised and turned in the order that the config asks for."""
        x = x.transpose(1, 2)
        if self.qk_norm == "before_rotary":
            x = getattr(self, f"{which}_norm")(x)
        x = self.rotary(x, angles)
        if self.qk_norm == "after_rotary":
            x = getattr(self, f"{which}_norm")(x)
        return x

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        tokens, total = q.shape[2], k.shape[2]
        plain = self.window is None or self.window >= total
        causal = plain and tokens == total
        mask = None if causal or (plain and tokens == 1) else self._mask(tokens, total, q.device)
        return functional.scaled_dot_product_attention(
            q, k, v, mask, is_causal=causal, enable_gqa=self.heads != self.kv_heads
        )

    def _mask(self, tokens: int, total: int, device: torch.device) -> Tensor:
        """True where a query (row) may see a key (column)."""
        queries = torch.arange(total - tokens, total, device=device)[:, None]
        keys = torch.arange(total, device=device)[None, :]
        seen = keys <= queries
        return seen if self.window is None else seen & (keys > queries - self.window)
