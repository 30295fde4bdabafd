"""A mixture put together: tensors copied by pieces, routers made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zhufeng.base import InputError, to_json, track
from zhufeng.fusion.experts._plan import CONFIG, ExpertsPlan, plan_experts
from zhufeng.fusion.experts._recipe import ExpertsRecipe
from zhufeng.fusion.experts._routers import (
    ExpertTokens,
    hidden_routers,
    random_routers,
    read_texts,
    train_routers,
)
from zhufeng.fusion.tensors import (
    TOKENIZER_FILES,
    TensorReader,
    TensorWriter,
    draft_key,
    drafted,
)
from zhufeng.models import DECODER, Decoder, read_decoder

VERSION = 1
"""Of what is written: a draft of another version is not taken up."""

_CHUNK_BYTES = 16 << 20
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


def assemble(recipe: ExpertsRecipe, out: Path) -> ExpertsPlan:
    """Make one mixture of experts from dense models.

    Tensors are copied by pieces, whatever their size. Routers from hidden states need the base in
    memory; routers that are trained need the mixture.

    Args:
        recipe: what becomes what.
        out: the canonical folder that is made, whole or absent. Nothing stands there, its parent
            does. Killed, the same call goes on to the same bytes.

    Raises:
        InputError: models differ, or cannot become a mixture; a text has no tokens, or not the
            base's; routers come out as no numbers; a folder is damaged; `out` stands already; the
            disk is full.
    """
    plan = plan_experts(recipe)
    read = () if recipe.router == "random" else read_texts(recipe, plan.dense.vocabulary)
    what = [to_json(recipe), to_json(plan.dense), [_listed(expert) for expert in read]]
    with drafted(out, draft_key(VERSION, what, plan.sources)) as draft:
        _write(plan, _finite(_first_routers(plan, read)), draft)
        DECODER.write_json(draft / CONFIG, plan.config)
        if recipe.router == "trained":
            _train(plan, read, draft)
        for name in TOKENIZER_FILES:
            if (Path(recipe.base) / name).is_file():
                shutil.copyfile(Path(recipe.base) / name, draft / name)
    return plan


def _listed(expert: ExpertTokens) -> list[list[list[int]]]:
    return [[text.tolist() for text in texts] for texts in (expert.texts, expert.against)]


def _first_routers(plan: ExpertsPlan, read: Sequence[ExpertTokens]) -> Tensor:
    if plan.recipe.router != "random":
        return hidden_routers(plan.recipe, read)
    shape = (len(plan.recipe.experts), plan.dense.width)
    return random_routers(plan.recipe, shape, range(plan.dense.layers))


def _finite(routers: Tensor) -> Tensor:
    if not bool(routers.isfinite().all()):
        raise InputError(
            "the routers are not finite",
            expected="numbers",
            came="NaN or infinity, from the base's hidden states or from training",
            do="take a base that computes finite numbers, or a smaller learning_rate",
        )
    return routers


def _write(plan: ExpertsPlan, routers: Tensor, draft: Path) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(TensorReader(source)) for source in plan.sources]
        writer = stack.enter_context(TensorWriter(draft, plan.layout, plan.layout.sha256))
        waiting = [name for name in plan.layout.tensors if name not in writer.finished]
        for name in track(waiting, "putting experts together", len(waiting)):
            if name in plan.parts:
                _copy(plan, name, readers, writer)
            else:
                layer = int(name.split(".")[1])
                dtype = _DTYPES[plan.layout.tensors[name].dtype]
                writer.write(name, 0, _bytes(routers[layer].to(dtype)))
            writer.finish(name, {})


def _copy(plan: ExpertsPlan, name: str, readers: list[TensorReader], writer: TensorWriter) -> None:
    at = 0
    for part in plan.parts[name]:
        for start in range(0, part.bytes, _CHUNK_BYTES):
            chunk = np.empty(min(_CHUNK_BYTES, part.bytes - start), np.uint8).data
            readers[part.source].read(part.name, start, chunk)
            writer.write(name, at + start, chunk)
        at += part.bytes


def _train(plan: ExpertsPlan, read: Sequence[ExpertTokens], draft: Path) -> None:
    """Learn from the first routers, which are written, and write over them."""
    model: Decoder = read_decoder(draft).eval()
    trained = _finite(train_routers(model, plan.recipe, read))
    for name in plan.routers:
        info = plan.layout.tensors[name]
        path = draft / info.file
        with path.open("r+b") as file:
            file.seek(info.offset)
            file.write(_bytes(trained[int(name.split(".")[1])].to(_DTYPES[info.dtype])))
            file.flush()
            os.fsync(file.fileno())


def _bytes(tensor: Tensor) -> memoryview:
    data: memoryview = tensor.contiguous().view(torch.uint8).numpy().reshape(-1).data
    return data
