"""Small models of every family, with random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

from fusion_families.spark import Spark, SparkConfig
from zhufeng.base import derive_seed

SPARK = "iFlytekSpark"
_PLAIN: Mapping[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
_EXPERTS: Mapping[str, Any] = {"num_experts_per_tok": 3, "moe_intermediate_size": 16}
_GROUPS: Mapping[str, Any] = {
    **_EXPERTS,
    "n_routed_experts": 8,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 2.5,
}
_LATENT: Mapping[str, Any] = {
    **_GROUPS,
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
}
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
_YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 40.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "beta_fast": 32,
    "beta_slow": 1,
    "original_max_position_embeddings": 64,
}
_ALPHA = {"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 1000.0, "factor": 1.0}


@dataclass(frozen=True)
class Small:
    """One model: its class at transformers, and settings beside the plain ones."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)


SMALL = (
    Small("Llama", "Llama"),
    Small("Llama 3", "Llama", {"rope_parameters": _LLAMA3, "tie_word_embeddings": True}),
    Small("openPangu", "Llama", {"attention_bias": True}),
    Small("Mistral", "Mistral", {"sliding_window": 5, "head_dim": 24}),
    Small("Mixtral", "Mixtral", {"num_local_experts": 4}),
    Small("Qwen2", "Qwen2"),
    Small("Qwen2, windows", "Qwen2", {"use_sliding_window": True, "sliding_window": 5,
                                      "max_window_layers": 0}),
    Small("Qwen3", "Qwen3", {"head_dim": 24}),
    Small("Qwen3-MoE", "Qwen3Moe", {**_EXPERTS, "num_experts": 8, "head_dim": 16,
                                    "mlp_only_layers": [1]}),
    Small("HunYuan", "HunYuanDenseV1", {"head_dim": 16, "rope_parameters": _ALPHA}),
    Small("HunYuan-MoE", "HunYuanMoEV1", {"num_experts": 8, "moe_topk": 3, "head_dim": 16}),
    Small("GLM", "Glm", {"head_dim": 16}),
    Small("GLM4", "Glm4", {"head_dim": 16}),
    Small("GLM4-MoE", "Glm4Moe", {**_GROUPS, "head_dim": 16, "use_qk_norm": True,
                                  "attention_bias": True}),
    Small("DeepSeek-V3", "DeepseekV3", {**_LATENT, "q_lora_rank": 24}),
    Small("DeepSeek-V3, YaRN", "DeepseekV3", {**_LATENT, "q_lora_rank": None,
                                              "rope_parameters": _YARN}),
    Small(SPARK, SPARK, {"sparse_local_size": 5}),
)  # fmt: skip


def make(small: Small, folder: Path, seed: int) -> None:
    """Write the model into `folder`, which exists, in bf16 as checkpoints are."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = _build(small)
    stream = torch.Generator().manual_seed(derive_seed(seed, "families", small.name))
    for parameter in model.parameters():
        drawn = 0.2 * torch.randn(parameter.shape, generator=stream)
        parameter.data = drawn + (1.0 if parameter.dim() == 1 else 0.0)
    model.to(torch.bfloat16)
    for name, buffer in model.named_buffers():
        if "correction" in name:
            buffer.copy_(0.1 * torch.randn(buffer.shape, generator=stream))
    if isinstance(model, Spark):
        model.save(folder)
        return
    model.save_pretrained(folder)
    if small.name == "openPangu":
        _rename(folder)


def _build(small: Small) -> Any:
    if small.name == SPARK:
        own: dict[str, Any] = {"vocab_size": 96, "hidden_size": 64, "ffn_hidden_size": 96}
        return Spark(SparkConfig(**own, num_layers=3, num_heads=4, **small.settings))
    config = getattr(transformers, f"{small.kind}Config")(**{**_PLAIN, **small.settings})
    return getattr(transformers, f"{small.kind}ForCausalLM")(config)


def _rename(folder: Path) -> None:
    """openPangu-Embedded's settings (2025): Llama's, and one switch for all biases of attention."""
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    del settings["attention_bias"], settings["mlp_bias"], settings["pretraining_tp"]
    settings |= {
        "model_type": "PanguEmbedded",
        "architectures": ["PanguEmbeddedForCausalLM"],
        "bias": True,
    }
    path.write_text(json.dumps(settings))
