"""What holds for every decoder: causality, windows, the loss, initial weights, the folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zhufeng.models import (
    DECODER,
    IGNORED,
    Decoder,
    DecoderConfig,
    MoeConfig,
    initialise,
    read_decoder,
    write_decoder,
)

PLAIN = {"vocabulary": 30, "layers": 2, "width": 16, "heads": 4, "ff_width": 24}
TOKENS = torch.randint(0, 30, (2, 12), generator=torch.Generator().manual_seed(0))


def model(config: DecoderConfig, seed: int = 0) -> Decoder:
    built = Decoder(config)
    initialise(built, seed)
    return built


def plain(**switches: object) -> DecoderConfig:
    return DecoderConfig(**{**PLAIN, **switches})  # type: ignore[arg-type]


@st.composite
def configs(draw: st.DrawFn) -> DecoderConfig:
    """Any decoder, small."""
    heads = draw(st.sampled_from([1, 2, 4]))
    head_width = draw(st.sampled_from([None, 4, 6]))
    per_head = head_width or 16 // heads
    pairs = draw(st.integers(0, per_head // 2))
    experts = draw(st.integers(1, 4))
    moe = MoeConfig(
        experts=experts,
        active=draw(st.integers(1, experts)),
        ff_width=8,
        routing=draw(st.sampled_from(["softmax", "sigmoid"])),
        renormalise=draw(st.booleans()),
        shared_ff_width=draw(st.sampled_from([0, 5])),
    )
    flags = ("norm_bias", "qkv_bias", "output_bias", "ff_bias", "gated", "tied")
    return DecoderConfig(
        vocabulary=30,
        layers=draw(st.integers(1, 2)),
        width=16,
        heads=heads,
        kv_heads=draw(st.sampled_from([None, *(n for n in (1, 2, 4) if heads % n == 0)])),
        head_width=head_width,
        ff_width=draw(st.integers(1, 20)),
        norm=draw(st.sampled_from(["rms", "layer"])),
        qk_norm=draw(st.sampled_from(["none", "before_rotary", "after_rotary"])),
        rotary_fraction=2 * pairs / per_head,
        activation=draw(st.sampled_from(["silu", "gelu", "gelu_tanh", "relu2"])),
        moe=draw(st.sampled_from([None, moe])),
        window=draw(st.sampled_from([None, 1, 3, 8])),
        **{flag: draw(st.booleans()) for flag in flags},  # type: ignore[arg-type]
    )


@given(configs(), st.integers(1, 11))
@settings(max_examples=40, deadline=None)
@torch.no_grad()
def test_a_later_token_changes_nothing_earlier(config: DecoderConfig, changed: int) -> None:
    built = model(config)
    other = TOKENS.clone()
    other[:, changed] = (other[:, changed] + 1) % 30
    before, after = built(TOKENS).logits, built(other).logits
    torch.testing.assert_close(before[:, :changed], after[:, :changed], rtol=1e-5, atol=1e-7)
    assert not torch.equal(before[:, changed], after[:, changed])


@given(configs(), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_a_window_ends_where_it_says(config: DecoderConfig, window: int) -> None:
    """In one layer the last token feels the `window` last embeddings and no other."""
    config = DecoderConfig(**{**vars(config), "layers": 1, "window": window})
    built = model(config)
    # Larger weights, so that no influence is lost in rounding.
    for parameter in built.parameters():
        parameter.data *= 10 if parameter.dim() > 1 else 1
    embedded = built.embedding(TOKENS[:1]).detach().requires_grad_()
    built.embedding = _Given(embedded)  # type: ignore[assignment]
    built(TOKENS[:1]).logits[0, -1].square().sum().backward()
    assert embedded.grad is not None
    felt = embedded.grad[0].abs().sum(-1) > 0
    assert not bool(felt[: 12 - window].any())
    assert bool(felt[-1])
    if config.moe is None and config.activation != "relu2":
        assert bool(felt[12 - window :].all())


class _Given(nn.Module):
    """Embeddings as given, whatever the tokens."""

    def __init__(self, embedded: Tensor) -> None:
        super().__init__()
        self.given = embedded

    def forward(self, _: Tensor) -> Tensor:
        return self.given


@given(configs())
@settings(max_examples=15, deadline=None)
def test_every_parameter_is_used(config: DecoderConfig) -> None:
    built = model(config)
    built(TOKENS, TOKENS).loss.backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


@torch.no_grad()
def test_positions_matter_only_as_distances() -> None:
    """Rotary: with a window of 2, equal pairs of tokens are told alike wherever they stand."""
    built = model(plain(layers=1, window=2))
    logits = built(torch.tensor([[1, 2, 9, 4, 1, 2]])).logits[0]
    torch.testing.assert_close(logits[1], logits[5], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(logits[1], logits[2])


@torch.no_grad()
def test_ignored_targets_are_not_learned_from() -> None:
    built = model(plain())
    targets = TOKENS.clone()
    targets[0, 3:] = IGNORED
    kept = targets != IGNORED
    wanted = -built(TOKENS).logits.log_softmax(-1)[kept, targets[kept]].mean()
    torch.testing.assert_close(built(TOKENS, targets).loss, wanted)


@torch.no_grad()
def test_the_loss_is_fp32_under_autocast() -> None:
    built = model(plain())
    with torch.autocast("cpu", torch.bfloat16):
        out = built(TOKENS, TOKENS)
    assert out.loss is not None
    assert (out.logits.dtype, out.loss.dtype) == (torch.bfloat16, torch.float32)


def test_initial_weights_repeat_by_seed_and_differ_between_seeds() -> None:
    first, again, other = (model(plain(), seed) for seed in (0, 0, 1))
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        if parameter.dim() > 1:
            assert not torch.equal(parameter, other.get_parameter(name)), name


def test_initial_weights_do_not_depend_on_the_rest_of_the_model() -> None:
    """A parameter has its own stream: more layers, or biases, change none of the others'."""
    small, large = model(plain(qkv_bias=True, layers=2)), model(plain(layers=2, tied=True))
    name = "layers.1.attention.q.weight"
    assert torch.equal(small.get_parameter(name), large.get_parameter(name))


@torch.no_grad()
def test_initial_spread() -> None:
    built = model(plain(vocabulary=3000, width=64, layers=8, norm="layer", qkv_bias=True))
    assert float(built.embedding.weight.std()) == pytest.approx(0.02, rel=0.05)
    layer = {name: p for name, p in built.named_parameters() if name.startswith("layers.3.")}
    assert float(layer["layers.3.attention.q.weight"].std()) == pytest.approx(0.02, rel=0.05)
    for ends in ("attention.output", "feed_forward.down"):
        spread = float(layer[f"layers.3.{ends}.weight"].std())
        assert spread == pytest.approx(0.02 / 16**0.5, rel=0.05)
    assert not bool(layer["layers.3.attention.q.bias"].any())
    assert bool((layer["layers.3.ff_norm.weight"] == 1).all())


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_folder_and_back(tmp_path: Path, tied: bool) -> None:
    moe = MoeConfig(experts=3, active=1, ff_width=8)
    built = model(plain(tied=tied, moe=moe, norm="layer", qkv_bias=True))
    write_decoder(tmp_path, built)
    again = read_decoder(tmp_path)
    assert again.config == built.config
    assert torch.equal(again(TOKENS).logits, built(TOKENS).logits)
    assert (again.head.weight is again.embedding.weight) is tied
    (tmp_path / "again").mkdir()
    write_decoder(tmp_path / "again", again)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


@given(configs())
@settings(max_examples=15, deadline=None)
def test_config_and_back(config: DecoderConfig) -> None:
    assert DECODER.unpack(DECODER.pack(config), "here") == config


def test_the_configuration_needs_no_torch() -> None:
    """Nor do the references' settings."""
    code = (
        "import sys, zhufeng.models, zhufeng.models.reference as r\n"
        "zhufeng.models.DecoderConfig; r.REFERENCES['cnn-small'].sequence\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
