"""Small models of one family, and merges of them by us and by mergekit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zhufeng.base import parse
from zhufeng.fusion.merge import Recipe, run

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 40,
    "tie_word_embeddings": False,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
}


def shapes(layers: int = 3) -> dict[str, tuple[int, ...]]:
    """As a Llama of `CONFIG` has them."""
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (40, 16)}
    for layer in range(layers):
        inner = {
            "input_layernorm": (16,),
            "self_attn.q_proj": (16, 16),
            "self_attn.k_proj": (8, 16),
            "self_attn.v_proj": (8, 16),
            "self_attn.o_proj": (16, 16),
            "post_attention_layernorm": (16,),
            "mlp.gate_proj": (24, 16),
            "mlp.up_proj": (24, 16),
            "mlp.down_proj": (16, 24),
        }
        found |= {f"model.layers.{layer}.{k}.weight": shape for k, shape in inner.items()}
    return {**found, "model.norm.weight": (16,), "lm_head.weight": (40, 16)}


def random_weights(
    seed: int, dtype: torch.dtype = torch.float32, layers: int = 3, near: int | None = None
) -> dict[str, Tensor]:
    """Weights by seed; `near` gives those of that seed with a tenth of other ones added."""
    draw = torch.Generator().manual_seed(seed)
    made = {name: torch.randn(shape, generator=draw) for name, shape in shapes(layers).items()}
    if near is not None:
        about = random_weights(near, layers=layers)
        made = {name: about[name] + tensor / 10 for name, tensor in made.items()}
    return {name: tensor.to(dtype) for name, tensor in made.items()}


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any] | None = None,
    tokens: int | None = None,
) -> Path:
    folder.mkdir()
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors")
    layers = len([name for name in weights if "input_layernorm" in name])
    told = {**CONFIG, "num_hidden_layers": layers, **(config or {})}
    (folder / "config.json").write_text(json.dumps(told))
    if tokens is not None:
        vocabulary = {f"t{i}": i for i in range(tokens)}
        text = json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []})
        (folder / "tokenizer.json").write_text(text)
    return folder


def write_models(folder: Path, dtype: torch.dtype = torch.float32, count: int = 3) -> list[Path]:
    """A base and models trained from it: `base`, `m1`, `m2`."""
    made = [write_model(folder / "base", random_weights(0, dtype))]
    for number in range(1, count):
        weights = random_weights(number, dtype, near=0)
        made.append(write_model(folder / f"m{number}", weights))
    return made


def merge(table: Mapping[str, Any], out: Path, threads: int | None = None) -> dict[str, Tensor]:
    """Ours."""
    run(parse(Recipe, table, "recipe"), out, threads=threads)
    return load_file(out / "model.safetensors")


def mergekit_merge(table: Mapping[str, Any], out: Path) -> dict[str, Tensor]:
    """mergekit 0.1.5's, from its own configuration."""
    from mergekit.config import MergeConfiguration  # type: ignore[import-untyped]
    from mergekit.merge import run_merge  # type: ignore[import-untyped]
    from mergekit.options import MergeOptions  # type: ignore[import-untyped]

    config = MergeConfiguration.model_validate(table)
    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    run_merge(config, str(out), options)
    found: dict[str, Tensor] = {}
    for file in sorted(out.glob("*.safetensors")):
        found |= load_file(file)
    return found
