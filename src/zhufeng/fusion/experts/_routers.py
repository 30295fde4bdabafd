"""Routers: drawn, read off hidden states, or trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.base import InputError, derive_seed, track
from zhufeng.fusion.experts._recipe import ExpertsRecipe
from zhufeng.fusion.vocabulary import read_vocabulary
from zhufeng.models import Decoder, read_decoder

_SPREAD = 0.02  # a decoder's own, GPT-2's


def random_routers(recipe: ExpertsRecipe, shape: tuple[int, ...], layers: Sequence[int]) -> Tensor:
    """Shape (layers, experts, width), from N(0, 0.02²), a stream a layer."""
    rows = []
    for layer in layers:
        stream = torch.Generator().manual_seed(derive_seed(recipe.seed, "router", str(layer)))
        rows.append(_SPREAD * torch.randn(shape, generator=stream))
    return torch.stack(rows)


def hidden_routers(recipe: ExpertsRecipe) -> Tensor:
    """What each expert's texts look like to the routers, shape (layers, experts, width).

    Each row is the mean, over the tokens of the expert's texts, of what enters the base's
    feed-forward, less that over the texts against it, scaled to length 1. The base is in memory.
    """
    model = read_decoder(Path(recipe.base)).eval()
    tokens = _reader(recipe)
    rows = []
    for expert in track(recipe.experts, "reading texts"):
        mean = _mean_inputs(model, [tokens(text) for text in expert.texts])
        if expert.against:
            mean = mean - _mean_inputs(model, [tokens(text) for text in expert.against])
        rows.append(functional.normalize(mean, dim=-1))
    return torch.stack(rows, dim=1)


@torch.no_grad()
def _mean_inputs(model: Decoder, texts: Sequence[Tensor]) -> Tensor:
    """Mean input of each layer's feed-forward over all tokens, shape (layers, width), in fp64."""
    total = torch.zeros(len(model.layers), model.config.width, dtype=torch.float64)
    handles = []

    def adder(layer: int) -> Callable[..., None]:
        def add(_: nn.Module, __: Any, out: Tensor) -> None:
            total[layer] += out.double().sum((0, 1))

        return add

    for number, layer in enumerate(model.layers):
        norm: nn.Module = layer.ff_norm  # type: ignore[assignment]
        handles.append(norm.register_forward_hook(adder(number)))
    for text in texts:
        model(text[None])
    for handle in handles:
        handle.remove()
    return total / sum(len(text) for text in texts)


def _reader(recipe: ExpertsRecipe) -> Callable[[str], Tensor]:
    """Text to tokens with the base's tokenizer, as many as the context holds."""
    vocabulary = read_vocabulary(Path(recipe.base))

    def read(text: str) -> Tensor:
        ids = vocabulary.tokenizer.encode(text).ids[: recipe.context]
        if not ids:
            raise InputError(
                "an expert's text has no tokens",
                expected="texts of at least one token",
                came=repr(text[:40]),
                do="leave it out",
            )
        return torch.tensor(ids)

    return read


def train_routers(model: Decoder, recipe: ExpertsRecipe) -> Tensor:
    """Train a mixture's routers on all its experts' texts, and nothing else of it.

    Args:
        model: the mixture, whole in memory; its routers are those to begin with.
        recipe: steps of one text each, in an order drawn anew for each pass; Adam.

    Returns:
        Shape (layers, experts, width).
    """
    tokens = _reader(recipe)
    texts = [tokens(text) for expert in recipe.experts for text in expert.texts]
    texts = [text for text in texts if len(text) > 1]
    routers = [parameter for name, parameter in model.named_parameters() if "router" in name]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for router in routers:
        router.requires_grad_(True)
    optimizer = torch.optim.Adam(routers, lr=recipe.learning_rate)
    order: list[int] = []
    for step in track(range(recipe.steps), "training routers", recipe.steps):
        if not order:
            stream = torch.Generator().manual_seed(derive_seed(recipe.seed, "order", str(step)))
            order = torch.randperm(len(texts), generator=stream).tolist()
        text = texts[order.pop()]
        loss = model(text[None, :-1], text[None, 1:]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.stack([router.detach() for router in routers])
