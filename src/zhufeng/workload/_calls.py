"""How a model is called: with a loss to train, over a prompt, or for one more token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from zhufeng.base import InputError
from zhufeng.models import Decoder, KvCache
from zhufeng.records import Mode

Batch = Tensor | Mapping[str, Any] | Sequence[Any]
# What stands for the call: is given the model to call and the tensors of the batch.
Run = Callable[[Callable[..., Any], Sequence[Tensor]], Any]


@dataclass(frozen=True)
class Call:
    """One call of a model, as a function of tensors."""

    inputs: list[Tensor]
    """The batch's tensors, and those of the cache."""
    run: Run
    """Given the model (or a function that stands for it) and such tensors, returns the loss, or
    what the model returns where nothing is trained."""
    batch: int
    sequence: int | None


def make_call(model: nn.Module, batch: Batch, mode: Mode) -> Call:
    """The call of `model` on `batch`.

    Args:
        model: any module. Training needs one that returns a loss: a scalar, or something with
            `loss`. A decode step needs a `Decoder` or a Hugging Face model.
        batch: arguments by name, by position, or a single tensor. For a decode step, the tokens
            that are in the cache already.
        mode: what the call is for.

    Raises:
        InputError: the model cannot be called so.
    """
    if mode == "decode":
        return _decode(model, batch)
    return _whole(model, batch, mode)


def _whole(model: nn.Module, batch: Batch, mode: Mode) -> Call:
    arguments, names = _arguments(batch)
    if mode == "prefill" and _is_hugging_face(model):
        names = {**names, "use_cache": True}
    leaves, structure = _pytree.tree_flatten((arguments, names))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def run(call: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
        filled = list(leaves)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        positional, named = _pytree.tree_unflatten(filled, structure)
        output = call(*positional, **named)
        return _loss(model, output) if mode == "train" else output

    inputs = [leaves[place] for place in places]
    return Call(inputs, run, *_extent(inputs))


def _arguments(batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(batch, Tensor):
        return (batch,), {}
    if isinstance(batch, Mapping):
        return (), dict(batch)
    return tuple(batch), {}


def _extent(inputs: Sequence[Tensor]) -> tuple[int, int | None]:
    """Sequences of the batch, and tokens of each, where its first tensor holds tokens."""
    first = next((t for t in inputs if t.dim()), None)
    if first is None:
        return 1, None
    tokens = first.dim() == 2 and not first.is_floating_point()
    return first.shape[0], first.shape[1] if tokens else None


def _loss(model: nn.Module, output: Any) -> Tensor:
    found = output
    if not isinstance(output, Tensor):
        found = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if found is None and isinstance(output, tuple) and output:
        found = output[0]
    if isinstance(found, Tensor) and found.dim() == 0:
        return found
    came = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else "none"
    raise InputError(
        f"the model {type(model).__name__} returns no loss",
        expected="a scalar, or something whose 'loss' is one",
        came=came,
        do="give it targets (Hugging Face: 'labels') in the batch, or wrap it in a module that "
        "computes the loss",
    )


def _is_hugging_face(model: nn.Module) -> bool:
    # Asked by what it has, so that transformers need not be imported.
    return hasattr(model, "_supports_sdpa") and hasattr(model, "generation_config")


def _decode(model: nn.Module, batch: Batch) -> Call:
    """One token after those of the batch, which fill the cache first."""
    tokens = _tokens(batch)
    new = tokens[:, -1:]
    if isinstance(model, Decoder):
        count, capacity = tokens.shape[0], tokens.shape[1] + 1
        cache = KvCache.empty(model.config, count, capacity, model.embedding.weight)
        if tokens.device.type != "meta":
            with torch.no_grad():
                model(tokens, cache=cache)
        layers, length = model.config.layers, tokens.shape[1]

        def run(call: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
            keys, values = list(tensors[1 : 1 + layers]), list(tensors[1 + layers :])
            return call(tensors[0], cache=KvCache(keys, values, length)).logits

        return Call([new, *cache.keys, *cache.values], run, count, length)
    if not _is_hugging_face(model):
        raise _no_cache(model)
    return _decode_hugging_face(model, tokens, new)


def _decode_hugging_face(model: nn.Module, tokens: Tensor, new: Tensor) -> Call:
    from transformers import DynamicCache  # noqa: PLC0415 (slow to import)

    with torch.no_grad():
        filled: Any = getattr(model(input_ids=tokens, use_cache=True), "past_key_values", None)
    if not hasattr(filled, "layers") or not all(hasattr(one, "keys") for one in filled.layers):
        raise _no_cache(model)
    pairs = [(layer.keys, layer.values) for layer in filled.layers]

    def run(call: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
        cache = DynamicCache(config=model.config)  # type: ignore[arg-type]
        for layer in range(len(pairs)):
            cache.update(tensors[1 + 2 * layer], tensors[2 + 2 * layer], layer)
        return call(input_ids=tensors[0], past_key_values=cache, use_cache=True).logits

    flat = [tensor for pair in pairs for tensor in pair]
    return Call([new, *flat], run, tokens.shape[0], tokens.shape[1])


def _no_cache(model: nn.Module) -> InputError:
    return InputError(
        f"the model {type(model).__name__} has no cache that is known",
        expected="a zhufeng.models.Decoder, or a Hugging Face model with keys and values",
        came=f"{type(model).__module__}.{type(model).__name__}",
        do="capture mode 'prefill' instead",
    )


def _tokens(batch: Batch) -> Tensor:
    arguments, names = _arguments(batch)
    found = names.get("input_ids", names.get("tokens", next(iter(arguments), None)))
    if not isinstance(found, Tensor) or found.dim() != 2 or found.is_floating_point():
        raise InputError(
            "the batch has no tokens to decode after",
            expected="a tensor of tokens (batch, sequence), by itself or as 'input_ids'",
            came=f"{type(found).__name__}"
            if not isinstance(found, Tensor)
            else f"a tensor of shape {tuple(found.shape)} and type {found.dtype}",
            do="give the prompt's tokens",
        )
    return found
