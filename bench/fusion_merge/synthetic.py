"""Llama-like checkpoints in bf16, by seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from zhufeng.base import generator
from zhufeng.fusion.tensors import TensorSpec, TensorWriter, lay_out

_BLOCK = 1 << 22

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True)
class Size:
    """The shape of a Llama."""

    layers: int
    width: int
    ff_width: int
    heads: int
    key_value_heads: int
    vocabulary: int = 32_000

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes, as transformers has them."""
        narrow = self.width // self.heads * self.key_value_heads
        layer = {
            "input_layernorm": (self.width,),
            "mlp.down_proj": (self.width, self.ff_width),
            "mlp.gate_proj": (self.ff_width, self.width),
            "mlp.up_proj": (self.ff_width, self.width),
            "post_attention_layernorm": (self.width,),
            "self_attn.k_proj": (narrow, self.width),
            "self_attn.o_proj": (self.width, self.width),
            "self_attn.q_proj": (self.width, self.width),
            "self_attn.v_proj": (narrow, self.width),
        }
        found: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocabulary, self.width),
            "model.norm.weight": (self.width,),
            "lm_head.weight": (self.vocabulary, self.width),
        }
        for number in range(self.layers):
            found |= {f"model.layers.{number}.{k}.weight": shape for k, shape in layer.items()}
        return found

    @property
    def config(self) -> Mapping[str, object]:
        """``config.json``."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.width,
            "intermediate_size": self.ff_width,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "num_hidden_layers": self.layers,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": False,
            "hidden_act": "silu",
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5,
            "torch_dtype": "bfloat16",
        }


# TinyLlama's shape, 1.1 billion parameters; and one of 307 million.
LARGE = Size(layers=22, width=2048, ff_width=5632, heads=32, key_value_heads=4)
SMALL = Size(layers=16, width=1024, ff_width=4096, heads=16, key_value_heads=4)


def make(folder: Path, size: Size, seed: int, number: int) -> Path:
    """Write model `number` into `folder`; 0 is the base, the others lie a tenth away from it."""
    place = folder / f"{size.layers}x{size.width}-{seed}-{number}"
    if (place / "config.json").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    specs = [TensorSpec(name, "BF16", shape) for name, shape in size.tensors.items()]
    with TensorWriter(place, lay_out(specs, {"format": "pt"}), f"{seed}") as writer:
        for spec in specs:
            for start in range(0, math.prod(spec.shape), _BLOCK):
                count = min(_BLOCK, math.prod(spec.shape) - start)
                bits = _weights(seed, spec.name, start, count, number)
                writer.write(spec.name, start * 2, bits.data.cast("B"))
            writer.finish(spec.name, {})
    (place / "config.json").write_text(json.dumps(size.config))
    return place


def _weights(
    seed: int, name: str, start: int, count: int, number: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    drawn = 0.02 * _normal(seed, count, name, start)
    if number:
        drawn += 0.002 * _normal(seed, count, name, start, number)
    return (drawn.view(np.uint32) >> 16).astype(np.uint16)


def _normal(seed: int, count: int, *of: str | int) -> Floats:
    """A stretch of one long row of normal numbers: to draw all anew takes a minute a model."""
    start = int(generator(seed, *of).integers(_BLOCK))
    return _row(seed)[start : start + count]


@cache
def _row(seed: int) -> Floats:
    return generator(seed, "row").standard_normal(2 * _BLOCK, np.float32)
