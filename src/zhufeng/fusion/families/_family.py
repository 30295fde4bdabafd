"""What a family is: its settings in the terms of the one decoder, and its tensors' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zhufeng.base import shown
from zhufeng.fusion.families._rotary import read_rotary, write_rotary
from zhufeng.fusion.families._settings import Settings
from zhufeng.models import DecoderConfig, MoeConfig

Fields = dict[str, Any]

ACTIVATIONS = {
    "silu": "silu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "fast_gelu",
    "relu2": "relu2",
}
# Within a layer, ours to theirs, as Llama has them.
LAYER_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention.q_norm": "self_attn.q_norm",
    "attention.k_norm": "self_attn.k_norm",
    "attention_end_norm": "post_self_attn_layernorm",
    "ff_norm": "post_attention_layernorm",
    "ff_end_norm": "post_mlp_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.gate_up": "mlp.gate_up_proj",
    "feed_forward.down": "mlp.down_proj",
    "feed_forward.router": "mlp.gate",
    "feed_forward.shared.gate": "mlp.shared_experts.gate_proj",
    "feed_forward.shared.up": "mlp.shared_experts.up_proj",
    "feed_forward.shared.down": "mlp.shared_experts.down_proj",
}
OUTER_NAMES = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}


@dataclass(frozen=True)
class Experts:
    """How a family calls its experts' settings and tensors."""

    count: tuple[str, ...]
    """Keys of their number; the first is written."""
    active: str = "num_experts_per_tok"
    ff_width: str = "moe_intermediate_size"
    renormalise: str | None = "norm_topk_prob"
    """None: always."""
    renormalised: bool = False
    """Where that key is absent."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """Fields of `MoeConfig` that all of the family have."""
    block: str = "mlp.experts"
    names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")
    correction: str = "mlp.gate.e_score_correction_bias"


@dataclass(frozen=True)
class Family:
    """One architecture of others."""

    name: str
    """transformers' ``model_type``."""
    architecture: str
    """transformers' class."""
    like: str
    """The class of transformers that can run it without code from elsewhere; empty for none."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """Fields of `DecoderConfig` that all of the family have."""
    keys: Mapping[str, tuple[tuple[str, ...], object]] = field(default_factory=dict)
    """A setting's name to our fields and its value where it is absent."""
    epsilon: float = 1e-6
    """Of norms, where it is absent."""
    kv_heads: int | None = None
    """Where absent; None for as many as there are heads."""
    base: float = 10_000.0
    fraction: float = 1.0
    interleaved: bool = False
    """Whether neighbours turn together, in place of element i with i + half."""
    experts: Experts | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Tensors within a layer that are called otherwise than Llama's."""
    outer: Mapping[str, str] = field(default_factory=lambda: OUTER_NAMES)
    layers: str = "model.layers"
    suffixes: Mapping[str, str] = field(default_factory=dict)
    """Of a norm's weight and bias, where they are others."""
    more: Callable[[Settings, Fields], None] | None = None
    """Reads what only this family has into the fields."""
    told: Callable[[DecoderConfig], Fields] | None = None
    """Writes what only this family has."""
    reads: Callable[[Family, Settings], DecoderConfig] | None = None
    """In place of everything above, where settings have nothing in common with Llama's."""
    writes: Callable[[DecoderConfig], Fields] | None = None

    def read(self, settings: Settings) -> DecoderConfig:
        """What its settings are in ours.

        Raises:
            InputError: a setting is missing, of a wrong kind, or not understood; names it.
        """
        try:
            config = (self.reads or _read)(self, settings)
        except (ValueError, ArithmeticError) as error:
            raise settings.refused(f"settings that can be: {error}", "others") from None
        settings.finish()
        return config

    def write(self, config: DecoderConfig) -> Fields:
        """Settings of a model of this family; those that it cannot have are left out."""
        if self.writes is not None:
            return self.writes(config)
        return _write(self, config)


def _read(family: Family, s: Settings) -> DecoderConfig:
    heads, width = s.take("num_attention_heads", int), s.take("hidden_size", int)
    # Sizes of nothing would divide by nothing before the configuration can refuse them.
    if min(heads, width) < 1:
        raise s.refused(
            "'num_attention_heads' and 'hidden_size' of at least 1", f"{heads}, {width}"
        )
    per_head = s.take("head_dim", int, None, "attention_head_dim") or width // heads
    activation = s.take("hidden_act", str, "silu", "hidden_activation")
    if activation not in ACTIVATIONS:
        raise s.refused("'hidden_act' = " + " or ".join(map(repr, ACTIVATIONS)), repr(activation))
    fields: Fields = {
        "vocabulary": s.take("vocab_size", int),
        "layers": s.take("num_hidden_layers", int),
        "width": width,
        "heads": heads,
        "kv_heads": s.take("num_key_value_heads", int, family.kv_heads),
        "head_width": None if per_head * heads == width else per_head,
        "ff_width": s.take("intermediate_size", int),
        "norm_epsilon": s.take("rms_norm_eps", float, family.epsilon),
        "activation": ACTIVATIONS[activation],
        "tied": s.take("tie_word_embeddings", bool, False),
        **family.fixed,
    }
    if fields["kv_heads"] == heads:
        fields["kv_heads"] = None
    for key, (ours, default) in family.keys.items():
        kind = int if default is None else type(default)
        fields |= dict.fromkeys(ours, s.take(key, kind, default))
    if family.experts is not None:
        fields["moe"] = _read_experts(family.experts, s)
    if family.more is not None:
        family.more(s, fields)
    if fields.get("latent") is None:
        fields |= read_rotary(s, per_head, family.base, family.fraction)
    if isinstance(fields.get("moe"), dict):
        fields["moe"] = MoeConfig(**fields["moe"])
    return DecoderConfig(**fields)


def _read_experts(experts: Experts, s: Settings) -> Fields:
    first, *others = experts.count
    renormalise = experts.renormalise is None or s.take(
        experts.renormalise, bool, experts.renormalised
    )
    active = s.alike(experts.active)
    if type(active) is not int:
        raise s.refused(f"'{experts.active}': a whole number", shown(repr(active)))
    return {
        "experts": s.take(first, int, None, *others) or s.take(first, int),
        "active": active,
        "ff_width": s.take(experts.ff_width, int),
        "renormalise": renormalise,
        **experts.fixed,
    }


def _write(family: Family, config: DecoderConfig) -> Fields:
    back = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    told: Fields = {
        "architectures": [family.architecture],
        "model_type": family.name,
        "vocab_size": config.vocabulary,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.keys,
        "head_dim": config.per_head,
        "intermediate_size": config.ff_width,
        "rms_norm_eps": config.norm_epsilon,
        "hidden_act": back[config.activation],
        "tie_word_embeddings": config.tied,
        "rope_parameters": write_rotary(config),
    }
    told |= {key: getattr(config, ours[0]) for key, (ours, _) in family.keys.items()}
    if family.experts is not None and config.moe is not None:
        told |= _write_experts(family.experts, config.moe)
    if family.told is not None:
        told |= family.told(config)
    return told


def _write_experts(experts: Experts, moe: MoeConfig) -> Fields:
    told: Fields = {
        experts.count[0]: moe.experts,
        experts.active: moe.active,
        experts.ff_width: moe.ff_width,
    }
    if experts.renormalise is not None:
        told[experts.renormalise] = moe.renormalise
    return told
