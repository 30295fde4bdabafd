"""Whole folders brought to one vocabulary, so that they can be merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.base import InputError, read_json, shown, track, write_durable
from zhufeng.fusion.tensors import (
    TOKEN_ROWS,
    TensorFolder,
    TensorReader,
    TensorSpec,
    TensorWriter,
    draft_key,
    drafted,
    lay_out,
    open_tensors,
)
from zhufeng.fusion.vocabulary._read import TOKENIZER, Vocabulary, read_vocabulary
from zhufeng.fusion.vocabulary._rows import RowPlan, make_rows, plan_rows
from zhufeng.fusion.vocabulary._union import United, unite_tokenizers

VERSION = 2
"""Of what is written: a draft of another version is not taken up."""

CONFIG = "config.json"
_SIZES = ("vocabulary", "vocab_size")
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_CHUNK_BYTES = 16 << 20
# What counts tokens, or names them by number.
_NUMBERED = (CONFIG, "generation_config.json", "origin.json")
# What says how text is made of tokens; the union has it of its base.
_SPOKEN = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
_SUFFIXES = (".json", ".jinja", ".md", "")


@dataclass(frozen=True)
class _Source:
    """One model, and where its united rows come from."""

    name: str
    tensors: TensorFolder
    config: Mapping[str, Any]
    plan: RowPlan
    given: NDArray[np.int64]
    """The united id of each of its ids; -1 for one that is left out."""

    @property
    def by_token(self) -> list[str]:
        """Its tensors with a row a token."""
        return [name for name in TOKEN_ROWS if name in self.tensors.tensors]


def unite(folders: Sequence[Path], out: Path, base: int = 0) -> dict[str, dict[str, int]]:
    """Bring models with tokenizers of their own to one: the union of all tokens.

    Args:
        folders: canonical folders, or models as Hugging Face has them, each of another name, with
            a ``tokenizer.json``.
        out: the folder that is made, whole or absent: a folder each, by its name, with the united
            tokenizer and a row for each of its tokens; numbers of tokens in its configuration are
            the united ones. Nothing stands there, its parent does.
        base: whose tokenizer the union begins with.

    Returns:
        Of each model, how many rows come from where (`Origin`).

    Raises:
        InputError: tokenizers are of different kinds; a folder has no tokenizer, or no embedding
            of a known name; a file is damaged; `out` stands already; the disk is full.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names) or not 0 <= base < len(names):
        raise InputError(
            "the models cannot be united",
            expected="folders, each of another name, and the base's number among them",
            came=f"{', '.join(map(shown, names)) or 'none'}; base {base}",
            do="rename one of them, or number the base from 0",
        )
    vocabularies = [read_vocabulary(folder) for folder in folders]
    union = unite_tokenizers(vocabularies, base)
    pairs = zip(folders, vocabularies, strict=True)
    sources = [_source(folder, vocabulary, union) for folder, vocabulary in pairs]
    what = [union.data, base, [[source.name, source.config] for source in sources]]
    key = draft_key(VERSION, what, [source.tensors for source in sources])
    with drafted(out, key) as draft:
        for source in sources:
            _bring(source, union, folders[base], draft / source.name)
    return {source.name: source.plan.counts() for source in sources}


def _source(folder: Path, vocabulary: Vocabulary, union: United) -> _Source:
    tensors = open_tensors(folder)
    config = read_json(folder / CONFIG)
    rows = [tensors.tensors[name] for name in TOKEN_ROWS if name in tensors.tensors]
    fits = rows and isinstance(config, dict) and len({info.shape[:1] for info in rows}) == 1
    floats = all(info.dtype in _DTYPES for info in rows)
    if not fits or not floats or len(rows[0].shape) != 2:  # noqa: PLR2004
        raise InputError(
            f"{folder} cannot be brought to another vocabulary",
            expected=f"a configuration, and floats called {' or '.join(TOKEN_ROWS)}, a row a token",
            came=", ".join(f"{info.name} {list(info.shape)}" for info in rows) or "none of them",
            do="bring the model to the one architecture first: zhufeng fuse unify",
        )
    plan = plan_rows(union, vocabulary, rows[0].shape[0], union.size)
    given = union.of(vocabulary)
    return _Source(folder.resolve().name, tensors, config, plan, given)


def _bring(source: _Source, union: United, base: Path, folder: Path) -> None:
    """One model; its configuration is written last, and says that all is there."""
    if (folder / CONFIG).exists():
        return
    folder.mkdir(exist_ok=True)
    specs = [
        TensorSpec(info.name, info.dtype, _shape(source, info.name))
        for info in source.tensors.tensors.values()
    ]
    layout = lay_out(specs, {"format": "pt"})
    with (
        TensorReader(source.tensors) as reader,
        TensorWriter(folder, layout, layout.sha256) as writer,
    ):
        waiting = [name for name in layout.tensors if name not in writer.finished]
        for name in track(waiting, f"uniting {source.name}", len(waiting)):
            (_rows if name in source.by_token else _copy)(source, name, reader, writer)
            writer.finish(name, {})
    for path in sorted(source.tensors.folder.iterdir()):
        if path.is_file() and path.suffix in _SUFFIXES and _belongs(path):
            shutil.copyfile(path, folder / path.name)
    for name, data in tokenizer_files(union, base).items():
        write_durable(folder / name, data)
    for name in reversed(_NUMBERED):
        if (source.tensors.folder / name).is_file():
            table = _renumbered(read_json(source.tensors.folder / name), source, union)
            write_durable(folder / name, _spelt(table))


def _belongs(path: Path) -> bool:
    """Neither weights nor what is written anew, nor files of one tokenizer alone."""
    own = {TOKENIZER, "manifest.json", "vocab.json", "added_tokens.json", *_NUMBERED, *_SPOKEN}
    return path.name not in own and not path.name.endswith(".index.json")


def tokenizer_files(union: United, base: Path) -> dict[str, bytes]:
    """What stands beside weights on a union, by name.

    Args:
        union: the united tokenizer.
        base: the folder of its base, of which the union has how text is made of tokens.
    """
    files = {name: (base / name).read_bytes() for name in _SPOKEN if (base / name).is_file()}
    if _SPOKEN[0] in files:
        table = read_json(base / _SPOKEN[0])
        # Of added tokens `tokenizer.json` alone speaks.
        if isinstance(table, dict) and table.pop("added_tokens_decoder", None) is not None:
            files[_SPOKEN[0]] = _spelt(table)
    return {**files, TOKENIZER: json.dumps(union.data, ensure_ascii=False).encode()}


def _renumbered(value: Any, source: _Source, union: United) -> Any:
    """A configuration with the united vocabulary's size, and the united numbers of its tokens."""
    if not isinstance(value, dict):
        return value
    table = {
        key: _united_ids(inner, source.given)
        if key.endswith("_token_id")
        else _renumbered(inner, source, union)
        for key, inner in value.items()
    }
    return resized(table, union.size)


def resized(value: Any, size: int) -> Any:
    """A configuration with a vocabulary of `size`."""
    if not isinstance(value, dict):
        return value
    return {
        key: size if key in _SIZES and type(inner) is int else resized(inner, size)
        for key, inner in value.items()
    }


def _united_ids(value: Any, given: NDArray[np.int64]) -> Any:
    if isinstance(value, list):
        found = [_united_ids(one, given) for one in value]
        return [one for one in found if one is not None]
    known = type(value) is int and 0 <= value < len(given) and given[value] >= 0
    return int(given[value]) if known else None


def _spelt(table: Any) -> bytes:
    return json.dumps(table, indent=1, ensure_ascii=False).encode() + b"\n"


def _shape(source: _Source, name: str) -> tuple[int, ...]:
    shape = source.tensors.tensors[name].shape
    return (source.plan.rows, *shape[1:]) if name in source.by_token else shape


def _rows(source: _Source, name: str, reader: TensorReader, writer: TensorWriter) -> None:
    info = source.tensors.tensors[name]
    row_bytes = info.bytes // info.shape[0]

    def read(first: int, last: int) -> Tensor:
        buffer = bytearray((last - first) * row_bytes)
        reader.read(name, first * row_bytes, memoryview(buffer))
        return torch.frombuffer(buffer, dtype=_DTYPES[info.dtype]).view(last - first, -1)

    at = 0
    for rows in make_rows(source.plan, read):
        data = rows.contiguous().view(torch.uint8).numpy().reshape(-1).data
        writer.write(name, at, data)
        at += len(data)


def _copy(source: _Source, name: str, reader: TensorReader, writer: TensorWriter) -> None:
    size = source.tensors.tensors[name].bytes
    for start in range(0, size, _CHUNK_BYTES):
        chunk = np.empty(min(_CHUNK_BYTES, size - start), np.uint8).data
        reader.read(name, start, chunk)
        writer.write(name, start, chunk)
