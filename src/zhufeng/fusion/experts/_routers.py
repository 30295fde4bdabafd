"""Routers: drawn, read off hidden states, or trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.base import InputError, derive_seed, shown, track
from zhufeng.fusion.experts._recipe import ExpertsRecipe
from zhufeng.fusion.vocabulary import read_vocabulary
from zhufeng.models import Decoder, read_decoder

_SPREAD = 0.02  # a decoder's own, GPT-2's


@dataclass(frozen=True)
class ExpertTokens:
    """What an expert's router is made from: the tokens of each text, at least one."""

    texts: tuple[Tensor, ...]
    against: tuple[Tensor, ...]


def read_texts(recipe: ExpertsRecipe, vocabulary: int) -> tuple[ExpertTokens, ...]:
    """Every expert's texts in the base's tokens, as many of each as the context holds.

    Args:
        recipe: whose experts.
        vocabulary: of the base; its tokens are below.

    Raises:
        InputError: the base has no tokenizer, or one of more tokens than its embedding; a text
            has no tokens; there is nothing to train on.
    """
    read = _reader(recipe, vocabulary)
    found = tuple(
        ExpertTokens(tuple(map(read, expert.texts)), tuple(map(read, expert.against)))
        for expert in recipe.experts
    )
    if recipe.router == "trained" and not _lessons(found):
        raise InputError(
            "routers cannot be trained",
            expected="a text of at least two tokens: the second is learned from the first",
            came="texts of one token each",
            do="give longer texts, or take the router 'hidden'",
        )
    return found


def _lessons(read: Sequence[ExpertTokens]) -> list[Tensor]:
    return [text for expert in read for text in expert.texts if len(text) > 1]


def random_routers(recipe: ExpertsRecipe, shape: tuple[int, ...], layers: Sequence[int]) -> Tensor:
    """Shape (layers, experts, width), from N(0, 0.02²), a stream a layer."""
    rows = []
    for layer in layers:
        stream = torch.Generator().manual_seed(derive_seed(recipe.seed, "router", str(layer)))
        rows.append(_SPREAD * torch.randn(shape, generator=stream))
    return torch.stack(rows)


def hidden_routers(recipe: ExpertsRecipe, read: Sequence[ExpertTokens]) -> Tensor:
    """What each expert's texts look like to the routers, shape (layers, experts, width).

    Each row is the mean, over the tokens of the expert's texts, of what enters the base's
    feed-forward, less that over the texts against it, scaled to length 1. The base is in memory.
    """
    model = read_decoder(Path(recipe.base)).eval()
    rows = []
    for expert in track(read, "reading texts"):
        mean = _mean_inputs(model, expert.texts)
        if expert.against:
            mean = mean - _mean_inputs(model, expert.against)
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


def _reader(recipe: ExpertsRecipe, vocabulary: int) -> Callable[[str], Tensor]:
    """Text to tokens with the base's tokenizer, as many as the context holds."""
    tokenizer = read_vocabulary(Path(recipe.base)).tokenizer

    def read(text: str) -> Tensor:
        ids = tokenizer.encode(text).ids[: recipe.context]
        if not ids or max(ids) >= vocabulary:
            raise InputError(
                f"an expert's text cannot be read: {shown(text)}",
                expected=f"at least one token, and all below {vocabulary}, the base's vocabulary",
                came=f"token {max(ids)}" if ids else "none",
                do="give the base its own tokenizer" if ids else "leave it out",
            )
        return torch.tensor(ids)

    return read


def train_routers(model: Decoder, recipe: ExpertsRecipe, read: Sequence[ExpertTokens]) -> Tensor:
    """Train a mixture's routers on all its experts' texts, and nothing else of it.

    Args:
        model: the mixture, whole in memory; its routers are those to begin with.
        recipe: steps of one text each, in an order drawn anew for each pass; Adam.
        read: the texts.

    Returns:
        Shape (layers, experts, width).
    """
    texts = _lessons(read)
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
