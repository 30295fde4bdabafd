"""iFlytek Spark-13B, written from its description in MindFormers (research/iflytekspark), in torch.

It shares nothing with the one decoder: the rotary turn is a product with a matrix of -1, 0 and 1,
attention has a mask of its own, queries, keys and values are one product, split in three.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

_BASE = 1_000_000


@dataclass(frozen=True)
class SparkConfig:
    """MindFormers' names; the defaults are Spark-13B's."""

    vocab_size: int = 60_000
    hidden_size: int = 5120
    ffn_hidden_size: int = 28_672
    num_layers: int = 40
    num_heads: int = 40
    layernorm_epsilon: float = 1e-5
    sparse_local_size: int = 8192
    hidden_act: str = "fast_gelu"


@dataclass
class Output:
    """What a model returns."""

    logits: Tensor


class _Block(nn.Module):
    def __init__(self, config: SparkConfig) -> None:
        super().__init__()
        self.heads, wide = config.num_heads, config.hidden_size
        self.local, half = config.sparse_local_size, config.ffn_hidden_size // 2
        self.layer_norm = nn.LayerNorm(wide, config.layernorm_epsilon)
        self.q_k_v_proj = nn.Linear(wide, 3 * wide)
        self.out_proj = nn.Linear(wide, wide)
        self.final_layer_norm = nn.LayerNorm(wide, config.layernorm_epsilon)
        self.fc0, self.fc1 = nn.Linear(wide, half), nn.Linear(wide, half)
        self.fc2 = nn.Linear(half, wide)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.out_proj(self._mixed(self.layer_norm(x)))
        inner = self.final_layer_norm(x)
        out: Tensor = x + self.fc2(_fast_gelu(self.fc0(inner)) * self.fc1(inner))
        return out

    def _mixed(self, x: Tensor) -> Tensor:
        batch, tokens, wide = x.shape
        q, k, v = self.q_k_v_proj(x).chunk(3, dim=-1)
        shape = (batch, tokens, self.heads, wide // self.heads)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in (q, k, v))
        q, k = _turn(q), _turn(k)
        place = torch.arange(tokens)
        far = place[:, None] >= place[None, :] + self.local
        seen = ~((place[:, None] < place[None, :]) | far)
        scale = (wide // self.heads) ** -0.5
        # All seen, the kernel is the causal one; the mask of local attention needs another.
        if self.local >= tokens:
            out = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        else:
            out = functional.scaled_dot_product_attention(q, k, v, seen, scale=scale)
        return out.transpose(1, 2).reshape(x.shape)


def _fast_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x * 1.702)


def _turn(x: Tensor) -> Tensor:
    """x cos + (x M) sin, where M takes each half to the other's place and negates one."""
    width = x.shape[-1]
    half = torch.arange(0, width, 2, dtype=torch.float32)
    angles = torch.arange(x.shape[-2], dtype=torch.float32)[:, None] * (
        1.0 / (_BASE ** (half / width))
    )
    both = torch.cat((angles, angles), dim=-1)
    matrix = torch.diag(torch.ones(width // 2), width // 2)
    matrix = (matrix - matrix.T).to(x.dtype)
    return x * both.cos().to(x.dtype) + (x @ matrix) * both.sin().to(x.dtype)


class Spark(nn.Module):
    """The model; its head is the embedding."""

    def __init__(self, config: SparkConfig) -> None:
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(_Block(config) for _ in range(config.num_layers))
        self.layernorm = nn.LayerNorm(config.hidden_size, config.layernorm_epsilon)

    def forward(self, tokens: Tensor) -> Output:
        """Logits of shape (batch, tokens, vocabulary)."""
        x = self.word_embeddings(tokens)
        for layer in self.layers:
            x = layer(x)
        return Output(functional.linear(self.layernorm(x), self.word_embeddings.weight))

    def save(self, folder: Path) -> None:
        """As MindFormers names settings and tensors."""
        settings = {"model_type": "iflytekspark", **asdict(self.config)}
        (folder / "config.json").write_text(json.dumps(settings))
        named = {_name(name): p.detach().contiguous() for name, p in self.named_parameters()}
        save_file(named, folder / "model.safetensors")

    @staticmethod
    def load(folder: Path, dtype: torch.dtype) -> Spark:
        """What `save` wrote, in a type."""
        settings = json.loads((folder / "config.json").read_text())
        del settings["model_type"]
        model = Spark(SparkConfig(**settings))
        found = load_file(folder / "model.safetensors")
        model.load_state_dict({name: found[_name(name)] for name, _ in model.named_parameters()})
        return model.to(dtype)


def _name(mine: str) -> str:
    """MindFormers' name of a parameter."""
    parts = mine.split(".")
    if parts[0] == "word_embeddings":
        return "transformer.embedding.word_embeddings.embedding_table"
    kind = {"weight": "gamma", "bias": "beta"}[parts[-1]] if "norm" in parts[-2] else parts[-1]
    if parts[0] == "layernorm":
        return f"transformer.transformer.layernorm.{kind}"
    block = {"q": "attention.", "o": "attention.", "f": "mlp."}.get(parts[2][0], "")
    block = "" if "norm" in parts[2] else block
    return f"transformer.transformer.layers.{parts[1]}.{block}{parts[2]}.{kind}"
