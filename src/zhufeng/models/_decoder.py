"""The one decoder: embedding, layers of attention and feed-forward, norm, head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.base import derive_seed
from zhufeng.models._attention import Attention, KvCache
from zhufeng.models._config import DecoderConfig
from zhufeng.models._latent import LatentAttention
from zhufeng.models._layers import FeedForward, make_norm
from zhufeng.models._moe import Moe

# Positions whose target is this are not learned from (torch's and Hugging Face's convention).
IGNORED = -100
# GPT-2's; the two projections that end on the residual stream start smaller.
_SPREAD = 0.02


@dataclass
class DecoderOutput:
    """What a decoder returns."""

    logits: Tensor
    """Shape (batch, tokens, vocabulary)."""
    loss: Tensor | None = None
    """Mean over the targets, in nats, in fp32; with the balance loss of experts."""


class Layer(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention: Attention | LatentAttention = (
            LatentAttention(config, config.latent, layer)
            if config.latent
            else Attention(config, layer)
        )
        self.ff_norm = make_norm(config)
        moe = config.moe_of(layer)
        self.feed_forward = (
            Moe(config, moe)
            if moe
            else FeedForward(config, config.ff_width, joint=config.joint_gate)
        )
        self.attention_end_norm = make_norm(config) if config.sandwich else None
        self.ff_end_norm = make_norm(config) if config.sandwich else None

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], cache: KvCache | None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the residual stream and the balance loss of experts, if any."""
        inner = self.attention(self.attention_norm(x), angles, cache)
        x = x + (inner if self.attention_end_norm is None else self.attention_end_norm(inner))
        inner, balance = self.feed_forward(self.ff_norm(x)), None
        if isinstance(inner, tuple):
            inner, balance = inner
        return x + (inner if self.ff_end_norm is None else self.ff_end_norm(inner)), balance


class Decoder(nn.Module):
    """A decoder-only language model.

    Its weights are empty until `initialise` draws them or a checkpoint is loaded.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.norm = make_norm(config)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, cache: KvCache | None = None
    ) -> DecoderOutput:
        """Predict each next token.

        Args:
            tokens: shape (batch, tokens), integers.
            targets: the token that follows each, same shape; `IGNORED` where none is learned.
            cache: keys and values of earlier tokens; gains these.
        """
        start = cache.length if cache else 0
        x = self.embedding(tokens)
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        first: Layer = self.layers[0]  # type: ignore[assignment]
        angles = first.attention.rotary.angles(positions, x.dtype)
        balances = []
        for layer in self.layers:
            x, balance = layer(x, angles, cache)
            balances += [] if balance is None else [balance]
        if cache:
            cache.length += tokens.shape[1]
        logits = self.head(self.norm(x))
        if targets is None:
            return DecoderOutput(logits)
        loss = functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED
        )
        return DecoderOutput(logits, loss + sum(balances) / len(balances) if balances else loss)


def initialise(model: nn.Module, seed: int) -> None:
    """Draw a decoder's weights: matrices from N(0, 0.02²), gains 1, biases 0.

    Projections that end on the residual stream are smaller by sqrt(2 layers) (GPT-2). Each
    parameter has its own stream, named as it is, so that the order of building does not matter.
    """
    layers = getattr(getattr(model, "config", None), "layers", 1)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
            else:
                ends = name.endswith(("output.weight", "down.weight", "down"))
                spread = _SPREAD / (2 * layers) ** 0.5 if ends else _SPREAD
                stream = torch.Generator().manual_seed(derive_seed(seed, "weights", name))
                drawn = torch.randn(parameter.shape, generator=stream) * spread
                parameter.copy_(drawn)
