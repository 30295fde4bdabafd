"""From texts to a canonical folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from zhufeng.base import (
    Draft,
    InputError,
    Manifest,
    Spec,
    exclusive,
    is_utf8,
    make,
    sha256_json,
    sync_folder,
    to_json,
    write_durable,
)
from zhufeng.fusion.small._tokenizer import train_tokenizer
from zhufeng.fusion.small._tokens import write_tokens
from zhufeng.training import MODEL, TrainConfig, open_task, train

TOKENIZER = "tokenizer.json"
_TOKENS, _TENSORBOARD = "tokens", "tensorboard"
_CANONICAL = ("config.json", "model.safetensors")


def train_small(texts: Sequence[str], config: TrainConfig, out: Path, seed: int) -> Manifest:
    """Train a tokenizer and a decoder on `texts`, unless they stand at `out` already.

    Killed, it goes on from its newest checkpoint when it is called again; the same arguments give
    the same bytes.

    Args:
        texts: one a document, in the order of the stream; the last of them are held out.
        config: with a model, whose vocabulary is the tokenizer's size; without shards.
        out: the artifact; its parent must exist. A canonical folder (``config.json``,
            ``model.safetensors``, ``tokenizer.json``), beside it the training's ``metrics.jsonl``
            and ``training.json``.
        seed: of the weights and of the order in which the texts are learned.

    Returns:
        The artifact's manifest; its figures are those of a training: ``parameters``, ``steps``,
        ``targets``, ``loss`` and ``held_out_loss`` in nats a token, ``bits_per_byte``.

    Raises:
        InputError: no model or no text, too small a vocabulary, too little text; another artifact
            stands at `out`; the training has diverged.
    """
    _check(texts, config)
    spec = Spec(
        kind="small",
        version=1,
        configuration=to_json(config),
        inputs={"texts": sha256_json(list(texts))},
        seed=seed,
    )
    fill = partial(_fill, texts=texts, config=config, seed=seed)
    packages = ("numpy", "safetensors", "tokenizers", "torch")
    with exclusive(out.parent):
        return make(out, spec, fill, resumes=True, packages=packages)


def _check(texts: Sequence[str], config: TrainConfig) -> None:
    if config.model is None or config.shards:
        raise InputError(
            "a small decoder cannot be trained so",
            expected="a model and no shards: its tokens are made of the texts",
            came=f"the reference '{config.reference}'" if config.model is None else "shards",
            do="give [model] and leave out reference and shards",
        )
    bad = next((number for number, text in enumerate(texts) if not is_utf8(text)), None)
    if bad is not None or not any(texts):
        raise InputError(
            "a small decoder has nothing to learn from",
            expected="texts that UTF-8 can hold, at least one of them not empty",
            came="no text" if bad is None else f"a lone surrogate in text {bad + 1}",
            do="give it other texts",
        )


def _fill(draft: Draft, *, texts: Sequence[str], config: TrainConfig, seed: int) -> None:
    """All but the training is made again where a kill came between: it takes seconds."""
    folder = draft.folder
    assert config.model is not None
    tokenizer = train_tokenizer(texts, config.model.vocabulary)
    write_durable(folder / TOKENIZER, tokenizer.to_str(pretty=True).encode() + b"\n")
    files = write_tokens(folder / _TOKENS, tokenizer, texts, TOKENIZER)
    task, schedule = open_task(config, files, seed)
    summary = train(task, schedule, folder, seed)
    for name in _CANONICAL:
        if (folder / MODEL / name).exists():
            (folder / MODEL / name).rename(folder / name)
    for name in (MODEL, _TOKENS, _TENSORBOARD):
        shutil.rmtree(folder / name, ignore_errors=True)
    sync_folder(folder)
    draft.figures |= {
        "parameters": summary.parameters,
        "steps": summary.steps,
        "targets": summary.targets,
        "loss": summary.loss,
        "held_out_loss": summary.held_out_loss,
        "bits_per_byte": summary.bits_per_byte,
    }
