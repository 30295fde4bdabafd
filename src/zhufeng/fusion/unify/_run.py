"""A change of layout carried out: weights go through by rows, never a whole tensor."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from zhufeng.base import track, write_durable
from zhufeng.fusion.tensors import (
    TOKENIZER_FILES,
    TensorReader,
    TensorWriter,
    draft_key,
    drafted,
)
from zhufeng.fusion.unify._plan import (
    CONFIG,
    ORIGIN,
    ORIGIN_FILE,
    LayoutPlan,
    Move,
    plan_export,
    plan_unify,
)
from zhufeng.models import DECODER

VERSION = 1
"""Of what is written: a draft of another version is not taken up."""

_CHUNK_BYTES = 16 << 20
# What belongs to a model and is no setting of its decoder.
_COPIED = (
    *TOKENIZER_FILES,
    "generation_config.json",
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "NOTICE",
)


def unify(folder: Path, out: Path) -> LayoutPlan:
    """Bring a model of another family to the one architecture.

    Killed, it is taken up where it was when it is asked for again; the bytes are the same.

    Args:
        folder: a model as transformers has it: ``config.json`` and safetensors.
        out: the canonical folder that is made, whole or absent: ``config.json``,
            ``model.safetensors``, ``origin.json``, and the tokenizer's and the licence's files as
            they were. Nothing stands there, its parent does.

    Returns:
        What was done.

    Raises:
        InputError: the family, a setting or a tensor is not understood; a file is damaged; `out`
            stands already; the disk is full.
    """
    plan = plan_unify(folder)
    with drafted(out, _key(plan)) as draft:
        _move(plan, draft)
        DECODER.write_json(draft / CONFIG, plan.config)
        ORIGIN.write_json(draft / ORIGIN_FILE, plan.origin)
        _copy_beside(folder, draft)
    return plan


def export(folder: Path, out: Path, family: str | None = None) -> LayoutPlan:
    """Bring a canonical folder to the layout of a family, which `unify` brings back to the byte.

    Args:
        folder: a canonical folder.
        out: the folder that is made, whole or absent, as transformers reads it.
        family: a key of `zhufeng.fusion.families.FAMILIES`; the one that the folder came from
            where None.

    Raises:
        InputError: the family cannot be what the folder is, or none is named; the folder is
            damaged; `out` stands already; the disk is full.
    """
    plan = plan_export(folder, family)
    with drafted(out, _key(plan)) as draft:
        _move(plan, draft)
        settings = json.dumps(dict(plan.origin.settings), indent=2, ensure_ascii=False)
        write_durable(draft / CONFIG, settings.encode() + b"\n")
        _copy_beside(folder, draft)
    return plan


def _key(plan: LayoutPlan) -> str:
    what = [plan.layout.sha256, ORIGIN.pack(plan.origin)]
    return draft_key(VERSION, what, [plan.source])


def _copy_beside(folder: Path, draft: Path) -> None:
    for name in _COPIED:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, draft / name)


def _move(plan: LayoutPlan, draft: Path) -> None:
    with ExitStack() as stack:
        reader = stack.enter_context(TensorReader(plan.source))
        writer = stack.enter_context(TensorWriter(draft, plan.layout, plan.layout.sha256))
        waiting = [name for name in plan.moves if name not in writer.finished]
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count(), "layout"))

        def one(name: str) -> None:
            for move in plan.moves[name]:
                _carry(move, reader, writer)
            writer.finish(name, {})

        futures = [pool.submit(one, name) for name in waiting]
        try:
            for future in track(as_completed(futures), "moving tensors", len(futures)):
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _carry(move: Move, reader: TensorReader, writer: TensorWriter) -> None:
    """Some rows after others, by whole blocks of those that change places."""
    block = 1 if move.order is None else len(move.order)
    step = max(1, _CHUNK_BYTES // (block * move.row_bytes)) * block
    order = None if move.order is None else np.array(move.order)
    for start in range(0, move.rows, step):
        rows = min(step, move.rows - start)
        chunk = np.empty((rows, move.row_bytes), np.uint8)
        at = start * move.row_bytes
        reader.read(move.source, move.source_start + at, chunk.reshape(-1).data)
        if order is not None:
            blocks = chunk.reshape(-1, block, move.row_bytes)
            chunk = np.ascontiguousarray(blocks[:, order])
        writer.write(move.target, move.target_start + at, chunk.reshape(-1).data)
