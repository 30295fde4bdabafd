"""Tokenizers: bytes, or any Hugging Face ``tokenizer.json``; and the shards they fill."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, needs_extra, shown
from zhufeng.records import ShardWriter, shard_writer

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
    """The tokenizer in a Hugging Face ``tokenizer.json``."""

    def __init__(self, path: Path, name: str, end: str | None = None) -> None:
        """Load it.

        Args:
            path: the file.
            name: what documents record.
            end: the token that ends a document; found by its usual names where None.

        Raises:
            InputError: not a tokenizer file, or the end token is not in it.
            MissingExtraError: without the extra ``corpus``.
        """
        with needs_extra("corpus"):
            from tokenizers import Tokenizer as Loaded  # noqa: PLC0415
        try:
            self._loaded = Loaded.from_file(str(path))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 (bare Exception, and panics of Rust's)
            raise InputError(
                f"{path} is not a tokenizer",
                expected="a Hugging Face tokenizer.json",
                came=shown(str(error)),
                do="name the tokenizer.json of a model's folder, or leave it out for bytes",
            ) from None
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


class ShardSet:
    """Token shards ``tokens-00000``, ``tokens-00001``, … each closed once it is full."""

    def __init__(self, folder: Path, vocabulary: int, shard_tokens: int) -> None:
        self._folder = folder
        self._vocabulary = vocabulary
        self._limit = shard_tokens
        self._shard: ShardWriter | None = None
        self._stack = ExitStack()
        self.tokens = 0
        self.shards = 0

    def __enter__(self) -> Self:
        return self

    def write(self, tokens: Tokens) -> None:
        """Add a document; it is never divided between shards."""
        if self._shard is None or self._shard.tokens >= self._limit:
            self._stack.close()
            prefix = self._folder / f"tokens-{self.shards:05d}"
            self._shard = self._stack.enter_context(shard_writer(prefix, self._vocabulary))
            self.shards += 1
        self._shard.write(tokens)
        self.tokens += len(tokens)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
