"""The cache of keys and values, and generation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zhufeng.models import Decoder, DecoderConfig, KvCache, MoeConfig, generate, initialise

PLAIN = {"vocabulary": 30, "layers": 2, "width": 16, "heads": 4, "ff_width": 24}
SWITCHES = {
    "plain": {},
    "gqa": {"kv_heads": 2},
    "window": {"window": 3},
    "window of 1": {"window": 1},
    "norm before": {"qk_norm": "before_rotary", "head_width": 6},
    "norm after": {"qk_norm": "after_rotary", "kv_heads": 1},
    "half rotary": {"rotary_fraction": 0.5},
    "no rotary": {"rotary_fraction": 0.0},
    "layer norm": {"norm": "layer", "gated": False, "activation": "relu2", "qkv_bias": True},
    "experts": {"moe": MoeConfig(experts=4, active=2, ff_width=8, shared_ff_width=8)},
}


def model(**switches: object) -> Decoder:
    built = Decoder(DecoderConfig(**{**PLAIN, **switches}))  # type: ignore[arg-type]
    initialise(built, 0)
    for parameter in built.parameters():
        parameter.data *= 10 if parameter.dim() > 1 else 1
    return built.eval()


def tokens(count: int, batch: int = 2) -> Tensor:
    return torch.randint(0, 30, (batch, count), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("parts", [[1] * 9, [4, 1, 4], [1, 5, 3], [9]], ids=str)
@torch.no_grad()
def test_in_parts_as_at_once(switches: dict[str, object], parts: list[int]) -> None:
    built, whole = model(**switches), tokens(9)
    cache = KvCache.empty(built.config, 2, 12, built.embedding.weight)
    found = [built(part, cache=cache).logits for part in torch.split(whole, parts, dim=1)]
    assert cache.length == 9
    torch.testing.assert_close(torch.cat(found, 1), built(whole).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
@torch.no_grad()
def test_the_likeliest_token_each_time(switches: dict[str, object]) -> None:
    built = model(**switches)
    wanted = tokens(4)
    for _ in range(6):
        wanted = torch.cat((wanted, built(wanted).logits[:, -1:].argmax(-1)), 1)
    assert torch.equal(generate(built, tokens(4), 6, temperature=0), wanted)


def test_a_seed_repeats_and_another_differs() -> None:
    built = model()
    first = generate(built, tokens(3), 20, seed=1)
    assert torch.equal(first, generate(built, tokens(3), 20, seed=1))
    assert not torch.equal(first, generate(built, tokens(3), 20, seed=2))


def test_top_k_of_one_is_the_likeliest() -> None:
    built = model()
    assert torch.equal(
        generate(built, tokens(3), 8, top_k=1), generate(built, tokens(3), 8, temperature=0)
    )


@torch.no_grad()
def test_top_k_draws_only_among_the_likeliest() -> None:
    built = model()
    prompt = tokens(3, batch=1)
    likeliest = set(built(prompt).logits[0, -1].topk(4).indices.tolist())
    drawn = {
        int(generate(built, prompt, 1, top_k=4, temperature=5.0, seed=seed)[0, -1])
        for seed in range(60)
    }
    assert drawn == likeliest


@torch.no_grad()
def test_draws_follow_the_tempered_probabilities() -> None:
    built = model()
    prompt = tokens(3, batch=1)
    wanted = (built(prompt).logits[0, -1] / 2.0).softmax(-1)
    drawn = generate(built, prompt.expand(4000, -1), 1, temperature=2.0)[:, -1]
    found = torch.bincount(drawn, minlength=30) / 4000
    assert float((found - wanted).abs().max()) < 0.03


def test_a_row_that_has_ended_repeats_the_end() -> None:
    built = model()
    free = generate(built, tokens(3), 12, temperature=0)
    end = int(free[0, 5])
    ended = generate(built, tokens(3), 12, temperature=0, end=end)
    for row, kept in zip(ended.tolist(), free.tolist(), strict=True):
        first = kept.index(end, 3) if end in kept[3:] else len(kept) - 1
        assert row[: first + 1] == kept[: first + 1][: len(row)]
        assert set(row[first + 1 :]) <= {end}


def test_generation_stops_when_all_rows_have_ended() -> None:
    built = model()
    prompt = tokens(3, batch=1)
    end = int(generate(built, prompt, 1, temperature=0)[0, -1])
    assert generate(built, prompt, 50, temperature=0, end=end).shape == (1, 4)
