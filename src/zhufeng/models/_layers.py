"""Norms, rotary positions and the plain feed-forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import Activation, DecoderConfig


def relu2(x: Tensor) -> Tensor:
    """Squared ReLU (Primer, So et al. 2021)."""
    return functional.relu(x).square()


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by its tanh approximation (GPT-2's)."""
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": gelu_tanh,
    "relu2": relu2,
}


class RmsNorm(nn.Module):
    """x / rms(x) * weight over the last dimension, computed in at least fp32 as Llama does."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., width), as it came."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return (wide * scale).to(x.dtype) * self.weight.to(x.dtype)


def make_norm(config: DecoderConfig, width: int | None = None) -> nn.Module:
    """The norm that the config asks for, over the residual stream or over `width`."""
    wide = config.width if width is None else width
    if config.norm == "rms":
        return RmsNorm(wide, config.norm_epsilon)
    return nn.LayerNorm(wide, config.norm_epsilon, bias=config.norm_bias)


class Rotary(nn.Module):
    """Rotary positions (RoFormer, Su et al. 2021), pairs by halves, over the first elements.

    Angles are computed in fp32 and turned in the type of what is turned.
    """

    inverse_wavelengths: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.width = config.rotary_width
        even = torch.arange(0, self.width, 2, dtype=torch.float32)
        wavelengths = config.rotary_base ** (even / self.width) if self.width else even
        self.register_buffer("inverse_wavelengths", 1.0 / wavelengths, persistent=False)

    def angles(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines of shape (positions, rotary width / 2)."""
        angles = positions.float()[:, None] * self.inverse_wavelengths.float()
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """Turn `x` of shape (batch, heads, tokens, head width)."""
        if not self.width:
            return x
        cos, sin = angles
        first, second = x[..., : self.width].chunk(2, dim=-1)
        turned = (first * cos - second * sin, second * cos + first * sin)
        return torch.cat((*turned, x[..., self.width :]), dim=-1)


class FeedForward(nn.Module):
    """down(activation(up(x))), or down(activation(gate(x)) * up(x)) where gated."""

    def __init__(self, config: DecoderConfig, ff_width: int) -> None:
        super().__init__()
        wide, bias = config.width, config.ff_bias
        self.gate = nn.Linear(wide, ff_width, bias=bias) if config.gated else None
        self.up = nn.Linear(wide, ff_width, bias=bias)
        self.down = nn.Linear(ff_width, wide, bias=bias)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., width), as it came."""
        up: Tensor = self.up(x)
        inner = self.activation(up) if self.gate is None else self.activation(self.gate(x)) * up
        down: Tensor = self.down(inner)
        return down
