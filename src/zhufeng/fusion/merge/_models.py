"""A model's folder, described from headers and small files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, read_json, sha256_json, shown
from zhufeng.fusion.licences import read_licence
from zhufeng.fusion.tensors import TOKEN_ROWS, TensorFolder, open_tensors

_LAYER = re.compile(r"^((?:[\w-]+\.)*?(?:layers|layer|h|blocks))\.(\d{1,9})\.(.+)$")


def layer_of(name: str) -> tuple[str, int, str] | None:
    """What stands before a tensor's layer, the layer's number, and what stands behind."""
    found = _LAYER.match(name)
    return (found[1], int(found[2]), found[3]) if found else None


@dataclass(frozen=True)
class Model:
    """One source of a merge."""

    tensors: TensorFolder
    config: Mapping[str, Any]
    """``config.json``; empty where there is none."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.tensors.folder

    @property
    def name(self) -> str:
        """Of its folder, without the path."""
        return self.folder.resolve().name

    @cached_property
    def layers(self) -> int:
        """How many layers its tensors are numbered by."""
        numbers = [found[1] for name in self.tensors.tensors if (found := layer_of(name))]
        return max(numbers, default=-1) + 1

    @property
    def embedded(self) -> int:
        """Rows of its embedding; 0 where none has a known name."""
        tensors = self.tensors.tensors
        rows = (tensors[name].shape[:1] for name in TOKEN_ROWS if name in tensors)
        return next((shape[0] for shape in rows if shape), 0)

    @cached_property
    def head_dim(self) -> object:
        """As the configuration gives it, or as it follows from width and heads."""
        given = self.config.get("head_dim")
        width, heads = self.config.get("hidden_size"), self.config.get("num_attention_heads")
        if given is None and isinstance(width, int) and isinstance(heads, int) and heads > 0:
            return width // heads
        return given

    @cached_property
    def key_value_heads(self) -> object:
        """As given, or as many as heads."""
        given = self.config.get("num_key_value_heads")
        return self.config.get("num_attention_heads") if given is None else given

    @cached_property
    def tied(self) -> bool:
        """Whether its output matrix is its embedding."""
        return self.config.get("tie_word_embeddings") is True

    @cached_property
    def tokenizer(self) -> str | None:
        """Hash of which token has which number; None where there is no tokenizer."""
        path = self.folder / "tokenizer.json"
        if path.exists():
            return sha256_json(_numbered(read_json(path)))
        for name in ("tokenizer.model", "vocab.json"):
            if (self.folder / name).is_file():
                return sha256_json((self.folder / name).read_bytes().hex())
        return None

    @cached_property
    def licence(self) -> str | None:
        """As its README's front matter or its LICENSE names it; None where neither does."""
        return read_licence(self.folder).name


def _numbered(tokenizer: object) -> object:
    """The vocabulary of a ``tokenizer.json`` with its added tokens."""
    table = tokenizer if isinstance(tokenizer, dict) else {}
    model = table.get("model")
    return [model.get("vocab") if isinstance(model, dict) else None, table.get("added_tokens")]


def open_model(folder: Path) -> Model:
    """Describe a model from its headers and its configuration.

    Raises:
        InputError: it has no weights, they are damaged, or its configuration is no table.
    """
    tensors = open_tensors(folder)
    path = folder / "config.json"
    config = read_json(path) if path.exists() else {}
    if not isinstance(config, dict):
        raise InputError(
            f"{path} is not a configuration",
            expected="a JSON object",
            came=shown(repr(config)),
            do="restore the file from a copy",
        )
    return Model(tensors, config)
