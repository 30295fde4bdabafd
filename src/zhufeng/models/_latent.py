"""Multi-head latent attention: keys and values are made from one narrow latent a token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zhufeng.models._attention import KvCache, attend, scale_of
from zhufeng.models._config import DecoderConfig, LatentConfig
from zhufeng.models._layers import make_norm
from zhufeng.models._rotary import Rotary, linear_in, neighbours_order


class LatentAttention(nn.Module):
    """DeepSeek-V2's attention (2024, section 2.1); what is cached are the latents."""

    q_order: Tensor | None
    kv_order: Tensor | None

    def __init__(self, config: DecoderConfig, latent: LatentConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.latent = layer, latent
        self.heads, self.per_head = config.heads, config.per_head
        self.unturned = self.per_head - latent.rotary_width
        self.window, self.scale = config.window, scale_of(config)
        queries, rank = self.heads * self.per_head, latent.query_rank
        bias = config.qkv_bias
        self.q_down = None if rank is None else nn.Linear(config.width, rank, bias=bias)
        self.q_norm = None if rank is None else make_norm(config, rank, latent.norm_epsilon)
        self.q_up = nn.Linear(config.width if rank is None else rank, queries, bias=False)
        down = latent.kv_rank + latent.rotary_width
        self.kv_down = nn.Linear(config.width, down, bias=bias)
        self.kv_norm = make_norm(config, latent.kv_rank, latent.norm_epsilon)
        up = self.heads * (self.unturned + latent.value_width)
        self.kv_up = nn.Linear(latent.kv_rank, up, bias=False)
        values = self.heads * latent.value_width
        self.output = nn.Linear(values, config.width, bias=config.output_bias)
        self.rotary = Rotary(config)
        orders: tuple[Tensor | None, Tensor | None] = (None, None)
        if config.rotary_order == "neighbours":
            turned = latent.rotary_width
            before = (self.unturned, latent.kv_rank)
            orders = (
                neighbours_order(before[0], turned, 0),
                neighbours_order(before[1], turned, 0),
            )
        self.register_buffer("q_order", orders[0], persistent=False)
        self.register_buffer("kv_order", orders[1], persistent=False)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], cache: KvCache | None = None
    ) -> Tensor:
        """Attend from the tokens `x` to themselves and to those in `cache`.

        Args:
            x: shape (batch, tokens, width).
            angles: of these tokens' positions, from `Rotary.angles`.
            cache: gains these tokens' latents; its `length` is moved on by the decoder.
        """
        batch, tokens, _ = x.shape
        q = self._queries(x).view(batch, tokens, self.heads, self.per_head).transpose(1, 2)
        q_plain, q_turned = q.split_with_sizes([self.unturned, self.latent.rotary_width], dim=-1)
        down = _product(self.kv_order, self.kv_down, x)
        latent, k_turned = down.split_with_sizes(
            [self.latent.kv_rank, self.latent.rotary_width], dim=-1
        )
        latent = self.kv_norm(latent)[:, None]
        q_turned = self._turned(q_turned, angles)
        k_turned = self._turned(k_turned[:, None], angles)
        if cache is not None:
            latent, k_turned = cache.put(self.layer, latent, k_turned)
        k, v = self._expanded(latent, k_turned)
        mixed = attend(torch.cat((q_plain, q_turned), dim=-1), k, v, self.window, self.scale)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        return out

    def _queries(self, x: Tensor) -> Tensor:
        if self.q_down is not None:
            assert self.q_norm is not None
            x = self.q_norm(self.q_down(x))
        return _product(self.q_order, self.q_up, x)

    def _turned(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        if self.q_order is None:
            turned: Tensor = self.rotary(x, angles)
            return turned
        return self.rotary.neighbours(x, angles, halves=True)

    def _expanded(self, latent: Tensor, k_turned: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of shape (batch, heads, all tokens, width)."""
        up = self.kv_up(latent[:, 0]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k_plain, v = up.split_with_sizes([self.unturned, self.latent.value_width], dim=-1)
        k = torch.cat((k_plain, k_turned.expand(-1, self.heads, -1, -1)), dim=-1)
        return k, v


def _product(order: Tensor | None, linear: nn.Linear, x: Tensor) -> Tensor:
    if order is not None:
        return linear_in(order, linear, x)
    product: Tensor = linear(x)
    return product
