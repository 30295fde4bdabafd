"""What sources hold: texts become documents; videos, and rows that name them, become inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhufeng.base import (
    Files,
    InputError,
    MissingExtraError,
    Source,
    beside,
    brief,
    file_path,
    is_url,
    is_utf8,
    loads_json,
    remote_files,
    sha256_file,
    shown,
)
from zhufeng.corpus.engine import Input
from zhufeng.records import Document

TEXT_FILES = Files(endings=(".txt", ".md", ".jsonl", ".parquet"))
_TEXT, _URI, _LICENCE = "text", "uri", "licence"


class _RowError(Exception):
    """A row whose `uri` can be no video; the text goes on after it."""


@dataclass(frozen=True)
class Medium:
    """A video or a recording among the sources."""

    given: Input
    bytes: int
    licence: str | None = None


def read_sources(sources: Iterable[Source]) -> Iterator[Document | Medium]:
    """What files hold, in the order of `sources`.

    A plain text or Markdown file is one document; a row of a JSONL or Parquet file is one,
    its text under ``text``. A row without a text, or with an empty one, that names a video
    under ``uri`` (see `row_place`; its ``licence`` beside it) is that video. Any other file is
    taken for a video. What cannot be read becomes a document too, with status ``failed`` and the
    reason: nothing disappears.

    Raises:
        MissingExtraError: a row names a URL, and the packages for it are not installed.
    """
    for source in sources:
        suffix = source.path.suffix.lower()
        if suffix not in TEXT_FILES.endings:
            yield _medium(source)
            continue
        try:
            path = source.local()
        except OSError as error:
            yield _document(source, None, reason=f"cannot be fetched: {brief(error)}")
            continue
        match suffix:
            case ".jsonl":
                yield from _jsonl(source, path)
            case ".parquet":
                yield from _parquet(source, path)
            case _:
                yield _plain(source, path)


def _medium(source: Source) -> Medium:
    size = 0 if source.url else source.path.stat().st_size
    given = Input(source.name, source.url or str(source.path), source.sha256)
    return Medium(given, size)


def _plain(source: Source, path: Path) -> Document:
    try:
        # A byte order mark is not text.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}"
        return _document(source, None, reason=reason)
    return _document(source, None, text=text)


def _jsonl(source: Source, path: Path) -> Iterator[Document | Medium]:
    with path.open("rb") as file:
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


def _parquet(source: Source, path: Path) -> Iterator[Document | Medium]:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        columns = [name for name in (_TEXT, _URI, _LICENCE) if name in names]
        for batch in file.iter_batches(batch_size=1024, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield _row(source, f"row {number}", row)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        yield _document(source, f"row {number + 1}", reason=f"not Parquet: {brief(error)}")


def _row(source: Source, place: str, row: Any) -> Document | Medium:
    table = row if isinstance(row, dict) else {}
    text, uri, licence = (table.get(name) for name in (_TEXT, _URI, _LICENCE))
    uri = uri if isinstance(uri, str) else ""
    # An empty text beside a video is none: tables have a value in every column.
    if isinstance(text, str) and (text.strip() or not uri):
        return _document(source, place, text=text)
    if uri:
        try:
            return _listed(source, uri, licence if isinstance(licence, str) else None)
        except MissingExtraError:
            raise
        except _RowError as error:
            return _document(source, place, reason=f"'{shown(uri)}' {error}")
        except (InputError, OSError, ValueError) as error:
            came = error.came if isinstance(error, InputError) else brief(error)
            return _document(source, place, reason=f"'{shown(uri)}' is out of reach: {came}")
    return _document(source, place, reason=f"no string under '{_TEXT}' and none under '{_URI}'")


def _listed(source: Source, uri: str, licence: str | None) -> Medium:
    # A lone surrogate may stand in a path, but in no file of ours.
    name = f"{source.name}#{uri}".encode(errors="backslashreplace").decode()
    try:
        place = row_place(source, uri)
    except ValueError as error:
        raise _RowError(str(error)) from None
    if not is_url(place):
        path = Path(place)
        return Medium(Input(name, place, sha256_file(path)), path.stat().st_size, licence)
    (url, identity), *more = remote_files(place, source.name)
    if more:
        raise _RowError(f"names {1 + len(more)} files, and a row is one")
    return Medium(Input(name, url, identity), 0, licence)


def row_place(source: Source, uri: str) -> str:
    """The path, or the URL, that a row of a list means by its `uri`.

    It is a path from the list's own folder, a ``file://`` URL, or an fsspec URL. A list that
    itself lies behind a URL names no file of this machine.

    Raises:
        ValueError: it does.
    """
    if source.url is not None:
        return beside(source.url, uri)
    return uri if is_url(uri) else str(source.path.parent / file_path(uri))


def _document(
    source: Source, place: str | None, *, text: str = "", reason: str | None = None
) -> Document:
    # A lone surrogate can be spelt in JSON, but is no character and no UTF-8.
    if reason is None and not is_utf8(text):
        text, reason = "", "a lone surrogate in the text"
    failed, empty = reason is not None, not text.strip()
    size = 0 if source.url else source.path.stat().st_size
    return Document(
        doc_id=document_id(source.sha256, place),
        source_uri=f"{source.name}#{place}" if place else source.name,
        content_sha256=source.sha256,
        bytes=len(text.encode()) if place else size,
        status="failed" if failed else "no_text" if empty else "ok",
        reason=reason or ("the text is empty" if empty else None),
        text="" if failed else text,
    )


def document_id(content: str, place: str | None = None) -> str:
    """The id of what stands at `place` in a source with this content."""
    return hashlib.sha256(f"{content}:{place or ''}".encode()).hexdigest()
