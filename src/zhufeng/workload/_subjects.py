"""What `zhufeng trace` is given: a Hugging Face config, a decoder's, or a function of one's own."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from zhufeng.base import (
    InputError,
    brief,
    call_named,
    derive_seed,
    load_named,
    needs_extra,
    read_json,
    shown,
)
from zhufeng.models import DECODER, Decoder, initialise, read_weights
from zhufeng.workload._batches import Extent, drawn_batch, small_extent
from zhufeng.workload._calls import Batch
from zhufeng.workload._shrink import shrunk_decoder, shrunk_hugging_face

_PAIR = 2
_CALLED = "a function that can be called without arguments and returns a module"


@dataclass(frozen=True)
class Subject:
    """A model and what it is called with."""

    name: str
    model: nn.Module
    batch: Batch
    small: Callable[[], Subject] | None = None
    """The same class at a size that fits any machine, with data."""


def subject_of_config(path: Path, weights: Sequence[Path], extent: Extent) -> Subject:
    """The model that a ``config.json`` describes: Hugging Face's, or a decoder of `models`.

    Args:
        path: the file.
        weights: its safetensors files; drawn at random without.
        extent: of the batch.

    Raises:
        InputError: it describes no model that is known.
    """
    table = read_json(path)
    if isinstance(table, dict) and table.get("record") == DECODER.name:
        return _decoder_subject(DECODER.unpack(table, str(path)), weights, extent, path)
    return _hugging_face(table, path, weights, extent)


def subject_of_function(name: str, code: Path | None, extent: Extent) -> Subject:
    """The model that a function returns, alone or with a batch: ``(model, batch)``.

    A model alone must be a Hugging Face one or a `Decoder`, for which tokens are drawn. If the
    function takes an argument `small`, it is called with True for the check that goes with a
    capture on the meta device.

    Args:
        name: ``"package.module:function"``; with `code`, the function alone will do.
        code: the Python file.
        extent: of the batch.

    Raises:
        InputError: there is no such function, or it returns something else.
    """
    function = _function(name, code)

    def make(meta: bool, **arguments: Any) -> Subject:
        torch.manual_seed(derive_seed(extent.seed, "weights"))
        with torch.device("meta") if meta else nullcontext():
            made = call_named(function, name, arguments, expected=_CALLED)
        model, batch = made if isinstance(made, tuple) and len(made) == _PAIR else (made, None)
        if not isinstance(model, nn.Module):
            raise InputError(
                f"{shown(name)} returns no model",
                expected="a torch.nn.Module, or (module, batch)",
                came=f"{type(made).__name__}",
                do="return the module, or the module and its batch",
            )
        if batch is None:
            batch = drawn_batch(model, extent, meta=meta)
        label = name.rpartition(":")[2]
        return Subject(label, model, batch)

    subject = make(extent.meta)
    if "small" not in inspect.signature(function).parameters:
        return subject
    return Subject(subject.name, subject.model, subject.batch, lambda: make(False, small=True))


def _function(name: str, code: Path | None) -> Callable[..., Any]:
    found = load_named(name, code)
    if not callable(found):
        raise InputError(
            f"{shown(name)} is not a function",
            expected="a function that returns a torch.nn.Module",
            came=f"a {type(found).__name__}",
            do="name a function",
        )
    function: Callable[..., Any] = found
    return function


def _decoder_subject(config: Any, weights: Sequence[Path], extent: Extent, path: Path) -> Subject:
    with torch.device("meta") if extent.meta else nullcontext():
        model = Decoder(config)
    if not extent.meta:
        initialise(model, extent.seed)
        for file in weights:
            read_weights(file, model)

    def small() -> Subject:
        return _decoder_subject(shrunk_decoder(config), (), small_extent(extent), path)

    return Subject(_name(path), model, drawn_batch(model, extent, meta=extent.meta), small)


def _hugging_face(table: Any, path: Path, weights: Sequence[Path], extent: Extent) -> Subject:
    with needs_extra("train"):
        from transformers import AutoConfig  # noqa: PLC0415 (slow to import)
    if not isinstance(table, dict) or not isinstance(table.get("model_type"), str):
        raise _no_model(path, "a file without a 'model_type'")
    try:
        config = AutoConfig.for_model(**table)
        model = _build(config, weights, extent)
    except InputError:
        raise
    except Exception as error:
        raise _no_model(path, f"{type(error).__name__}: {brief(error)}") from error

    def small() -> Subject:
        tiny = _build(shrunk_hugging_face(config), (), small_extent(extent))
        return Subject(_name(path), tiny, drawn_batch(tiny, small_extent(extent), meta=False))

    return Subject(_name(path), model, drawn_batch(model, extent, meta=extent.meta), small)


def _no_model(path: Path, came: str) -> InputError:
    return InputError(
        f"{path} does not describe a model that can be built",
        expected="the config.json of a Hugging Face model (with its 'model_type'), or of a "
        "decoder of Zhufeng's",
        came=came,
        do="check the file, and that the installed transformers knows the model",
    )


def _build(config: Any, weights: Sequence[Path], extent: Extent) -> nn.Module:
    import transformers  # noqa: PLC0415 (slow to import)

    named = [getattr(transformers, n, None) for n in getattr(config, "architectures", None) or ()]
    known = [one for one in named if one is not None]
    if weights:
        auto = known[0] if known else transformers.AutoModelForCausalLM
        return _loaded(auto, config, weights).train(extent.mode == "train")
    torch.manual_seed(derive_seed(extent.seed, "weights"))
    with torch.device("meta") if extent.meta else nullcontext():
        auto = transformers.AutoModelForCausalLM
        made: nn.Module = known[0](config) if known else auto.from_config(config)
    return made.float().train(extent.mode == "train")


def _loaded(auto: Any, config: Any, weights: Sequence[Path]) -> nn.Module:
    """A Hugging Face model with the weights of these files, all of which must find their place."""
    came = ""
    model: nn.Module
    try:
        with tempfile.TemporaryDirectory() as folder:
            _gather(weights, Path(folder))
            model, told = auto.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        for what in ("mismatched_keys", "missing_keys", "unexpected_keys"):
            if wrong := sorted(map(str, told.get(what) or ())):
                came = f"{what.replace('_', ' ')}: {shown(wrong[0])}, {len(wrong)} in all"
                break
    except Exception as error:  # noqa: BLE001 (transformers raises what it likes)
        came = f"{type(error).__name__}: {brief(error)}"
    if came:
        raise InputError(
            f"the weights {weights[0].name} do not fit the model",
            expected="the tensors that its config.json asks for",
            came=came,
            do="name the safetensors files that belong to the config, or none for random weights",
        )
    return model


def _gather(weights: Sequence[Path], folder: Path) -> None:
    """A folder of these files, as transformers reads one whatever the files are called."""
    places: dict[str, str] = {}
    for number, file in enumerate(weights):
        name = f"model-{number:05d}.safetensors"
        (folder / name).symlink_to(file.resolve())
        with safe_open(file, "pt") as opened:
            places |= dict.fromkeys(opened.keys(), name)
    (folder / "generation_config.json").write_text("{}")  # else it is looked for on the network
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _name(path: Path) -> str:
    """``llama-3-8b`` for both ``llama-3-8b/config.json`` and ``llama-3-8b.json``."""
    return path.resolve().parent.name if path.name == "config.json" else path.stem
