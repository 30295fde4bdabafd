"""Batches at random, for models that say what they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zhufeng.base import InputError, derive_seed
from zhufeng.models import Decoder
from zhufeng.records import Mode
from zhufeng.workload._calls import Batch

_TOKENS, _SMALL_TOKENS = 512, 32


@dataclass(frozen=True)
class Extent:
    """How large a batch is made, and where."""

    batch: int = 1
    sequence: int | None = None
    """Tokens; 512, or what the model can take if that is less, without."""
    mode: Mode = "train"
    meta: bool = False
    """Shapes without data."""
    seed: int = 0


def small_extent(extent: Extent) -> Extent:
    """A batch for the same model at a small size."""
    tokens = min(extent.sequence or _SMALL_TOKENS, _SMALL_TOKENS)
    return Extent(2, tokens, extent.mode, meta=False, seed=extent.seed)


def drawn_batch(model: nn.Module, extent: Extent, *, meta: bool) -> Batch:
    """Tokens or pictures at random, with targets where there is a loss to compute."""
    stream = torch.Generator().manual_seed(derive_seed(extent.seed, "batch"))
    train = extent.mode == "train"
    if isinstance(model, Decoder):
        tokens = _tokens(model.config.vocabulary, extent.sequence or _TOKENS, extent, stream, meta)
        return (tokens, tokens.roll(-1, 1)) if train else tokens
    config = getattr(model, "config", None)
    if getattr(model, "main_input_name", None) == "pixel_values" and config is not None:
        return _pictures(config, extent, stream, meta)
    vocabulary = getattr(config, "vocab_size", None)
    if vocabulary is None:
        raise InputError(
            f"no batch can be made for a {type(model).__name__}",
            expected="a Hugging Face model of tokens or pictures, a Decoder, or a function that "
            "returns (model, batch)",
            came="a model that does not say what it reads",
            do="return the batch with the model",
        )
    longest = getattr(config, "max_position_embeddings", None) or _TOKENS
    length = extent.sequence or min(_TOKENS, longest)
    tokens = _tokens(vocabulary, length, extent, stream, meta)
    return {"input_ids": tokens, **({"labels": tokens} if train else {})}


def _tokens(
    vocabulary: int, length: int, extent: Extent, stream: torch.Generator, meta: bool
) -> Tensor:
    if meta:
        return torch.empty(extent.batch, length, dtype=torch.long, device="meta")
    return torch.randint(0, vocabulary, (extent.batch, length), generator=stream)


def _pictures(config: Any, extent: Extent, stream: torch.Generator, meta: bool) -> Batch:
    size = getattr(config, "image_size", 224)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    shape = (extent.batch, getattr(config, "num_channels", 3), height, width)
    pixels = torch.empty(shape, device="meta") if meta else torch.randn(shape, generator=stream)
    if extent.mode != "train":
        return {"pixel_values": pixels}
    labels = torch.zeros(extent.batch, dtype=torch.long, device=pixels.device)
    if not meta:
        labels = torch.randint(0, config.num_labels, (extent.batch,), generator=stream)
    return {"pixel_values": pixels, "labels": labels}
