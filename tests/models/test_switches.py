"""Switches that other families need: caches, types, what is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from zhufeng.models import (
    Decoder,
    DecoderConfig,
    KvCache,
    LatentConfig,
    MoeConfig,
    RotaryScaling,
    initialise,
)
from zhufeng.models._decoder import Layer
from zhufeng.models._moe import Moe

LATENT = LatentConfig(kv_rank=16, rotary_width=4, value_width=8, query_rank=12)
MOE = MoeConfig(
    experts=8,
    active=2,
    ff_width=8,
    routing="sigmoid",
    groups=4,
    active_groups=2,
    corrected=True,
    precise_router=True,
    dense_layers=(0,),
)


def decoder(**switches: Any) -> Decoder:
    plain = {"vocabulary": 40, "layers": 2, "width": 32, "heads": 4, "ff_width": 24}
    model = Decoder(DecoderConfig(**{**plain, **switches}))
    initialise(model, 0)
    for parameter in model.parameters():
        parameter.data *= 5 if parameter.dim() > 1 else 1
    return model


def experts(model: Decoder) -> Moe:
    return cast("Moe", cast("Layer", model.layers[1]).feed_forward)


@pytest.mark.parametrize(
    "switches",
    [
        {"latent": LATENT},
        {"latent": LATENT, "rotary_order": "neighbours", "window": 3},
        {"kv_heads": 2, "window": 3},
        {"rotary_order": "neighbours", "rotary_fraction": 0.5, "joint_gate": True},
        {"joint_qkv": True, "sandwich": True, "qkv_bias": True},
        {"moe": MOE},
    ],
    ids=str,
)
def test_with_a_cache_token_by_token_as_all_at_once(switches: dict[str, Any]) -> None:
    model = decoder(**switches).eval()
    tokens = torch.arange(9)[None] * 3 % 40
    cache = KvCache.empty(model.config, 1, 9, model.embedding.weight)
    with torch.no_grad():
        whole = model(tokens).logits
        parts = [model(tokens[:, i : i + 1], cache=cache).logits for i in range(9)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


def test_latents_are_what_is_cached() -> None:
    cache = KvCache.empty(decoder(latent=LATENT).config, 2, 7, torch.zeros(1))
    assert [list(part.shape) for part in (cache.keys[0], cache.values[0])] == [
        [2, 1, 7, 16],
        [2, 1, 7, 4],
    ]


def test_the_order_of_neighbours_changes_no_more_than_rounding() -> None:
    halves = decoder(rotary_order="halves", rotary_fraction=0.5)
    neighbours = decoder(rotary_order="neighbours", rotary_fraction=0.5)
    tokens = torch.arange(30)[None]
    one, other = halves(tokens).logits, neighbours(tokens).logits
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_frequencies_and_routers_stay_in_fp32() -> None:
    model = decoder(moe=MOE, rotary_base=500.0)
    attention, moe = cast("Layer", model.layers[0]).attention, experts(model)
    before = attention.rotary.inverse_wavelengths.clone()
    router = moe.router.weight.detach().clone()
    model.to(torch.bfloat16)
    assert model.embedding.weight.dtype == torch.bfloat16
    assert torch.equal(attention.rotary.inverse_wavelengths, before)
    assert torch.equal(moe.router.weight, router)
    assert moe.correction.dtype == torch.float32


def test_only_experts_of_the_best_groups_are_used() -> None:
    moe = experts(decoder(moe=MOE))
    scores = torch.tensor([[0.9, 0.0, 0.5, 0.5, 0.6, 0.1, 0.2, 0.3]])
    # Groups are worth 0.9, 1.0, 0.7 and 0.5: the best single expert is in the second best.
    assert sorted(moe._choose(scores)[0].tolist()) in ([0, 2], [0, 3])
    moe.correction[:] = torch.tensor([0.0, 0, 0, 0, 0, 0, 9, 9])
    assert sorted(moe._choose(scores)[0].tolist()) == [6, 7]


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        ({"latent": LATENT, "kv_heads": 2}, "without kv_heads"),
        ({"latent": LatentConfig(kv_rank=4, rotary_width=12, value_width=4)}, "head width 8"),
        ({"rotary_order": "neighbours", "qk_norm": "before_rotary"}, "rotary_order"),
        ({"joint_gate": True, "gated": False}, "joint_gate"),
    ],
)
def test_what_does_not_go_together(switches: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        decoder(**switches)


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        ({"groups": 3}, "groups that divide"),
        ({"groups": 8, "active_groups": 8}, "two experts"),
        ({"groups": 4, "active_groups": 5}, "active groups"),
        ({"groups": 4, "active": 3}, "no more active experts"),
    ],
)
def test_groups_that_cannot_be(switches: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MoeConfig(**{"experts": 8, "active": 2, "ff_width": 8, **switches})


@pytest.mark.parametrize(
    ("kind", "slow", "fast", "trained"), [("llama3", 4, 1, 8), ("yarn", 1, 32, 0)]
)
def test_scalings_that_cannot_be(kind: Any, slow: float, fast: float, trained: int) -> None:
    with pytest.raises(ValueError, match="turns"):
        RotaryScaling(kind=kind, factor=2.0, slow=slow, fast=fast, trained=trained)
