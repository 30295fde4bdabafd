"""iFlytek Spark-13B, as published in MindFormers (research/iflytekspark, 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zhufeng.fusion.families._settings import Settings
from zhufeng.models import DecoderConfig

if TYPE_CHECKING:
    from zhufeng.fusion.families._family import Family

# 'gelu' is MindSpore's, which is the approximation by tanh.
_ACTIVATIONS = {"fast_gelu": "fast_gelu", "gelu": "gelu_tanh"}
# Not a setting there.
_BASE = 1e6


def read_spark(family: Family, s: Settings) -> DecoderConfig:
    """'ffn_hidden_size' counts the gate and the other projection together."""
    activation = s.take("hidden_act", str, "fast_gelu")
    if activation not in _ACTIVATIONS:
        raise s.refused("'hidden_act' = 'fast_gelu' or 'gelu'", repr(activation))
    both = s.take("ffn_hidden_size", int)
    if both % 2:
        raise s.refused("'ffn_hidden_size' that 2 divides", str(both))
    s.must("post_layernorm_residual", False)
    s.must("apply_residual_connection_post_layernorm", False)
    for name in ("layernorm_compute_type", "softmax_compute_type", "compute_type"):
        s.take(name, str, "", "embedding_init_type")
    return DecoderConfig(
        vocabulary=s.take("vocab_size", int),
        layers=s.take("num_layers", int),
        width=s.take("hidden_size", int),
        heads=s.take("num_heads", int),
        ff_width=both // 2,
        norm_epsilon=s.take("layernorm_epsilon", float, 1e-5),
        window=s.take("sparse_local_size", int, None),
        activation=_ACTIVATIONS[activation],  # type: ignore[arg-type]
        **family.fixed,  # type: ignore[arg-type]
    )


def write_spark(config: DecoderConfig) -> dict[str, Any]:
    """The same, written."""
    back = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}
    return {
        "architectures": ["IFlytekSparkModelForCasualLM"],
        "model_type": "iflytekspark",
        "vocab_size": config.vocabulary,
        "num_layers": config.layers,
        "hidden_size": config.width,
        "num_heads": config.heads,
        "ffn_hidden_size": 2 * config.ff_width,
        "layernorm_epsilon": config.norm_epsilon,
        "sparse_local_size": config.window,
        "hidden_act": back.get(config.activation, "fast_gelu"),
    }


SPARK_FIXED = {
    "norm": "layer",
    "qkv_bias": True,
    "output_bias": True,
    "ff_bias": True,
    "joint_qkv": True,
    "rotary_base": _BASE,
    "tied": True,
}
SPARK_NAMES = {
    "attention_norm": "layer_norm",
    "attention.qkv": "attention.q_k_v_proj",
    "attention.output": "attention.out_proj",
    "ff_norm": "final_layer_norm",
    "feed_forward.gate": "mlp.fc0",
    "feed_forward.up": "mlp.fc1",
    "feed_forward.down": "mlp.fc2",
}
SPARK_OUTER = {
    "embedding": "transformer.embedding.word_embeddings",
    "norm": "transformer.transformer.layernorm",
    "head": "lm_head",
}
