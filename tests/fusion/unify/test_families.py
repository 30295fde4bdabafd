"""Families against transformers: settings, logits, gradients, and the way back."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.fusion.unify.published import PARAMETERS, PUBLISHED

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
from fusion_families.makers import SMALL, Small, make
from fusion_families.measure import differences
from zhufeng.base import InputError
from zhufeng.fusion.families import FAMILIES, read_settings
from zhufeng.fusion.unify import _run, export, plan_unify, unify, verify
from zhufeng.fusion.unify._plan import shapes_of
from zhufeng.models import Decoder, DecoderConfig, initialise, read_decoder, write_decoder

WEIGHTS = "model.safetensors"
SIZES = {
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "head_dim",
    "num_attention_heads",
    "num_key_value_heads",
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "num_experts_per_tok",
    "moe_topk",
    "moe_intermediate_size",
    "kv_lora_rank",
    "q_lora_rank",
    "qk_rope_head_dim",
    "qk_nope_head_dim",
    "v_head_dim",
    "n_group",
    "topk_group",
    "first_k_dense_replace",
    "n_shared_experts",
    "routed_scaling_factor",
}
SMALL_NAMED = {small.name: small for small in SMALL}


def made(folder: Path, name: str, **changed: object) -> Path:
    """One of the small models, with settings of its file changed."""
    folder.mkdir()
    make(SMALL_NAMED[name], folder, 0)
    path = folder / "config.json"
    settings = {**json.loads(path.read_text()), **changed}
    path.write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("small", SMALL, ids=lambda small: small.name)
def test_no_difference_in_fp64_and_bf16(small: Small, tmp_path: Path) -> None:
    found, back = differences(small, tmp_path, seed=3)
    assert [one.precision for one in found] == ["fp64", "bf16"]
    assert all(one.none for one in found), found
    assert all(one.largest_logit > 1 and one.largest_gradient > 0.01 for one in found)
    assert back


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    theirs, ours = made(tmp_path / "theirs", "GLM"), tmp_path / "ours"
    unify(theirs, ours)
    weights = load_file(ours / WEIGHTS)
    swapped = weights["layers.1.attention.k.weight"]
    weights["layers.1.attention.k.weight"] = swapped.roll(1, 0).contiguous()
    save_file(weights, ours / WEIGHTS)
    assert not any(one.none for one in verify(theirs, ours))


@pytest.mark.parametrize(
    "kind",
    ["Llama", "Qwen2", "Qwen3", "Qwen3Moe", "HunYuanDenseV1", "HunYuanMoEV1", "Glm", "Glm4",
     "Glm4Moe", "DeepseekV3"],
)  # fmt: skip
def test_what_a_file_leaves_out_is_transformers_default(kind: str) -> None:
    """But for sizes, which every file has."""
    full = getattr(transformers, f"{kind}Config")().to_dict()
    if full.get("head_dim") is None:
        # A quotient, which for GLM-4.5's default sizes is none.
        full["head_dim"] = 128
    if "num_experts" in full and full["num_experts"] == 1:
        full |= {"num_experts": 8, "moe_topk": 2}
    short = {key: full[key] for key in SIZES if key in full}
    assert read_settings(short, "short")[1] == read_settings(full, "full")[1]


def test_a_decoder_of_ours_runs_as_llama(tmp_path: Path) -> None:
    """What was never another family's is exported, and transformers computes the same."""
    config = DecoderConfig(vocabulary=50, layers=2, width=32, heads=4, kv_heads=2, ff_width=40)
    model = Decoder(config)
    initialise(model, 1)
    (tmp_path / "ours").mkdir()
    write_decoder(tmp_path / "ours", model)
    export(tmp_path / "ours", tmp_path / "llama", "llama")
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "llama")
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        assert torch.equal(theirs(tokens).logits, model(tokens).logits)


def test_what_a_family_cannot_be_is_named(tmp_path: Path) -> None:
    unify(made(tmp_path / "theirs", "GLM4"), tmp_path / "ours")
    with pytest.raises(InputError, match="cannot be of the family 'llama'"):
        export(tmp_path / "ours", tmp_path / "llama", "llama")
    assert not (tmp_path / "llama").exists()


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "deepseek_v3"])
def test_written_settings_are_read_as_they_were(family: str) -> None:
    """Those of a family's small model; DeepSeek's YaRN has a rounding, and goes by its origin."""
    named = {"PanguEmbedded": "openPangu", "iflytekspark": "iFlytekSpark"}
    for small in SMALL:
        kind = getattr(transformers, f"{small.kind}Config", None)
        name = named.get(family, "")
        if small.name != name and (kind is None or kind.model_type != family):
            continue
        config = _config_of(small)
        assert read_settings(FAMILIES[family].write(config), "written")[1] == config


def _config_of(small: Small) -> DecoderConfig:
    with tempfile.TemporaryDirectory() as name:
        return plan_unify(made(Path(name) / "x", small.name)).config


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"clip_qkv": 8.0}, "clip_qkv"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"hidden_act": "mish"}, "mish"),
        ({"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4}}, "longrope"),
        ({"rope_parameters": {"rope_type": "default", "wobble": 1}}, "wobble"),
        ({"use_sliding_window": True, "sliding_window": 4, "layer_types": ["full_attention",
          "sliding_attention", "full_attention"]}, "layer_types"),
        ({"model_type": "gemma9"}, "gemma9"),
        ({"hidden_size": "64"}, "hidden_size"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(
    changed: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=named):
        unify(made(tmp_path / "theirs", "Qwen2", **changed), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def _drop(weights: dict[str, torch.Tensor]) -> None:
    del weights["model.layers.1.mlp.up_proj.weight"]


def _reshape(weights: dict[str, torch.Tensor]) -> None:
    weights["model.layers.1.mlp.up_proj.weight"] = torch.zeros(8, 8)


def _add(weights: dict[str, torch.Tensor]) -> None:
    weights["model.layers.1.mlp.side_proj.weight"] = torch.zeros(8, 8)


def _integers(weights: dict[str, torch.Tensor]) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].to(torch.int8)


@pytest.mark.parametrize("change", [_drop, _reshape, _add, _integers])
def test_tensors_that_do_not_fit_are_named(change: Any, tmp_path: Path) -> None:
    theirs = made(tmp_path / "theirs", "Qwen3")
    weights = load_file(theirs / WEIGHTS)
    change(weights)
    save_file(weights, theirs / WEIGHTS)
    with pytest.raises(InputError, match=r"layers\.1\.mlp\.(up|side)_proj"):
        unify(theirs, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_further_predictions_and_a_tied_head_are_left_out(tmp_path: Path) -> None:
    theirs = made(tmp_path / "theirs", "Llama 3")
    weights = load_file(theirs / WEIGHTS)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    weights["model.layers.3.eh_proj.weight"] = torch.zeros(4, 4)
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8)
    save_file(weights, theirs / WEIGHTS)
    plan = unify(theirs, tmp_path / "ours")
    assert plan.origin.left_out == (
        "lm_head.weight",
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.layers.3.eh_proj.weight",
    )


def test_experts_in_one_tensor_are_the_same_model(tmp_path: Path) -> None:
    """As transformers keeps them in memory, and as some save them."""
    theirs = made(tmp_path / "theirs", "Qwen3-MoE")
    unify(theirs, tmp_path / "ours")
    weights = load_file(theirs / WEIGHTS)
    for layer in (0, 2):
        stem = f"model.layers.{layer}.mlp.experts"
        parts = {
            kind: [weights.pop(f"{stem}.{e}.{kind}_proj.weight") for e in range(8)]
            for kind in ("gate", "up", "down")
        }
        both = zip(parts["gate"], parts["up"], strict=True)
        weights[f"{stem}.gate_up_proj"] = torch.stack([torch.cat(pair) for pair in both])
        weights[f"{stem}.down_proj"] = torch.stack(parts["down"])
    save_file(weights, theirs / WEIGHTS)
    unify(theirs, tmp_path / "again")
    assert (tmp_path / "ours" / WEIGHTS).read_bytes() == (tmp_path / "again" / WEIGHTS).read_bytes()


def test_taken_up_after_a_failure_the_bytes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = made(tmp_path / "theirs", "DeepSeek-V3")
    unify(theirs, tmp_path / "whole")
    carry, left = _run._carry, iter(range(9))

    def failing(*args: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        carry(*args)

    monkeypatch.setattr(_run, "_carry", failing)
    with pytest.raises(KeyboardInterrupt):
        unify(theirs, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
    again: list[str] = []

    def counting(move: Any, *args: Any) -> None:
        again.append(move.target)
        carry(move, *args)

    monkeypatch.setattr(_run, "_carry", counting)
    plan = unify(theirs, tmp_path / "ours")
    assert 0 < len(set(again)) < len(plan.moves)
    for name in (WEIGHTS, "config.json", "origin.json"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir() if "draft" in path.name] == []


def test_the_tokenizer_and_the_licence_go_along(tmp_path: Path) -> None:
    theirs = made(tmp_path / "theirs", "Llama")
    for name in ("tokenizer.json", "LICENSE", "README.md"):
        (theirs / name).write_text(name)
    unify(theirs, tmp_path / "ours")
    export(tmp_path / "ours", tmp_path / "back")
    for name in ("tokenizer.json", "LICENSE", "README.md"):
        assert (tmp_path / "back" / name).read_text() == name
    assert json.loads((tmp_path / "back" / "config.json").read_text()) == json.loads(
        (theirs / "config.json").read_text()
    )
    assert read_decoder(tmp_path / "ours").config.width == 64


JUNK: list[Any] = [
    *(None, -1, 0, 1, 2**70, 1.5, 1e308, float("nan"), "", "x", [], [1], ["x"], {}, {"a": 1}),
    *(True, False, {"rope_type": "yarn", "factor": 2, "rope_theta": 1}),
    {"type": "dynamic", "alpha": 1e300},
    {"rope_type": "llama3", "factor": 0.0, "low_freq_factor": 1, "high_freq_factor": 4},
]


@cache
def _settings(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[str, Any] = json.loads(
            (made(Path(scratch) / "x", name) / "config.json").read_text()
        )
    return found


@settings(max_examples=300)
@given(st.sampled_from(sorted(SMALL_NAMED)), st.data())
def test_settings_of_any_shape_are_read_or_refused(name: str, data: st.DataObject) -> None:
    changed = dict(_settings(name))
    keys = st.sampled_from([*sorted(changed), "rope_scaling", "rope_theta", "mlp_only_layers"])
    for key in data.draw(st.lists(keys, min_size=1, max_size=3)):
        changed[key] = data.draw(st.sampled_from(JUNK))
    with contextlib.suppress(InputError):
        config = read_settings(changed, "fuzzed")[1]
        assert config.layers > 0


@pytest.mark.parametrize("key", ["num_hidden_layers", "vocab_size", "num_local_experts"])
def test_sizes_that_no_file_holds_are_refused_at_once(key: str, tmp_path: Path) -> None:
    theirs = made(tmp_path / "theirs", "Mixtral", **{key: 10**12})
    with pytest.raises(InputError, match="1000000000000"):
        unify(theirs, tmp_path / "ours")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_are_understood(name: str) -> None:
    """The decoder that they make has as many parameters as the model is known for."""
    config = read_settings(PUBLISHED[name], name)[1]
    assert sum(map(math.prod, shapes_of(config).values())) == PARAMETERS[name]
