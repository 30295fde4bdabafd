"""Experts, against a slow loop over tokens and experts, and against sums by hand."""

from __future__ import annotations

import itertools
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from zhufeng.models import Decoder, DecoderConfig, MoeConfig, initialise
from zhufeng.models._decoder import Layer
from zhufeng.models._moe import Moe, grouped_matmul

WIDTH = 16


def layer(*, gated: bool = True, balance: float = 0.0, **switches: object) -> Moe:
    plain = {"experts": 5, "active": 2, "ff_width": 8, "balance": balance, **switches}
    moe = MoeConfig(**plain)  # type: ignore[arg-type]
    config = DecoderConfig(
        vocabulary=8, layers=1, width=WIDTH, heads=2, ff_width=8, gated=gated, moe=moe
    )
    built = Moe(config, moe)
    stream = torch.Generator().manual_seed(3)
    for parameter in built.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=stream)
    return built


def slow(moe: Moe, token: Tensor) -> Tensor:
    """One token, expert after expert."""
    logits = moe.router.weight @ token
    scores = logits.softmax(-1) if moe.config.routing == "softmax" else logits.sigmoid()
    chosen = sorted(range(moe.config.experts), key=lambda e: -float(scores[e].detach()))
    chosen = chosen[: moe.config.active]
    total = sum((scores[e] for e in chosen), torch.zeros(()))
    out = torch.zeros_like(token)
    for e in chosen:
        if moe.gated:
            gate, up = (moe.gate_up[e] @ token).chunk(2)
            inner = functional.silu(gate) * up
        else:
            inner = functional.silu(moe.up[e] @ token)
        weight = scores[e] / total if moe.config.renormalise else scores[e]
        out = out + weight * (moe.down[e] @ inner)
    out = out * moe.config.scale
    return out if moe.shared is None else out + moe.shared(token)


@pytest.mark.parametrize(
    ("routing", "renormalise", "shared", "gated"),
    list(itertools.product(("softmax", "sigmoid"), (True, False), (0, 24), (True, False))),
)
def test_as_a_loop_over_tokens_and_experts(
    routing: str, renormalise: bool, shared: int, gated: bool
) -> None:
    moe = layer(
        gated=gated, routing=routing, renormalise=renormalise, shared_ff_width=shared, scale=2.5
    )
    x = torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(4), requires_grad=True)
    out, _ = moe(x)
    wanted = torch.stack([slow(moe, token) for token in x.flatten(0, 1)]).view(x.shape)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)
    weights = [x, *moe.parameters()]
    pull = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    for ours, theirs in zip(
        torch.autograd.grad((out * pull).sum(), weights),
        torch.autograd.grad((wanted * pull).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("routing", ["softmax", "sigmoid"])
def test_balance_by_hand(routing: str) -> None:
    moe = layer(routing=routing, balance=0.25)
    x = torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(6))
    logits = x @ moe.router.weight.T
    scores = logits.softmax(-1) if routing == "softmax" else logits.sigmoid()
    total = 0.0
    for e in range(5):
        sent = sum(int(e in row.topk(2).indices.tolist()) for row in scores)
        share = sum(float((row[e] / row.sum()).detach()) for row in scores) / 9
        total += 5 / 2 * (sent / 9) * share
    assert float(moe(x)[1].detach()) == pytest.approx(0.25 * total, rel=1e-5)


def test_even_routing_has_the_least_balance_loss() -> None:
    """Switch Transformer: with every expert used alike the loss is its coefficient."""
    moe = layer(balance=1.0)
    moe.router.weight.data.zero_()
    # With equal scores topk takes any two; the shares are even, and so the loss is exactly 1.
    assert float(moe(torch.ones(4, WIDTH))[1].detach()) == pytest.approx(1.0)


def test_the_loss_holds_the_layers_mean_balance() -> None:
    def losses(balance: float) -> tuple[float, float]:
        moe = MoeConfig(experts=4, active=1, ff_width=8, balance=balance)
        config = DecoderConfig(vocabulary=8, layers=2, width=16, heads=2, ff_width=8, moe=moe)
        model = Decoder(config)
        initialise(model, 0)
        tokens = torch.arange(8)[None]
        with torch.no_grad():
            loss = model(tokens, tokens).loss
            x = model.embedding(tokens)
            first = cast("Layer", model.layers[0])
            angles = first.attention.rotary.angles(torch.arange(8), x.dtype)
            found = []
            for inner in model.layers:
                x, one = inner(x, angles, None)
                found.append(float(one))
        return float(loss), sum(found) / 2

    plain, none = losses(0.0)
    balanced, mean = losses(0.5)
    assert none == 0
    assert mean > 0
    assert balanced == pytest.approx(plain + mean, rel=1e-5)


def test_experts_that_no_token_is_sent_to() -> None:
    weight = torch.randn(3, 8, 8)
    x = torch.randn(4, 8)
    ends = torch.tensor([0, 4, 4], dtype=torch.int32)
    torch.testing.assert_close(grouped_matmul(x, weight, ends), x @ weight[1])


def test_bfloat16_under_autocast() -> None:
    moe = layer(routing="sigmoid", shared_ff_width=8)
    x = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(7))
    exact, _ = moe(x)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = moe(x)
    assert rounded.dtype == x.dtype
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.1 * float(exact.detach().abs().max()))
