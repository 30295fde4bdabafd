"""A model of the same class at a size that fits any machine, to check gradients on.

Two layers, narrow, with every switch as it was: experts stay experts, a window a window.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zhufeng.models import DecoderConfig

_LAYERS, _WIDTH, _HEADS, _HEAD_WIDTH, _FF, _VOCABULARY, _EXPERTS = 2, 64, 4, 16, 96, 256, 8

# What Hugging Face's families call their sizes, and what they become here at most.
_AT_MOST: Mapping[str, int] = {
    "hidden_size": _WIDTH, "n_embd": _WIDTH, "d_model": _WIDTH, "embed_dim": _WIDTH,
    "intermediate_size": _FF, "n_inner": _FF, "ffn_dim": _FF, "d_ff": _FF, "ffn_hidden_size": _FF,
    "encoder_ffn_dim": _FF, "decoder_ffn_dim": _FF, "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32, "word_embed_proj_dim": _WIDTH,
    "num_hidden_layers": _LAYERS, "n_layer": _LAYERS, "num_layers": _LAYERS, "n_layers": _LAYERS,
    "encoder_layers": _LAYERS, "decoder_layers": _LAYERS, "num_decoder_layers": _LAYERS,
    "num_attention_heads": _HEADS, "n_head": _HEADS, "num_heads": _HEADS,
    "encoder_attention_heads": _HEADS, "decoder_attention_heads": _HEADS,
    "num_key_value_heads": _HEADS, "num_kv_heads": _HEADS,
    "head_dim": _HEAD_WIDTH, "d_kv": _HEAD_WIDTH, "kv_channels": _HEAD_WIDTH,
    "attention_head_dim": _HEAD_WIDTH,
    "vocab_size": _VOCABULARY, "vocab_size_per_layer_input": _VOCABULARY,
    "num_experts": _EXPERTS, "num_local_experts": _EXPERTS, "n_routed_experts": _EXPERTS,
    "num_experts_per_tok": 2, "moe_topk": 2, "top_k_experts": 2, "n_group": 2, "topk_group": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 24, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
    "v_head_dim": 16, "query_pre_attn_scalar": _HEAD_WIDTH,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


def shrunk_decoder(config: DecoderConfig) -> DecoderConfig:
    """The same switches, two narrow layers."""
    heads = min(config.heads, _HEADS)
    shared = max(1, config.heads // config.keys)
    moe = config.moe and replace(
        config.moe,
        experts=min(config.moe.experts, _EXPERTS),
        active=min(config.moe.active, 2),
        ff_width=32,
        shared_ff_width=32 if config.moe.shared_ff_width else 0,
    )
    return replace(
        config,
        vocabulary=min(config.vocabulary, _VOCABULARY),
        layers=_LAYERS,
        width=_WIDTH,
        heads=heads,
        kv_heads=max(1, heads // min(shared, heads)),
        head_width=_HEAD_WIDTH,
        ff_width=_FF,
        moe=moe,
        window=config.window and min(config.window, 8),
    )


def shrunk_hugging_face(config: Any) -> Any:
    """The same configuration with every size that is known at most as above."""
    small = copy.deepcopy(config)
    ratio = _share_of_queries(config)
    for name, most in _AT_MOST.items():
        value = getattr(small, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            setattr(small, name, min(value, most))
    for name in ("num_key_value_heads", "num_kv_heads"):
        if getattr(small, name, None) is not None:
            setattr(small, name, max(1, _HEADS // ratio))
    if getattr(small, "qk_rope_head_dim", None) is not None:
        # Multi-head latent attention: every query has its key, and what turns is the head's width.
        small.num_key_value_heads, small.head_dim = _HEADS, small.qk_rope_head_dim
    for name in ("layer_types", "mlp_layer_types", "no_rope_layers", "sparse_layers"):
        if isinstance(kinds := getattr(small, name, None), list):
            setattr(small, name, _one_of_each(kinds))
    for name in _TOKENS:
        if getattr(small, name, None) is not None:
            setattr(small, name, None)
    return small


def _share_of_queries(config: Any) -> int:
    """Queries to each key, a power of two that the small number of heads allows."""
    heads = getattr(config, "num_attention_heads", None) or _HEADS
    keys = getattr(config, "num_key_value_heads", None) or heads
    return min(_HEADS, 2 if heads > keys > 1 else _HEADS if keys == 1 else 1)


def _one_of_each(kinds: list[Any]) -> list[Any]:
    """Two layers that show the first and the last kind there is."""
    different = list(dict.fromkeys(map(str, kinds)))
    by_name = {str(kind): kind for kind in kinds}
    return [by_name[different[0]], by_name[different[-1]]]
