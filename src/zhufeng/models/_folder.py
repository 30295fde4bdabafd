"""A decoder's canonical folder: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zhufeng.base import InputError, brief, shown, write_durable
from zhufeng.models._config import DECODER
from zhufeng.models._decoder import Decoder

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def write_decoder(folder: Path, model: Decoder) -> None:
    """Write a decoder into `folder`, which must exist."""
    DECODER.write_json(folder / CONFIG, model.config)
    write_weights(folder / WEIGHTS, model)


def read_decoder(folder: Path) -> Decoder:
    """The decoder in `folder`, on the CPU.

    Raises:
        InputError: there is none, it is damaged, or weights and configuration disagree.
    """
    model = Decoder(DECODER.read_json(folder / CONFIG))
    read_weights(folder / WEIGHTS, model)
    return model


def write_weights(path: Path, model: nn.Module) -> None:
    """Write a module's parameters and buffers as safetensors; tied ones once."""
    write_durable(path, save(_distinct(model)))


def read_weights(path: Path, model: nn.Module) -> None:
    """Fill a module from what `write_weights` wrote.

    Raises:
        InputError: the file is missing or damaged, or holds other tensors than the module.
    """
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="a model's weights, as safetensors",
            came=brief(error),
            do="restore the file from a copy",
        ) from None
    wanted = _distinct(model)
    if wrong := _disagreement(wanted, found):
        raise InputError(
            f"{path} does not fit the model",
            expected=f"{len(wanted)} tensors as the configuration names and shapes them",
            came=wrong,
            do="use the configuration that the weights were written with",
        )
    model.load_state_dict({**model.state_dict(), **found})


def _distinct(model: nn.Module) -> dict[str, Tensor]:
    """Names to tensors, a tied tensor under the first of its names."""
    named: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            named[name] = tensor.detach().contiguous()
    return named


def _disagreement(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> str | None:
    for name in sorted(wanted.keys() ^ found.keys()):
        return f"{shown(name)} {'is missing' if name in wanted else 'is not one of its own'}"
    for name, tensor in wanted.items():
        if tensor.shape != found[name].shape:
            return f"{shown(name)} of shape {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
    return None
