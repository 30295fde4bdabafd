"""Rotary positions, and how their frequencies are slowed for longer sequences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models._config import DecoderConfig, RotaryScaling


class Rotary(nn.Module):
    """Rotary positions (RoFormer, Su et al. 2021), pairs by halves, over the first elements.

    Angles are computed in fp32 and turned in the type of what is turned.
    """

    inverse_wavelengths: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config, self.width = config, config.rotary_width
        scaling = config.rotary_scaling
        self.magnitude = 1.0 if scaling is None else scaling.magnitude
        self.register_buffer("inverse_wavelengths", _frequencies(config), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """A model that changes its type keeps its frequencies in fp32."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.inverse_wavelengths.dtype != torch.float32:
            device = self.inverse_wavelengths.device
            self.inverse_wavelengths = _frequencies(self.config).to(device)
        return self

    def angles(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines of shape (positions, rotary width / 2)."""
        angles = positions.float()[:, None] * self.inverse_wavelengths
        cos, sin = angles.cos(), angles.sin()
        if self.magnitude != 1.0:
            cos, sin = cos * self.magnitude, sin * self.magnitude
        return cos.to(dtype), sin.to(dtype)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """Turn `x` of shape (batch, heads, tokens, head width)."""
        if not self.width:
            return x
        first, second = x[..., : self.width].chunk(2, dim=-1)
        turned = _turned(first, second, angles)
        return torch.cat((*turned, x[..., self.width :]), dim=-1)

    def neighbours(self, x: Tensor, angles: tuple[Tensor, Tensor], *, halves: bool) -> Tensor:
        """The same where neighbours turn together; they end up as `halves`, or as they were."""
        turned = _turned(x[..., : self.width : 2], x[..., 1 : self.width : 2], angles)
        joined = torch.cat(turned, dim=-1) if halves else torch.stack(turned, dim=-1).flatten(-2)
        return torch.cat((joined, x[..., self.width :]), dim=-1)


def _turned(first: Tensor, second: Tensor, angles: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    cos, sin = angles
    return first * cos - second * sin, second * cos + first * sin


def neighbours_order(before: int, turned: int, after: int) -> Tensor:
    """Of rows that lie by halves, with others before and after them: neighbours side by side."""
    half = turned // 2
    pairs = [before + i + half * second for i in range(half) for second in (0, 1)]
    rest = range(before + turned, before + turned + after)
    return torch.tensor([*range(before), *pairs, *rest])


def linear_in(order: Tensor, linear: nn.Linear, x: Tensor) -> Tensor:
    """A product whose rows are put in an order, block by block, before they are multiplied."""
    weight = linear.weight.view(-1, len(order), x.shape[-1])[:, order].flatten(0, 1)
    bias: Tensor | None = linear.bias
    if bias is not None:
        bias = bias.view(-1, len(order))[:, order].flatten()
    return functional.linear(x, weight, bias)


def _frequencies(config: DecoderConfig) -> Tensor:
    """Radians a token, shape (rotary width / 2,), in fp32."""
    width = config.rotary_width
    even = torch.arange(0, width, 2, dtype=torch.float32)
    wavelengths = config.rotary_base ** (even / width) if width else even
    frequencies = 1.0 / wavelengths
    scaling = config.rotary_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    if scaling.kind == "llama3":
        return _llama3(frequencies, scaling)
    return _yarn(wavelengths, config.rotary_base, scaling)


def _llama3(frequencies: Tensor, scaling: RotaryScaling) -> Tensor:
    """Llama 3.1's (Meta's llama-models, 2024): blended over the turns in the trained length.

    The order of operations is that of Hugging Face, so that frequencies are the same to the bit.
    """
    wavelengths = 2 * math.pi / frequencies
    longest, shortest = scaling.trained / scaling.slow, scaling.trained / scaling.fast
    slowed = torch.where(wavelengths > longest, frequencies / scaling.factor, frequencies)
    share = (scaling.trained / wavelengths - scaling.slow) / (scaling.fast - scaling.slow)
    blended = (1 - share) * slowed / scaling.factor + share * slowed
    between = (wavelengths >= shortest) & (wavelengths <= longest)
    return torch.where(between, blended, slowed)


def _yarn(wavelengths: Tensor, base: float, scaling: RotaryScaling) -> Tensor:
    """YaRN's (Peng et al. 2023, section 3.2): blended over the places between two of them.

    The order of operations is that of Hugging Face, so that frequencies are the same to the bit.
    """
    width = 2 * len(wavelengths)

    def place(turns: float) -> float:
        trained = scaling.trained / (turns * 2 * math.pi)
        return (width * math.log(trained)) / (2 * math.log(base))

    low, high = place(scaling.fast), place(scaling.slow)
    if scaling.rounded:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    # Two places that are one would divide by nothing.
    high += 0.001 if low == high else 0
    places = torch.arange(width // 2, dtype=torch.float32)
    left = 1 - ((places - low) / (high - low)).clamp(0, 1)
    slowed = 1.0 / (scaling.factor * wavelengths)
    return slowed * (1 - left) + (1.0 / wavelengths) * left
