"""Hugging Face's models as independent implementations: tiny ones, and how weights map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from zhufeng.models import Decoder, DecoderConfig, MoeConfig

ROPE = {"rope_type": "default", "rope_theta": 500.0}
HALF_ROPE = {**ROPE, "partial_rotary_factor": 0.5}


@dataclass(frozen=True)
class Family:
    """One architecture: its name at Hugging Face, its settings there and here."""

    name: str
    theirs: dict[str, Any]
    ours: dict[str, Any]
    exact: bool = False
    """Whether theirs computes in fp64 throughout; else its norms are fp32's."""
    renamed: dict[str, str] = field(default_factory=dict)
    gains_less_one: bool = False
    """Whether theirs keeps a norm's gain - 1."""

    @property
    def dtype(self) -> torch.dtype:
        """Experts' grouped products have no fp64."""
        return torch.float32 if self.ours.get("moe") else torch.float64


def rms(epsilon: float = 1e-5, **more: Any) -> dict[str, Any]:
    return {"rms_norm_eps": epsilon, **more}


FAMILIES = [
    Family("Llama", rms(), {}),
    Family("Llama", rms(tie_word_embeddings=True), {"tied": True}),
    Family("Qwen2", rms(), {"qkv_bias": True}),
    Family("Qwen3", rms(head_dim=12), {"qk_norm": "before_rotary", "head_width": 12}),
    Family(
        "HunYuanDenseV1",
        rms(head_dim=12),
        {"qk_norm": "after_rotary", "head_width": 12},
        renamed={
            "attention.q_norm": "self_attn.query_layernorm",
            "attention.k_norm": "self_attn.key_layernorm",
        },
    ),
    *(
        Family(
            "Starcoder2",
            {"sliding_window": 5, "hidden_act": theirs, "use_bias": True, "norm_epsilon": 1e-5},
            {
                "norm": "layer",
                "activation": ours,
                "gated": False,
                "window": 5,
                "tied": True,
                "qkv_bias": True,
                "output_bias": True,
                "ff_bias": True,
            },
            exact=True,
            renamed={"feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"},
        )
        for theirs, ours in (("gelu_pytorch_tanh", "gelu_tanh"), ("gelu", "gelu"))
    ),
    Family("Mistral", rms(sliding_window=5), {"window": 5}),
    Family(
        "Mixtral",
        rms(num_local_experts=4, num_experts_per_tok=2),
        {"moe": MoeConfig(experts=4, active=2, ff_width=24)},
    ),
    Family(
        "Qwen3Moe",
        rms(
            num_experts=6,
            num_experts_per_tok=3,
            moe_intermediate_size=8,
            norm_topk_prob=False,
            head_dim=8,
        ),
        {
            "qk_norm": "before_rotary",
            "moe": MoeConfig(experts=6, active=3, ff_width=8, renormalise=False),
        },
    ),
    Family(
        "StableLm",
        {"use_qkv_bias": True, "layer_norm_eps": 1e-5, "rope_parameters": HALF_ROPE},
        {"norm": "layer", "qkv_bias": True, "rotary_fraction": 0.5},
        exact=True,
    ),
    Family(
        "Nemotron",
        {"hidden_act": "relu2", "norm_eps": 1e-5, "head_dim": 8, "rope_parameters": HALF_ROPE},
        {"norm": "layer", "activation": "relu2", "gated": False, "rotary_fraction": 0.5},
        gains_less_one=True,
    ),
]

# Ours to theirs, a layer's within the layer.
RENAMED = {
    "embedding": "model.embed_tokens",
    "norm": "model.norm",
    "head": "lm_head",
    "attention_norm": "input_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention.q_norm": "self_attn.q_norm",
    "attention.k_norm": "self_attn.k_norm",
    "ff_norm": "post_attention_layernorm",
    "feed_forward.router": "mlp.gate",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}


def build(family: Family) -> tuple[nn.Module, Decoder]:
    """Theirs and ours, with the same random weights, biases and gains."""
    theirs = getattr(transformers, f"{family.name}ForCausalLM")(_their_config(family))
    theirs = theirs.to(family.dtype)
    stream = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        drawn = torch.randn(parameter.shape, generator=stream)
        parameter.data = (0.2 * drawn + (1.0 if parameter.dim() == 1 else 0.0)).to(family.dtype)
    plain = {"vocabulary": 40, "layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "ff_width": 24}
    ours = Decoder(DecoderConfig(**{**plain, "rotary_base": 500.0, **family.ours}))
    values = {name: p.data for name, p in theirs.named_parameters()}
    for name, parameter in ours.to(family.dtype).named_parameters():
        value = mapped(family, name, values)
        is_gain = "norm" in name and name.endswith("weight")
        parameter.data = value + 1 if is_gain and family.gains_less_one else value.clone()
    return theirs, ours


def _their_config(family: Family) -> Any:
    plain = {
        "vocab_size": 40,
        "hidden_size": 32,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": ROPE,
        # Eager attention has its softmax in fp32 whatever the type.
        "attn_implementation": "sdpa" if family.exact else "eager",
        "experts_implementation": "eager",
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": bool(family.ours.get("tied")),
    }
    kind = getattr(transformers, f"{family.name}Config")
    return kind(**{**plain, **family.theirs})


def mapped(family: Family, name: str, theirs: dict[str, Tensor]) -> Tensor:
    """What theirs holds (weights or gradients) for our parameter `name`, in our layout."""
    parts = name.split(".")
    layer = f"model.layers.{parts[1]}." if parts[0] == "layers" else ""
    inner = ".".join(parts[2:] if layer else parts)
    if family.ours.get("moe") and inner.endswith((".gate_up", ".down")):
        return theirs[f"{layer}mlp.experts.{inner.rpartition('.')[2]}_proj"]
    stem, _, kind = inner.rpartition(".")
    return theirs[f"{layer}{({**RENAMED, **family.renamed})[stem]}.{kind}"]
