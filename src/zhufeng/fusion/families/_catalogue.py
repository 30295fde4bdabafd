"""The families that are understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zhufeng.base import InputError, nearest, shown
from zhufeng.fusion.families._deepseek import (
    read_groups,
    read_latent,
    write_groups,
    write_latent,
)
from zhufeng.fusion.families._family import Experts, Family, Fields
from zhufeng.fusion.families._settings import Settings
from zhufeng.fusion.families._spark import (
    SPARK_FIXED,
    SPARK_NAMES,
    SPARK_OUTER,
    read_spark,
    write_spark,
)
from zhufeng.models import DecoderConfig

_BIASES = ("qkv_bias", "output_bias")
_WINDOW = {"sliding_window": (("window",), None)}
_SIGMOID = {
    "routing": "sigmoid",
    "corrected": True,
    "precise_router": True,
    "precise_weights": True,
}


def _windows(s: Settings, fields: Fields) -> None:
    """Qwen's: a window that counts only where it is switched on, for the layers that are named."""
    s.off("use_mrope")
    window = s.take("sliding_window", int, None)
    kinds = s.many("layer_types", str)
    first = s.take("max_window_layers", int, 28)
    if not s.take("use_sliding_window", bool, False):
        return
    if kinds is None:
        layers = range(fields["layers"])
        kinds = ["sliding_attention" if i >= first else "full_attention" for i in layers]
    found = sorted(set(kinds))
    if found != ["sliding_attention"]:
        raise s.refused("'layer_types' of one kind where windows are used", shown(repr(found)))
    fields["window"] = window


def _told_windows(config: DecoderConfig) -> Fields:
    kind = "full_attention" if config.window is None else "sliding_attention"
    return {
        "use_sliding_window": config.window is not None,
        "max_window_layers": 0 if config.window is not None else config.layers,
        "sliding_window": config.window,
        "layer_types": [kind] * config.layers,
    }


def _qwen_experts(s: Settings, fields: Fields) -> None:
    _windows(s, fields)
    step = s.take("decoder_sparse_step", int, 1)
    plain = s.many("mlp_only_layers", int) or []
    dense = {i for i in range(fields["layers"]) if (i + 1) % max(step, 1) or i in plain}
    fields["moe"]["dense_layers"] = tuple(sorted(dense))


def _told_qwen_experts(config: DecoderConfig) -> Fields:
    dense = () if config.moe is None else config.moe.dense_layers
    return {"mlp_only_layers": list(dense), **_told_windows(config)}


def _hunyuan_experts(s: Settings, fields: Fields) -> None:
    """Every expert, the shared one too, is as wide as 'intermediate_size'."""
    for name, wanted in (("num_shared_expert", 1), ("moe_intermediate_size", fields["ff_width"])):
        if s.alike(name) not in (None, wanted):
            raise s.refused(f"'{name}' = {wanted}", shown(repr(s.alike(name))))
    s.must("use_mixed_mlp_moe", True)
    s.must("norm_topk_prob", True)
    s.must("routed_scaling_factor", False, 1.0)
    s.must("capacity_factor", 1.0)
    s.off("moe_layer_num_skipped", "moe_drop_tokens", "moe_random_routing_dropped_token")
    s.off("group_limited_greedy", "n_group", "topk_group", "use_mla")
    s.off("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    fields["moe"]["shared_ff_width"] = fields["ff_width"]
    _hunyuan(s, fields)


def _hunyuan(s: Settings, _: Fields) -> None:
    """What Tencent's files say beside, of pictures and of what was tried."""
    s.must("use_qk_norm", True)
    s.must("use_rotary_pos_emb", True)
    s.must("norm_type", "rms")
    s.must("org_vocab_size", s.values.get("vocab_size"))
    s.off("use_cla", "mlp_bias", "add_classification_head", "position_embedding_xdrope")
    s.off("xdrope_section", "class_num", "skip_cls_token")
    s.read |= {"cla_share_factor", "dense_list", "pool_type", "num_media_embeds"}
    s.off(*(name for name in s.values if str(name).startswith(("vit_", "anyres_"))))


def _glm_experts(s: Settings, fields: Fields) -> None:
    read_groups(s, fields)
    if s.take("use_qk_norm", bool, False):
        fields["qk_norm"] = "before_rotary"


def _told_glm_experts(config: DecoderConfig) -> Fields:
    return {**write_groups(config), "use_qk_norm": config.qk_norm == "before_rotary"}


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "llama",
            "LlamaForCausalLM",
            "LlamaForCausalLM",
            keys={"attention_bias": (_BIASES, False), "mlp_bias": (("ff_bias",), False)},
        ),
        Family(
            "PanguEmbedded",
            "PanguEmbeddedForCausalLM",
            "",
            keys={"bias": (_BIASES, True)},
        ),
        Family("mistral", "MistralForCausalLM", "MistralForCausalLM", keys=_WINDOW),
        Family(
            "mixtral",
            "MixtralForCausalLM",
            "MixtralForCausalLM",
            keys=_WINDOW,
            epsilon=1e-5,
            base=1e6,
            experts=Experts(
                ("num_local_experts",),
                ff_width="intermediate_size",
                renormalise=None,
                fixed={"precise_weights": True},
                block="block_sparse_moe.experts",
                names=("w1", "w3", "w2"),
            ),
            names={"feed_forward.router": "block_sparse_moe.gate"},
        ),
        Family(
            "qwen2",
            "Qwen2ForCausalLM",
            "Qwen2ForCausalLM",
            fixed={"qkv_bias": True},
            more=_windows,
            told=_told_windows,
        ),
        Family(
            "qwen3",
            "Qwen3ForCausalLM",
            "Qwen3ForCausalLM",
            fixed={"qk_norm": "before_rotary"},
            keys={"attention_bias": (_BIASES, False)},
            more=_windows,
            told=_told_windows,
        ),
        Family(
            "qwen3_moe",
            "Qwen3MoeForCausalLM",
            "Qwen3MoeForCausalLM",
            fixed={"qk_norm": "before_rotary"},
            keys={"attention_bias": (_BIASES, False)},
            experts=Experts(("num_experts", "num_local_experts")),
            more=_qwen_experts,
            told=_told_qwen_experts,
        ),
        Family(
            "hunyuan_v1_dense",
            "HunYuanDenseV1ForCausalLM",
            "HunYuanDenseV1ForCausalLM",
            fixed={"qk_norm": "after_rotary"},
            keys={"attention_bias": (_BIASES, False)},
            epsilon=1e-5,
            names={
                "attention.q_norm": "self_attn.query_layernorm",
                "attention.k_norm": "self_attn.key_layernorm",
            },
            more=_hunyuan,
        ),
        Family(
            "hunyuan_v1_moe",
            "HunYuanMoEV1ForCausalLM",
            "HunYuanMoEV1ForCausalLM",
            fixed={"qk_norm": "after_rotary"},
            keys={"attention_bias": (_BIASES, False)},
            epsilon=1e-5,
            experts=Experts(
                ("num_experts",),
                active="moe_topk",
                ff_width="intermediate_size",
                renormalise=None,
                fixed={
                    "precise_router": True,
                    "precise_weights": True,
                    "shared_first": True,
                },
            ),
            names={
                "attention.q_norm": "self_attn.query_layernorm",
                "attention.k_norm": "self_attn.key_layernorm",
                "feed_forward.router": "mlp.gate.wg",
                "feed_forward.shared.gate": "mlp.shared_mlp.gate_proj",
                "feed_forward.shared.up": "mlp.shared_mlp.up_proj",
                "feed_forward.shared.down": "mlp.shared_mlp.down_proj",
            },
            more=_hunyuan_experts,
        ),
        Family(
            "glm",
            "GlmForCausalLM",
            "GlmForCausalLM",
            fixed={"joint_gate": True, "rotary_order": "neighbours"},
            keys={"attention_bias": (("qkv_bias",), True)},
            epsilon=1.5625e-07,
            kv_heads=2,
            fraction=0.5,
            interleaved=True,
        ),
        Family(
            "glm4",
            "Glm4ForCausalLM",
            "Glm4ForCausalLM",
            fixed={"joint_gate": True, "sandwich": True, "rotary_order": "neighbours"},
            keys={"attention_bias": (("qkv_bias",), True)},
            epsilon=1.5625e-07,
            kv_heads=2,
            fraction=0.5,
            interleaved=True,
        ),
        Family(
            "glm4_moe",
            "Glm4MoeForCausalLM",
            "Glm4MoeForCausalLM",
            keys={"attention_bias": (("qkv_bias",), False)},
            epsilon=1e-5,
            kv_heads=8,
            fraction=0.5,
            experts=Experts(
                ("n_routed_experts", "num_local_experts"), renormalised=True, fixed=_SIGMOID
            ),
            more=_glm_experts,
            told=_told_glm_experts,
        ),
        Family(
            "deepseek_v3",
            "DeepseekV3ForCausalLM",
            "DeepseekV3ForCausalLM",
            fixed={"rotary_order": "neighbours"},
            keys={"attention_bias": (_BIASES, False)},
            interleaved=True,
            experts=Experts(
                ("n_routed_experts", "num_local_experts"), renormalised=True, fixed=_SIGMOID
            ),
            names={
                "attention.q_down": "self_attn.q_a_proj",
                "attention.q_norm": "self_attn.q_a_layernorm",
                "attention.kv_down": "self_attn.kv_a_proj_with_mqa",
                "attention.kv_norm": "self_attn.kv_a_layernorm",
                "attention.kv_up": "self_attn.kv_b_proj",
            },
            more=read_latent,
            told=write_latent,
        ),
        Family(
            "iflytekspark",
            "IFlytekSparkModelForCasualLM",
            "",
            fixed=SPARK_FIXED,
            names=SPARK_NAMES,
            outer=SPARK_OUTER,
            layers="transformer.transformer.layers",
            suffixes={"weight": "gamma", "bias": "beta"},
            reads=read_spark,
            writes=write_spark,
        ),
    )
}


def family_of(settings: Any, where: str) -> Family:
    """The family that a ``config.json`` is of.

    Raises:
        InputError: it names none, or one that is not known.
    """
    name = settings.get("model_type") if isinstance(settings, dict) else None
    if isinstance(name, str) and name in FAMILIES:
        return FAMILIES[name]
    close = nearest(name, FAMILIES) if isinstance(name, str) else None
    raise InputError(
        f"{where} is of a family that is not understood",
        expected="'model_type' = " + ", ".join(FAMILIES),
        came=shown(repr(name)),
        do=f"write '{close}' if it is that" if close else "take a model of one of these families",
    )


def read_settings(settings: dict[str, Any], where: str) -> tuple[Family, DecoderConfig]:
    """What a ``config.json`` is in the terms of the one decoder.

    Args:
        settings: the file's table.
        where: names it in errors.

    Raises:
        InputError: its family or one of its settings is not understood; names it.
    """
    family = family_of(settings, where)
    return family, family.read(Settings(settings, family.name, where))
