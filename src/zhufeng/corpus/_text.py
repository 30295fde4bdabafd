"""Texts into documents: plain text and Markdown, JSON lines and Parquet with a text column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from zhufeng.base import Files, InputError, Source, brief, is_utf8, loads_json
from zhufeng.records import Document

TEXT_FILES = Files(endings=(".txt", ".md", ".jsonl", ".parquet"))
_COLUMN = "text"


def read_documents(sources: Iterable[Source]) -> Iterator[Document]:
    """The documents of text files, in the order of `sources`.

    A plain text or Markdown file is one document; a row of a JSONL or Parquet file is one,
    its text under ``text``. What cannot be read becomes a document too, with status
    ``failed`` and the reason: nothing disappears.
    """
    for source in sources:
        match source.path.suffix.lower():
            case ".jsonl":
                yield from _jsonl(source)
            case ".parquet":
                yield from _parquet(source)
            case _:
                yield _plain(source)


def _plain(source: Source) -> Document:
    try:
        # A byte order mark is not text.
        text = source.path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}"
        return _document(source, None, reason=reason)
    return _document(source, None, text=text)


def _jsonl(source: Source) -> Iterator[Document]:
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"line {number}"
            try:
                row = loads_json(line, place)
            except InputError as error:
                yield _document(source, place, reason=f"not JSON: {error.came}")
                continue
            yield _row(source, place, row)


def _parquet(source: Source) -> Iterator[Document]:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        file = pq.ParquetFile(source.path)
        columns = [_COLUMN] if _COLUMN in file.schema_arrow.names else []
        for batch in file.iter_batches(batch_size=1024, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield _row(source, f"row {number}", row)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        yield _document(source, f"row {number + 1}", reason=f"not Parquet: {brief(error)}")


def _row(source: Source, place: str, row: Any) -> Document:
    text = row.get(_COLUMN) if isinstance(row, dict) else None
    if not isinstance(text, str):
        return _document(source, place, reason=f"no string under '{_COLUMN}'")
    return _document(source, place, text=text)


def _document(
    source: Source, place: str | None, *, text: str = "", reason: str | None = None
) -> Document:
    # A lone surrogate can be spelt in JSON, but is no character and no UTF-8.
    if reason is None and not is_utf8(text):
        text, reason = "", "a lone surrogate in the text"
    failed, empty = reason is not None, not text.strip()
    return Document(
        doc_id=hashlib.sha256(f"{source.sha256}:{place or ''}".encode()).hexdigest(),
        source_uri=f"{source.name}#{place}" if place else source.name,
        content_sha256=source.sha256,
        bytes=len(text.encode()) if place else source.path.stat().st_size,
        status="failed" if failed else "no_text" if empty else "ok",
        reason=reason or ("the text is empty" if empty else None),
        text="" if failed else text,
    )
