"""Norms and the plain feed-forward."""

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


def fast_gelu(x: Tensor) -> Tensor:
    """x sigmoid(1.702 x) (GELU, Hendrycks and Gimpel 2016, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": gelu_tanh,
    "fast_gelu": fast_gelu,
    "relu2": relu2,
}


class RmsNorm(nn.Module):
    """x / rms(x) * weight over the last dimension, computed in fp32 as Llama does: in fp64 too."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., width), as it came."""
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return (wide * scale).to(x.dtype) * self.weight.to(x.dtype)


def make_norm(
    config: DecoderConfig, width: int | None = None, epsilon: float | None = None
) -> nn.Module:
    """The norm that the config asks for, over the residual stream or over `width`."""
    wide = config.width if width is None else width
    small = config.norm_epsilon if epsilon is None else epsilon
    if config.norm == "rms":
        return RmsNorm(wide, small)
    return nn.LayerNorm(wide, small, bias=config.norm_bias)


class FeedForward(nn.Module):
    """down(activation(up(x))), or down(activation(gate(x)) * up(x)) where gated."""

    def __init__(self, config: DecoderConfig, ff_width: int, *, joint: bool = False) -> None:
        super().__init__()
        wide, bias = config.width, config.ff_bias
        self.gate_up = nn.Linear(wide, 2 * ff_width, bias=bias) if joint else None
        apart = config.gated and not joint
        self.gate = nn.Linear(wide, ff_width, bias=bias) if apart else None
        self.up = None if joint else nn.Linear(wide, ff_width, bias=bias)
        self.down = nn.Linear(ff_width, wide, bias=bias)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., width), as it came."""
        down: Tensor = self.down(self._inner(x))
        return down

    def _inner(self, x: Tensor) -> Tensor:
        if self.gate_up is not None:
            gate, up = self.gate_up(x).chunk(2, dim=-1)
            joint: Tensor = self.activation(gate) * up
            return joint
        assert self.up is not None
        if self.gate is None:
            return self.activation(self.up(x))
        # The order of the products is that of Llama: gradients are added in the reverse order.
        inner: Tensor = self.activation(self.gate(x)) * self.up(x)
        return inner
