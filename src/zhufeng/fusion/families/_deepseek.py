"""DeepSeek-V3's own settings: latents, groups of experts, first layers without experts."""

from __future__ import annotations

from zhufeng.fusion.families._family import Fields
from zhufeng.fusion.families._rotary import read_rotary, write_rotary, yarn_magnitude
from zhufeng.fusion.families._settings import Settings
from zhufeng.models import DecoderConfig, LatentConfig

# Of the latents' norms, whatever 'rms_norm_eps' says (transformers' class has it as a default).
_LATENT_EPSILON = 1e-6


def read_groups(s: Settings, fields: Fields) -> None:
    """Groups, shared experts and first dense layers, as GLM-4.5 has them too."""
    moe = fields["moe"]
    moe |= {
        "scale": s.take("routed_scaling_factor", float, 1.0),
        "groups": s.take("n_group", int, 1),
        "active_groups": s.take("topk_group", int, 1),
        "shared_ff_width": moe["ff_width"] * s.take("n_shared_experts", int, 1),
        "dense_layers": tuple(
            range(min(s.take("first_k_dense_replace", int, 0), fields["layers"]))
        ),
    }
    s.must("scoring_func", "sigmoid")
    s.must("moe_layer_freq", 1)


def write_groups(config: DecoderConfig) -> Fields:
    """The same, written."""
    moe = config.moe
    if moe is None:
        return {}
    return {
        "routed_scaling_factor": moe.scale,
        "n_group": moe.groups,
        "topk_group": moe.active_groups,
        "n_shared_experts": moe.shared_ff_width // moe.ff_width,
        "first_k_dense_replace": len(moe.dense_layers),
    }


def read_latent(s: Settings, fields: Fields) -> None:
    """Multi-head latent attention, and the rest."""
    read_groups(s, fields)
    turned, plain = s.take("qk_rope_head_dim", int), s.take("qk_nope_head_dim", int)
    s.must("head_dim", turned, turned + plain)
    s.must("qk_head_dim", turned + plain)
    s.must("rope_interleave", True)
    rank = s.values.get("q_lora_rank")
    fields["latent"] = LatentConfig(
        kv_rank=s.take("kv_lora_rank", int),
        rotary_width=turned,
        value_width=s.take("v_head_dim", int),
        query_rank=None if rank is None else s.take("q_lora_rank", int),
        norm_epsilon=_LATENT_EPSILON,
    )
    s.read.add("q_lora_rank")
    per_head = turned + plain
    same = per_head * fields["heads"] == fields["width"]
    fields["head_width"] = None if same else per_head
    fields |= read_rotary(s, per_head, 10_000.0, 1.0, turns=turned)
    fields["attention_scale"] = _scale(s, per_head)


def _scale(s: Settings, per_head: int) -> float | None:
    """YaRN's square, where 'mscale_all_dim' is given (DeepSeek-V2's code, 2024)."""
    table = s.values.get("rope_parameters") or s.values.get("rope_scaling") or {}
    kind = table.get("rope_type") or table.get("type") or "default"
    share = table.get("mscale_all_dim")
    if kind == "default" or not share:
        return None
    magnitude = yarn_magnitude(float(table["factor"]), float(share))
    # In this order: the product is rounded twice.
    scale: float = per_head**-0.5 * magnitude * magnitude
    return scale


def write_latent(config: DecoderConfig) -> Fields:
    """The same, written."""
    latent = config.latent
    if latent is None:
        return {}
    rotary = write_rotary(config)
    if config.attention_scale is not None and config.rotary_scaling is not None:
        rotary |= _shares(config.attention_scale * config.per_head**0.5, config)
    return write_groups(config) | {
        "head_dim": latent.rotary_width,
        "qk_rope_head_dim": latent.rotary_width,
        "qk_nope_head_dim": config.per_head - latent.rotary_width,
        "kv_lora_rank": latent.kv_rank,
        "v_head_dim": latent.value_width,
        "q_lora_rank": latent.query_rank,
        "rope_interleave": True,
        "rope_parameters": rotary,
    }


def _shares(square: float, config: DecoderConfig) -> Fields:
    """'mscale_all_dim' such that its magnitude's square is this, to within its rounding."""
    scaling = config.rotary_scaling
    assert scaling is not None
    unit = yarn_magnitude(scaling.factor) - 1.0
    share = round((square**0.5 - 1.0) / unit, 12) if unit else 0.0
    return {"mscale_all_dim": share}
