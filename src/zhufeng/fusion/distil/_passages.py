"""The corpus as passages: what the members score at once, learned from or held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, batched, brief, read_text, shown
from zhufeng.fusion.distil._config import TeacherConfig
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.fusion.mix import split
from zhufeng.records import (
    TOKENS_FILE,
    Document,
    TokenSet,
    read_jsonl,
    read_parquet,
    read_shard,
    read_token_set,
)

ENDINGS = (".txt", ".md", ".jsonl", ".parquet", ".idx", ".bin", TOKENS_FILE)
"""Of the files that `CorpusFiles` reads."""
_TRAINED_ON = ("ok", "partial")
_BYTES = "bytes"


@dataclass(frozen=True)
class Passage:
    """A piece of a document."""

    number: int
    """In the corpus."""
    chunks: tuple[str, ...]
    held_out: bool
    ends: bool
    """Whether it is the last of its document."""

    @property
    def sha256(self) -> str:
        """Of its text."""
        return hashlib.sha256("".join(self.chunks).encode()).hexdigest()


def passages(texts: Iterable[str], config: TeacherConfig) -> Iterator[Passage]:
    """Cut documents into passages of at most `config.passage` chunks; empty texts have none.

    Raises:
        InputError: a text that UTF-8 cannot hold.
    """
    number = 0
    for text in texts:
        pieces = list(batched(split(text), config.passage))
        for piece in pieces:
            held_out = int((number + 1) * config.held_out) > int(number * config.held_out)
            yield Passage(number, tuple(piece), held_out, piece is pieces[-1])
            number += 1


@dataclass(frozen=True)
class CorpusFiles:
    """The texts of files, read anew each time one goes through them.

    Plain text and Markdown are one document a file; JSONL and Parquet hold `Document`s; token
    shards (``.idx``, ``.bin`` and their ``tokens.json``) become text again by their tokenizer.
    """

    files: Sequence[Path]
    tokenizer: Path | None = None
    """The ``tokenizer.json`` of shards whose tokens are not bytes."""

    def __iter__(self) -> Iterator[str]:
        for path in self.files:
            if path.suffix in (".txt", ".md"):
                yield read_text(path, "a text")
            elif path.suffix == ".jsonl":
                yield from map(_text_of, read_jsonl(path))
            elif path.suffix == ".parquet":
                yield from map(_text_of, read_parquet(path))
            elif path.suffix == ".idx":
                yield from self._shard(path)

    def _shard(self, path: Path) -> Iterator[str]:
        told = read_token_set(path.parent)
        spelling = None if told.tokenizer == _BYTES else self._spelling(path, told)
        for tokens in read_shard(path.with_suffix("")):
            ids = np.asarray(tokens)
            ids = ids[ids != told.end]
            yield _of_bytes(path, ids) if spelling is None else spelling.decode(ids.tolist())

    def _spelling(self, path: Path, told: TokenSet) -> Spelling:
        spelling = None if self.tokenizer is None else Spelling(self.tokenizer)
        if spelling is not None and spelling.vocabulary == told.vocabulary:
            return spelling
        came = "none" if spelling is None else f"one of {spelling.vocabulary} tokens"
        raise InputError(
            f"{path} holds tokens, which need their tokenizer to become text",
            expected=f"{shown(told.tokenizer)}, of {told.vocabulary} tokens",
            came=came,
            do="name the tokenizer.json that the shards were made with",
        )


def _text_of(document: Document) -> str:
    return document.text if document.status in _TRAINED_ON else ""


def _of_bytes(path: Path, tokens: NDArray[Any]) -> str:
    try:
        return tokens.astype(np.uint8).tobytes().decode()
    except UnicodeDecodeError as error:
        raise _no_utf8(str(path), brief(error)) from None


def _no_utf8(where: str, came: str) -> InputError:
    return InputError(
        f"{where} is no text that can be scored",
        expected="text that UTF-8 can hold",
        came=came,
        do="mend it, or leave it out",
    )
