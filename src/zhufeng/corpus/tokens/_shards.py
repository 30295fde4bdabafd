"""Shards of tokens, in Megatron's form, as Parquet, or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from zhufeng.base import durable
from zhufeng.corpus.tokens._tokenizers import Tokens
from zhufeng.records import shard_writer

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["megatron", "parquet", "jsonl"]
"""How tokens are written:

- ``megatron``: ``NAME.bin`` and ``NAME.idx``, a document a sequence, without its id.
- ``parquet``: ``NAME.parquet``, the columns ``doc_id`` (string) and ``tokens`` (list of int32).
- ``jsonl``: ``NAME.jsonl``, a line ``{"doc_id": "...", "tokens": [...]}`` a document.
"""

_ROW_GROUP_TOKENS = 1 << 20

_Write = Callable[[str, Tokens], None]
_Open = Callable[[Path, int], AbstractContextManager[_Write]]


class ShardSet:
    """Token shards ``tokens-00000``, ``tokens-00001``, … each closed once it is full.

    The same documents give the same bytes. A shard has its name once it is whole; see `durable`.
    """

    def __init__(
        self, folder: Path, vocabulary: int, shard_tokens: int, form: Format = "megatron"
    ) -> None:
        self._folder = folder
        self._vocabulary = vocabulary
        self._limit = shard_tokens
        self._open = _FORMS[form]
        self._write: _Write | None = None
        self._room = 0
        self._stack = ExitStack()
        self.tokens = 0
        self.shards = 0

    def __enter__(self) -> Self:
        return self

    def write(self, doc_id: str, tokens: Tokens) -> None:
        """Add a document's tokens, 1-D; it is never divided between shards.

        The array must not be changed afterwards.

        Raises:
            ValueError: a token outside the vocabulary, here or by the end of the block.
        """
        if self._write is None or self._room <= 0:
            self._stack.close()
            prefix = self._folder / f"tokens-{self.shards:05d}"
            self._write = self._stack.enter_context(self._open(prefix, self._vocabulary))
            self._room = self._limit
            self.shards += 1
        self._write(doc_id, tokens)
        self._room -= len(tokens)
        self.tokens += len(tokens)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


@contextmanager
def _megatron(prefix: Path, vocabulary: int) -> Iterator[_Write]:
    with shard_writer(prefix, vocabulary) as shard:
        yield lambda _, tokens: shard.write(tokens)


@contextmanager
def _parquet(prefix: Path, vocabulary: int) -> Iterator[_Write]:
    import pyarrow.parquet as pq  # noqa: PLC0415 (slow to import)

    schema = _parquet_schema()
    with (
        durable(prefix.with_name(prefix.name + ".parquet")) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        rows = _Rows(schema)

        def write(doc_id: str, tokens: Tokens) -> None:
            _check(tokens, vocabulary)
            rows.add(doc_id, tokens)
            if rows.tokens >= _ROW_GROUP_TOKENS:
                writer.write_table(rows.taken())

        yield write
        writer.write_table(rows.taken())


class _Rows:
    """Rows on their way into Parquet."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._names: list[str] = []
        self._documents: list[Tokens] = []
        self.tokens = 0

    def add(self, doc_id: str, tokens: Tokens) -> None:
        self._names.append(doc_id)
        self._documents.append(tokens.astype(np.int32))
        self.tokens += len(tokens)

    def taken(self) -> pa.Table:
        """The rows, which are then no longer here."""
        import pyarrow as pa  # noqa: PLC0415 (slow to import)

        edges = np.cumsum([0, *map(len, self._documents)], dtype=np.int32)
        lists = pa.ListArray.from_arrays(
            pa.array(edges),
            pa.array(np.concatenate([np.zeros(0, np.int32), *self._documents])),
            type=self._schema.field("tokens").type,
        )
        names = pa.array(self._names, pa.string())
        self._names, self._documents, self.tokens = [], [], 0
        return pa.Table.from_arrays([names, lists], schema=self._schema)


def _parquet_schema() -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    tokens = pa.list_(pa.field("element", pa.int32(), nullable=False))
    fields = [("doc_id", pa.string()), ("tokens", tokens)]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


@contextmanager
def _jsonl(prefix: Path, vocabulary: int) -> Iterator[_Write]:
    with durable(prefix.with_name(prefix.name + ".jsonl")) as file:

        def write(doc_id: str, tokens: Tokens) -> None:
            _check(tokens, vocabulary)
            line = {"doc_id": doc_id, "tokens": tokens.tolist()}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode())
            file.write(b"\n")

        yield write


def _check(tokens: Tokens, vocabulary: int) -> None:
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
        raise ValueError(f"tokens in [0, {vocabulary}), not {tokens.min()} to {tokens.max()}")


_FORMS: dict[Format, _Open] = {"megatron": _megatron, "parquet": _parquet, "jsonl": _jsonl}
