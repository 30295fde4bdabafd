"""Multiply-accumulates against arithmetic, and against what torch counts of a whole step."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zhufeng.fusion.distil import decoder_cost
from zhufeng.models import Decoder, DecoderConfig, MoeConfig, initialise

PLAIN = DecoderConfig(vocabulary=100, layers=2, width=32, heads=4, kv_heads=2, ff_width=64)
EXPERTS = DecoderConfig(
    vocabulary=100,
    layers=1,
    width=32,
    heads=4,
    ff_width=64,
    moe=MoeConfig(experts=4, active=2, ff_width=16, shared_ff_width=8),
)


def test_a_token_and_a_pair() -> None:
    attention, feed_forward = 2 * 32 * 32 + 2 * 32 * 16, 3 * 32 * 64
    cost = decoder_cost(PLAIN)
    assert cost.a_token == 2 * (attention + feed_forward) + 32 * 100
    assert cost.a_pair == 2 * 2 * 32
    experts = decoder_cost(EXPERTS)
    assert experts.a_token == 4 * 32 * 32 + 32 * 4 + 3 * 32 * (2 * 16 + 8) + 32 * 100


@pytest.mark.parametrize("tokens", [7, 24])
def test_a_step_is_what_torch_counts(tokens: int) -> None:
    model = Decoder(PLAIN)
    initialise(model, 0)
    batch = torch.zeros((3, tokens), dtype=torch.int64)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(batch, batch).loss.backward()
    assert decoder_cost(PLAIN).step(3, tokens) == counter.get_total_flops() // 2
