"""Rotary settings: theirs to ours and back (transformers' ``rope_parameters``)."""

from __future__ import annotations

import math
from typing import Any

from zhufeng.fusion.families._settings import Settings
from zhufeng.models import DecoderConfig, RotaryScaling

_YARN_FAST, _YARN_SLOW = 32.0, 1.0


def read_rotary(
    s: Settings, width: int, base: float, fraction: float, *, turns: int | None = None
) -> dict[str, Any]:
    """Fields of a `DecoderConfig`.

    Args:
        s: of the model.
        width: of a head.
        base: where the settings name none.
        fraction: of a head that turns, where the settings name none.
        turns: elements that turn, where that is not a fraction of the head.
    """
    base = s.take("rope_theta", float, base)
    fraction = s.take("partial_rotary_factor", float, fraction)
    trained = s.take("original_max_position_embeddings", int, None)
    longest = s.take("max_position_embeddings", int, None)
    table = s.below("rope_parameters")
    older = s.below("rope_scaling")
    scaling = None
    if table is None:
        table = older
    if table is not None:
        base = table.take("rope_theta", float, base)
        fraction = table.take("partial_rotary_factor", float, fraction)
        kind = table.take("rope_type", str, "default", "type")
        factor = table.values.get("alpha")
        if kind == "dynamic" and factor:
            # HunYuan's: a base that does not follow the length (transformers' ntk_alpha).
            alpha, turned = table.take("alpha", float), turns or width
            base, kind = base * alpha ** (turned / (turned - 2)), "default"
            for name in ("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"):
                table.take(name, float, None)
        scaling = _scaling(table, kind, trained or longest)
        table.finish()
    read: dict[str, Any] = {"rotary_base": base, "rotary_scaling": scaling}
    if turns is None:
        read["rotary_fraction"] = int(width * fraction) / width
    return read


def _scaling(table: Settings, kind: str, trained: int | None) -> RotaryScaling | None:
    if kind == "default":
        return None
    if kind == "linear":
        return RotaryScaling(kind="linear", factor=table.take("factor", float))
    if kind not in ("llama3", "yarn"):
        raise table.refused("'rope_type' = 'default', 'linear', 'llama3' or 'yarn'", repr(kind))
    length = table.take("original_max_position_embeddings", int, trained)
    if length is None:
        raise table.refused("'original_max_position_embeddings': a whole number", "nothing")
    if kind == "llama3":
        return RotaryScaling(
            kind="llama3",
            factor=table.take("factor", float),
            trained=length,
            slow=table.take("low_freq_factor", float),
            fast=table.take("high_freq_factor", float),
        )
    factor = table.take("factor", float)
    return RotaryScaling(
        kind="yarn",
        factor=factor,
        trained=length,
        slow=table.take("beta_slow", float, None) or _YARN_SLOW,
        fast=table.take("beta_fast", float, None) or _YARN_FAST,
        rounded=table.take("truncate", bool, True),
        magnitude=_magnitude(table, factor),
    )


def _magnitude(table: Settings, factor: float) -> float:
    """YaRN's sqrt(1/t) (Peng et al. 2023, eq. 22), or DeepSeek's ratio of two of them."""
    given = table.take("attention_factor", float, None)
    one = table.take("mscale", float, None)
    every = table.take("mscale_all_dim", float, None)
    if given is not None:
        return given
    if one and every:
        return yarn_magnitude(factor, one) / yarn_magnitude(factor, every)
    return yarn_magnitude(factor)


def yarn_magnitude(factor: float, share: float = 1.0) -> float:
    """0.1 share ln(factor) + 1 (Peng et al. 2023, eq. 22)."""
    return 1.0 if factor <= 1 else 0.1 * share * math.log(factor) + 1.0


def write_rotary(config: DecoderConfig) -> dict[str, Any]:
    """``rope_parameters`` of a model with this rotary."""
    told: dict[str, Any] = {"rope_theta": config.rotary_base, "rope_type": "default"}
    if config.rotary_fraction != 1.0 and config.latent is None:
        told["partial_rotary_factor"] = config.rotary_fraction
    scaling = config.rotary_scaling
    if scaling is None:
        return told
    told |= {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind == "linear":
        return told
    told["original_max_position_embeddings"] = scaling.trained
    if scaling.kind == "llama3":
        return told | {"low_freq_factor": scaling.slow, "high_freq_factor": scaling.fast}
    return told | {
        "beta_slow": scaling.slow,
        "beta_fast": scaling.fast,
        "truncate": scaling.rounded,
        "attention_factor": scaling.magnitude,
    }
