"""A folder of safetensors: one file, or shards with an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import InputError, read_json, shown
from zhufeng.fusion.tensors._header import TensorInfo, damaged, read_header

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
# The parts of a tokenizer, whichever of them a model has; copied with it.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
TOKEN_ROWS = (
    *("embedding.weight", "head.weight"),
    *("model.embed_tokens.weight", "lm_head.weight", "lm_head.bias"),
)
"""Tensors with a row a token, as the one decoder names them, and as most families do."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class TensorFolder:
    """Every tensor of a folder, as its headers describe it."""

    folder: Path
    tensors: Mapping[str, TensorInfo]
    """By name, in the order of files and bytes."""
    metadata: Mapping[str, str]
    """``__metadata__`` of its files together."""

    @property
    def bytes(self) -> int:
        """Of all tensors together."""
        return sum(tensor.bytes for tensor in self.tensors.values())


def open_tensors(folder: Path) -> TensorFolder:
    """Describe the weights in `folder` from their headers alone.

    Where both stand, the single file is taken before the index, as transformers does.

    Raises:
        InputError: there are no safetensors, a file is damaged, or the index and the files
            disagree; the message names the first place.
    """
    if (folder / SINGLE).exists():
        tensors, metadata = read_header(folder / SINGLE)
        return TensorFolder(folder, tensors, metadata)
    if (folder / INDEX).exists():
        return _sharded(folder)
    raise _nothing(folder)


def _nothing(folder: Path) -> InputError:
    found = [folder] if folder.is_file() else sorted(folder.iterdir()) if folder.is_dir() else []
    pickles = [path.name for path in found if path.suffix in _PICKLES]
    if pickles:
        return InputError(
            f"{folder} holds its weights as a pickle",
            expected=f"{SINGLE}, or {INDEX} with its shards",
            came=f"{shown(pickles[0])}: loading it would run whatever its author put inside",
            do="convert it to safetensors where you trust its author",
        )
    return InputError(
        f"{folder} holds no weights",
        expected=f"{SINGLE}, or {INDEX} with its shards",
        came="neither" if folder.is_dir() else "no such folder",
        do="name the folder of a model",
    )


def _sharded(folder: Path) -> TensorFolder:
    path = folder / INDEX
    named = _weight_map(path)
    tensors: dict[str, TensorInfo] = {}
    metadata: dict[str, str] = {}
    for file in sorted(set(named.values())):
        if not (folder / file).is_file():
            raise damaged(path, "the files that it names", f"no file {shown(file)}")
        there, told = read_header(folder / file)
        for name, info in there.items():
            if named.get(name) != file:
                raise damaged(path, *_misplaced(name, file, named.get(name)))
            tensors[name] = info
        metadata.update(told)
    missing = [name for name in named if name not in tensors]
    if missing:
        name = missing[0]
        raise damaged(path, f"tensor {shown(name)} in {named[name]}", "a file without it")
    return TensorFolder(folder, tensors, metadata)


def _misplaced(name: str, file: str, instead: str | None) -> tuple[str, str]:
    if instead is None:
        return "every tensor of its files", f"nothing about {shown(name)}, which {file} holds"
    return f"tensor {shown(name)} in {instead} alone", f"the same name in {file}"


def _weight_map(path: Path) -> dict[str, str]:
    index = read_json(path)
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict) or not named:
        raise damaged(path, "a weight_map: tensor name to file name", shown(repr(named)))
    for file in named.values():
        # A name with a folder in it could lead anywhere.
        plain = isinstance(file, str) and file.endswith(".safetensors") and "\0" not in file
        if not plain or Path(file).name != file:
            raise damaged(path, "names of .safetensors files beside it", shown(repr(file)))
    return named
