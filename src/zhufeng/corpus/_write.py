"""Documents into files: themselves, and their tokens in shards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zhufeng.base import Source, batched, track
from zhufeng.corpus._config import CorpusConfig
from zhufeng.corpus.tokens import ByteTokenizer, FileTokenizer, ShardSet, Tokenizer, Tokens
from zhufeng.records import (
    Document,
    Status,
    TokenSet,
    read_jsonl,
    read_parquet,
    token_dtype,
    write_jsonl,
    write_parquet,
    write_token_set,
)

_BATCH = 256
_KEPT_FOR_PAGE = 20
EXCERPT_CHARACTERS = 700
TRAINED_ON = frozenset({"ok", "partial"})
"""The statuses whose documents become tokens."""


@dataclass
class CorpusSummary:
    """What was built."""

    tokenizer: str = ""
    vocabulary: int = 0
    shards: int = 0
    tokens: int = 0
    text_bytes: int = 0
    """Of the documents that became tokens."""
    statuses: Counter[Status] = field(default_factory=Counter)
    media_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of video and sound, by status."""
    shown: list[Document] = field(default_factory=list)
    """The first documents, their text cut, for the page."""

    @property
    def documents(self) -> int:
        """All of them, whatever their status."""
        return self.statuses.total()


def documents_file(config: CorpusConfig) -> str:
    """Name of the file that holds the documents."""
    return f"documents.{config.documents}"


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents of a corpus.

    Raises:
        InputError: there are none in `folder`, or they are damaged.
    """
    lines = folder / "documents.jsonl"
    return read_jsonl(lines) if lines.exists() else read_parquet(folder / "documents.parquet")


def open_tokenizer(config: CorpusConfig, file: Source | None) -> Tokenizer:
    """The tokenizer of `config`, whose file is `file`.

    Raises:
        InputError: it is none, or has no token that ends a document.
    """
    if file is None:
        return ByteTokenizer()
    return FileTokenizer(file.local(), file.name, config.end_of_document)


def write_corpus(
    config: CorpusConfig,
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    folder: Path,
) -> CorpusSummary:
    """Write the documents, their tokens' shards, and ``tokens.json``, into `folder`."""
    summary = CorpusSummary(tokenizer=tokenizer.name, vocabulary=tokenizer.vocabulary)
    write = write_parquet if config.documents == "parquet" else write_jsonl
    with ShardSet(folder, tokenizer.vocabulary, config.shard_tokens, config.shards) as shards:
        counted = _tokenised(track(documents, "tokenising"), tokenizer, shards, summary)
        write(folder / documents_file(config), counted)
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
        encoded = iter(tokenizer.encode([d.text for d in batch if d.status in TRAINED_ON]))
        for document in batch:
            counted = document
            if document.status in TRAINED_ON:
                tokens = _ended(next(encoded), tokenizer)
                shards.write(document.doc_id, tokens)
                counted = replace(document, n_tokens=len(tokens), tokenizer=tokenizer.name)
            _count(summary, counted)
            yield counted


def _ended(tokens: Tokens, tokenizer: Tokenizer) -> Tokens:
    ended = np.empty(len(tokens) + 1, dtype=token_dtype(tokenizer.vocabulary))
    ended[:-1], ended[-1] = tokens, tokenizer.end
    return ended


def _count(summary: CorpusSummary, document: Document) -> None:
    summary.statuses[document.status] += 1
    if document.duration_s is not None:
        summary.media_s[document.status] += document.duration_s
    if document.n_tokens is not None:
        summary.text_bytes += len(document.text.encode())
    if len(summary.shown) < _KEPT_FOR_PAGE:
        summary.shown.append(replace(document, text=document.text[:EXCERPT_CHARACTERS]))
