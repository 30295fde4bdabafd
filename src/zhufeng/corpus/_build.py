"""From sources to documents and token shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from zhufeng.base import Files, Source, batched, record, track
from zhufeng.corpus._text import TEXT_FILES, read_documents
from zhufeng.corpus._tokens import ByteTokenizer, FileTokenizer, ShardSet, Tokenizer, Tokens
from zhufeng.records import (
    Document,
    TokenSet,
    token_dtype,
    write_parquet,
    write_token_set,
)

DOCUMENTS = "documents.parquet"
_BATCH = 256
_KEPT_FOR_PAGE = 20
_TRAINED_ON = frozenset({"ok", "partial"})
EXCERPT_CHARACTERS = 700


@record
class CorpusConfig:
    """What the corpus is made of; the section ``[corpus]`` of a recipe."""

    inputs: Annotated[tuple[str, ...], TEXT_FILES]
    """Files, folders and globs."""
    tokenizer: Annotated[str | None, Files(endings=(".json",))] = None
    """A Hugging Face tokenizer.json; bytes without it."""
    end_of_document: str | None = None
    """The token of that file that ends a document; found by its usual names without it."""
    shard_tokens: int = 100_000_000
    """A shard is closed by the first document that brings it to this many tokens."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("at least one input")
        if self.shard_tokens < 1:
            raise ValueError("a shard of at least 1 token")
        if self.end_of_document is not None and self.tokenizer is None:
            raise ValueError("no end_of_document without a tokenizer: bytes have their own")


@dataclass
class CorpusSummary:
    """What was built."""

    tokenizer: str = ""
    vocabulary: int = 0
    shards: int = 0
    tokens: int = 0
    text_bytes: int = 0
    """Of the documents that became tokens."""
    statuses: Counter[str] = field(default_factory=Counter)
    shown: list[Document] = field(default_factory=list)
    """The first documents, their text cut, for the page."""

    @property
    def documents(self) -> int:
        """All of them, whatever their status."""
        return self.statuses.total()


def build(
    config: CorpusConfig, inputs: Iterable[Source], tokenizer_file: Source | None, folder: Path
) -> CorpusSummary:
    """Write ``documents.parquet``, ``tokens-NNNNN.bin/.idx`` and ``tokens.json`` into `folder`.

    Every document is a row; those with text are tokens too, each followed by the token that
    ends a document.
    """
    tokenizer: Tokenizer = ByteTokenizer()
    if tokenizer_file is not None:
        tokenizer = FileTokenizer(tokenizer_file.path, tokenizer_file.name, config.end_of_document)
    summary = CorpusSummary(tokenizer=tokenizer.name, vocabulary=tokenizer.vocabulary)
    with ShardSet(folder, tokenizer.vocabulary, config.shard_tokens) as shards:
        documents = track(read_documents(inputs), "reading")
        write_parquet(folder / DOCUMENTS, _tokenised(documents, tokenizer, shards, summary))
    summary.shards, summary.tokens = shards.shards, shards.tokens
    tokens = TokenSet(
        tokenizer=tokenizer.name,
        vocabulary=tokenizer.vocabulary,
        end=tokenizer.end,
        tokens=summary.tokens,
        text_bytes=summary.text_bytes,
    )
    write_token_set(folder, tokens)
    return summary


def _tokenised(
    documents: Iterable[Document], tokenizer: Tokenizer, shards: ShardSet, summary: CorpusSummary
) -> Iterator[Document]:
    """Pass documents on with their number of tokens, their tokens having gone to the shards."""
    for batch in batched(documents, _BATCH):
        encoded = iter(tokenizer.encode([d.text for d in batch if d.status in _TRAINED_ON]))
        for document in batch:
            counted = document
            if document.status in _TRAINED_ON:
                tokens = _ended(next(encoded), tokenizer)
                shards.write(tokens)
                counted = replace(document, n_tokens=len(tokens), tokenizer=tokenizer.name)
            _count(summary, counted)
            yield counted


def _ended(tokens: Tokens, tokenizer: Tokenizer) -> Tokens:
    ended = np.empty(len(tokens) + 1, dtype=token_dtype(tokenizer.vocabulary))
    ended[:-1], ended[-1] = tokens, tokenizer.end
    return ended


def _count(summary: CorpusSummary, document: Document) -> None:
    summary.statuses[document.status] += 1
    if document.n_tokens is not None:
        summary.text_bytes += len(document.text.encode())
    if len(summary.shown) < _KEPT_FOR_PAGE:
        summary.shown.append(replace(document, text=document.text[:EXCERPT_CHARACTERS]))
