"""Tokenizers: bytes, any Hugging Face ``tokenizer.json``, or Qwen's tiktoken ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, needs_extra, shown
from zhufeng.corpus.tokens._tiktoken import TIKTOKEN, load_tiktoken

if TYPE_CHECKING:
    import tokenizers

Tokens = NDArray[Any]

# What model families call the token that ends a document, commonest first.
_END_NAMES = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|end▁of▁sentence|>",
    "[EOS]",
    "[SEP]",
)


class Tokenizer(Protocol):
    """Text to tokens."""

    @property
    def name(self) -> str:
        """What documents record."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""

    @property
    def end(self) -> int:
        """The token that ends every document."""

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text, 1-D, without the end."""


class ByteTokenizer:
    """A token a byte of UTF-8, and 256 for the end."""

    name = "bytes"
    vocabulary = 257
    end = 256

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """See `Tokenizer.encode`."""
        return [np.frombuffer(text.encode(), dtype=np.uint8) for text in texts]


class FileTokenizer:
    """The tokenizer in a Hugging Face ``tokenizer.json``, or in Qwen's ``.tiktoken`` ranks."""

    def __init__(self, path: Path, name: str, end: str | None = None) -> None:
        """Load it.

        Args:
            path: the file.
            name: what documents record.
            end: the token that ends a document; found by its usual names where None.

        Raises:
            InputError: not a tokenizer file, ranks of an unknown tokenizer, or the end token
                is not in it.
            MissingExtraError: without the extra ``corpus``.
        """
        ranks = path.suffix.lower() == TIKTOKEN
        self._loaded = load_tiktoken(path) if ranks else _from_json(path)
        # Stored settings of a model's serving must not cut or fill training text, and a text
        # that spells a special token must not become one: it could end a document.
        self._loaded.no_truncation()
        self._loaded.no_padding()
        self._loaded.encode_special_tokens = True
        self.name = name
        self.vocabulary = max(self._loaded.get_vocab().values(), default=-1) + 1
        self.end = self._find_end(path, end)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """See `Tokenizer.encode`."""
        encoded = self._loaded.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.asarray(one.ids, dtype=np.int64) for one in encoded]

    def _find_end(self, path: Path, end: str | None) -> int:
        for name in (end,) if end is not None else _END_NAMES:
            if (token := self._loaded.token_to_id(name)) is not None:
                return int(token)
        raise InputError(
            f"{path} has no token to end documents with",
            expected=f"the token {end}" if end else "one of " + " ".join(_END_NAMES),
            came="a vocabulary without it",
            do="name one of its tokens as end_of_document",
        )


def _from_json(path: Path) -> tokenizers.Tokenizer:
    with needs_extra("corpus"):
        from tokenizers import Tokenizer as Loaded  # noqa: PLC0415 (an extra)
    try:
        return Loaded.from_file(str(path))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 (bare Exception, and panics of Rust's)
        raise InputError(
            f"{path} is not a tokenizer",
            expected="a Hugging Face tokenizer.json",
            came=shown(str(error)),
            do="name the tokenizer.json of a model's folder, or leave it out for bytes",
        ) from None
