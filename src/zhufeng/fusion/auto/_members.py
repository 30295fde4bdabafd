"""What can be told of a model from its folder without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, read_json, record, shown
from zhufeng.fusion.licences import Licence, read_licence
from zhufeng.fusion.tensors import TensorFolder, TensorInfo, open_tensors
from zhufeng.fusion.vocabulary import Vocabulary, read_vocabulary
from zhufeng.models import DECODER

# Tensors with a row a token, by the names of the canonical folder and of Hugging Face's families.
VOCABULARY_TENSORS = (
    "embedding.weight",
    "head.weight",
    "embed_tokens.weight",
    "lm_head.weight",
    "lm_head.bias",
    "wte.weight",
    "embed_in.weight",
    "embed_out.weight",
    "word_embeddings.weight",
    "output_layer.weight",
)
# Keys of a Hugging Face config.json that do not change what the model computes from its weights.
_BESIDE = frozenset(
    {
        *(
            "_name_or_path",
            "architectures",
            "auto_map",
            "attention_dropout",
            "bos_token_id",
            "dtype",
        ),
        *("eos_token_id", "hidden_dropout", "initializer_range", "max_position_embeddings"),
        *("pad_token_id", "torch_dtype", "transformers_version", "unk_token_id", "use_cache"),
        *("vocab_size", "vocabulary", "tie_word_embeddings", "max_window_layers", "pretraining_tp"),
        *("record", "version", "unsloth_version"),
    }
)


@record
class MemberRow:
    """One model, as a row of a table."""

    name: str
    family: str
    """Hugging Face's model_type; "canonical" for a decoder of ours."""
    parameters: int
    dtypes: tuple[str, ...]
    tokens: int | None
    """In its tokenizer; None where that cannot be read."""
    licence: Licence


@dataclass(frozen=True)
class Member:
    """A model's folder, looked into."""

    name: str
    folder: Path
    config: Mapping[str, Any]
    weights: TensorFolder

    @cached_property
    def licence(self) -> Licence:
        """What it says of its licence."""
        return read_licence(self.folder)

    @cached_property
    def vocabulary(self) -> Vocabulary | InputError:
        """Its tokenizer, or why there is none that can be read."""
        try:
            return read_vocabulary(self.folder)
        except InputError as error:
            return error

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """By their names."""
        return self.weights.tensors

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Of its tensors, as safetensors names them."""
        return tuple(sorted({one.dtype for one in self.tensors.values()}))

    @property
    def canonical(self) -> bool:
        """Whether it is a folder of our one decoder."""
        return self.config.get("record") == DECODER.name

    @property
    def family(self) -> str:
        """Which architecture it says it is."""
        if self.canonical:
            return "canonical"
        told = self.config.get("model_type")
        return shown(told) if isinstance(told, str) and told else "unknown"

    @property
    def switches(self) -> dict[str, Any]:
        """What the configuration says of how the model computes."""
        return {key: value for key, value in self.config.items() if key not in _BESIDE}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all tensors but those with a row a token."""
        return {name: one.shape for name, one in self.tensors.items() if not rows_of(name)}

    @property
    def token_rows(self) -> int | None:
        """Rows of the embedding, with those that no token uses."""
        rows = [one.shape[0] for name, one in self.tensors.items() if rows_of(name) and one.shape]
        return max(rows, default=None)

    @property
    def row(self) -> MemberRow:
        """For the table."""
        tokenizer = self.vocabulary
        return MemberRow(
            name=self.name,
            family=self.family,
            parameters=sum(one.elements for one in self.tensors.values()),
            dtypes=self.dtypes,
            tokens=None if isinstance(tokenizer, InputError) else len(tokenizer.ids),
            licence=self.licence,
        )


def rows_of(name: str) -> bool:
    """Whether a tensor has a row a token."""
    return any(name == own or name.endswith("." + own) for own in VOCABULARY_TENSORS)


def open_member(folder: Path, name: str) -> Member:
    """Look into a model's folder: configuration and headers.

    Raises:
        InputError: it is no model's folder, or damaged.
    """
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise InputError(
            f"{folder / 'config.json'} is no configuration",
            expected="a table of a model's settings",
            came=shown(config),
            do="restore the file from a copy",
        )
    return Member(name, folder, config, open_tensors(folder))
