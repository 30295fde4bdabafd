"""Small models to capture, and closed formulas of their products' flops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models import Decoder, DecoderConfig, MoeConfig, initialise

VOCABULARY, BATCH, TOKENS = 128, 2, 24
WIDTH, FF, LAYERS, HEADS, KEYS, HEAD = 64, 96, 2, 4, 2, 16


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], tuple[nn.Module, Any]]
    """A module and its batch."""
    forward_flops: int | None = None
    """Of all matrix products of one forward pass, by the formula of its architecture."""


def attention_flops(*, layers: int = LAYERS) -> int:
    """q, k, v and output projections, and the two products of attention, in all layers."""
    tokens = BATCH * TOKENS
    projections = 2 * tokens * WIDTH * HEAD * (2 * HEADS + 2 * KEYS)
    scores_and_mixing = 2 * (2 * BATCH * HEADS * TOKENS**2 * HEAD)
    return layers * (projections + scores_and_mixing)


def head_flops() -> int:
    return 2 * BATCH * TOKENS * WIDTH * VOCABULARY


def ff_flops(matrices: int, width: int = FF) -> int:
    """Feed-forwards of `matrices` matrices in all layers."""
    return LAYERS * matrices * 2 * BATCH * TOKENS * WIDTH * width


def moe_flops(matrices: int, experts: int, active: int, width: int) -> int:
    router = LAYERS * 2 * BATCH * TOKENS * WIDTH * experts
    return router + active * ff_flops(matrices, width)


DENSE = attention_flops() + head_flops() + ff_flops(3)


def tokens() -> Tensor:
    return torch.randint(0, VOCABULARY, (BATCH, TOKENS))


def hugging_face(name: str, experts: str | None = None, **more: Any) -> Any:
    """A tiny random model of a Hugging Face family."""

    def make() -> tuple[nn.Module, Any]:
        config = getattr(transformers, f"{name}Config")(
            hidden_size=WIDTH,
            intermediate_size=FF,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=KEYS,
            head_dim=HEAD,
            vocab_size=VOCABULARY,
            max_position_embeddings=128,
            pad_token_id=None,
            bos_token_id=0,
            eos_token_id=0,
            **more,
        )
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}ForCausalLM")(config)
        if experts:
            model.set_experts_implementation(experts)
        x = tokens()
        return model.train(), {"input_ids": x, "labels": x.clone()}

    return make


def decoder(**switches: Any) -> Any:
    def make() -> tuple[nn.Module, Any]:
        sizes = {
            "vocabulary": VOCABULARY,
            "layers": LAYERS,
            "width": WIDTH,
            "heads": HEADS,
            "kv_heads": KEYS,
            "ff_width": FF,
        }
        torch.manual_seed(0)
        model = Decoder(DecoderConfig(**{**sizes, **switches}))
        initialise(model, 0)
        x = tokens()
        return model, (x, x.roll(-1, 1))

    return make


class WithLoss(nn.Module):
    """A classifier with its loss."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(self.body(x), targets)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.norm(self.first(x)))
        return functional.relu(x + self.second(inner))


def resnet() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    stem = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
    body = nn.Sequential(
        stem, Residual(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    )
    return WithLoss(body), (torch.randn(4, 3, 16, 16), torch.randint(0, 10, (4,)))


def mlp() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
    return WithLoss(nn.Sequential(body, nn.Linear(32, 10))), (
        torch.randn(8, 20),
        torch.randint(0, 10, (8,)),
    )


QWEN_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_MOE_FORWARD = attention_flops() + head_flops() + moe_flops(3, 4, 2, 32)

CASES = (
    Case("llama", hugging_face("Llama"), DENSE),
    Case("qwen3", hugging_face("Qwen3"), DENSE),
    Case("glm4", hugging_face("Glm4"), DENSE),
    Case("qwen3-moe-grouped", hugging_face("Qwen3Moe", "grouped_mm", **QWEN_MOE), _MOE_FORWARD),
    Case("qwen3-moe-batched", hugging_face("Qwen3Moe", "batched_mm", **QWEN_MOE), _MOE_FORWARD),
    Case("hunyuan", hugging_face("HunYuanDenseV1"), DENSE),
    Case("decoder-llama", decoder(), DENSE),
    Case(
        "decoder-gpt",
        decoder(
            norm="layer",
            gated=False,
            activation="gelu",
            qkv_bias=True,
            output_bias=True,
            ff_bias=True,
            tied=True,
        ),
        attention_flops() + head_flops() + ff_flops(2),
    ),
    Case(
        "decoder-window",
        decoder(window=7, qk_norm="after_rotary", rotary_fraction=0.5, activation="relu2"),
        DENSE,
    ),
    Case(
        "decoder-moe",
        decoder(
            qk_norm="before_rotary",
            moe=MoeConfig(
                experts=4,
                active=2,
                ff_width=32,
                shared_ff_width=16,
                routing="sigmoid",
                balance=0.01,
            ),
        ),
        attention_flops() + head_flops() + moe_flops(3, 4, 2, 32) + ff_flops(3, 16),
    ),
    Case("resnet", resnet),
    Case("mlp", mlp, 2 * 8 * (20 * 32 + 32 * 32 + 32 * 10)),
)
