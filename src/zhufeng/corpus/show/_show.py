"""A corpus looked at: its documents, one of them in full, and the file that it was made from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zhufeng.base import (
    InputError,
    Source,
    brief,
    expand,
    fetch,
    is_url,
    nearest,
    remote_files,
    sha256_file,
    shown,
    write_durable,
)
from zhufeng.corpus._config import SOURCES
from zhufeng.corpus._sources import row_place
from zhufeng.records import DOCUMENT, Document, Segment, Status, read_jsonl
from zhufeng.report import TRANSCRIPT_PAGE, Transcript, clock, in_time, render_transcript, si

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_FILES = ("documents.parquet", "documents.jsonl")
_VERSION = b"zhufeng.version"
_LISTS = (".jsonl", ".parquet")
# Among more names than this the nearest is not looked for: it would take longer than the rest.
_NAMES_COMPARED = 5000
_HASH_SHOWN = 12
_KILO = 1000
# Whatever draws on a terminal stands in no line of text.
_CONTROLS = dict.fromkeys(
    (*range(32), *range(127, 160), 0x2028, 0x2029), "\N{REPLACEMENT CHARACTER}"
) | {9: " "}


@dataclass(frozen=True)
class Head:
    """A document without its text: a line of the list."""

    row: int
    """Its place in the file, from 0."""
    doc_id: str
    source_uri: str
    status: Status
    reason: str | None
    duration_s: float | None
    lang: str | None
    n_tokens: int | None


_COLUMNS = tuple(name for name in Head.__annotations__ if name != "row")


def documents_of(folder: Path, run: Path) -> Path:
    """The file that holds the documents of the corpus in `folder`.

    Args:
        folder: the artifact's.
        run: what the user has named, for the error.

    Raises:
        InputError: there is none.
    """
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{run} has no corpus",
        expected="a run with a corpus, or the folder of a corpus: with " + " or ".join(_FILES),
        came="a folder without them" if run.is_dir() else "no such folder",
        do=f"check the path, or make one: zhufeng corpus build INPUT... -o {run}",
    )


def read_heads(file: Path) -> list[Head]:
    """All documents in the order of the file, without their text.

    Raises:
        InputError: the file is damaged.
    """
    if file.suffix == ".jsonl":
        return [_head(row, vars(one)) for row, one in enumerate(read_jsonl(file))]
    with _opened(file) as parquet:
        there = [name for name in _COLUMNS if name in parquet.schema_arrow.names]
        tables = (batch.to_pylist() for batch in parquet.iter_batches(columns=there))
        return [_head(row, one) for row, one in enumerate(chain.from_iterable(tables))]


def read_document(file: Path, row: int) -> Document:
    """The document at a place in the file; of a Parquet file no other is read.

    Raises:
        InputError: the file is damaged, or of a newer version.
    """
    if file.suffix == ".jsonl":
        return next(islice(read_jsonl(file), row, None))
    with _opened(file) as parquet:
        group = 0
        while row >= (rows := parquet.metadata.row_group(group).num_rows):
            row, group = row - rows, group + 1
        (fields,) = parquet.read_row_group(group).slice(row, 1).to_pylist(maps_as_pydicts="strict")
        version = (parquet.schema_arrow.metadata or {}).get(_VERSION, b"")
    head = {"record": DOCUMENT.name, "version": int(version) if version.isdigit() else None}
    return DOCUMENT.unpack({**head, **fields}, str(file))


def _head(row: int, table: Mapping[str, Any]) -> Head:
    told: dict[str, Any] = {name: table.get(name) for name in _COLUMNS}
    return Head(row=row, **told)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="documents as a Parquet file",
            came=brief(error),
            do="make it again: zhufeng status RUN --verify tells what else is damaged",
        ) from None


def choose(heads: Sequence[Head], wanted: str, run: Path) -> Head:
    """The one document that `wanted` names: by its name or its id, or by a part of its name or
    the beginning of its id that no other shares.

    Raises:
        InputError: none is named so, or several.
    """
    exact = [one for one in heads if wanted in (one.source_uri, one.doc_id)]
    ends = [h for h in heads if h.source_uri.endswith(wanted) or h.doc_id.startswith(wanted)]
    found = exact or ends or [one for one in heads if wanted in one.source_uri]
    if len(found) == 1:
        return found[0]
    if not found:
        close = _nearest(wanted, heads)
        raise InputError(
            f"{run} has no document '{shown(wanted)}'",
            expected="a document's name or id, a part of its name, or the beginning of its id",
            came=f"'{shown(wanted)}', which is none of {len(heads):,}",
            do=f"write '{shown(close)}'" if close else f"zhufeng corpus show {run} lists them",
        )
    names = ", ".join(shown(one.source_uri) for one in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 (as above)
    raise InputError(
        f"{run} has {len(found)} documents '{shown(wanted)}'",
        expected="what only one of them has in its name, or begins its id with",
        came=names + more,
        do="write the name in full",
    )


def _nearest(wanted: str, heads: Sequence[Head]) -> str | None:
    compared = heads[:_NAMES_COMPARED]
    names = {one.source_uri.rpartition("/")[2]: one.source_uri for one in compared}
    close = nearest(wanted, names) or nearest(wanted, [one.source_uri for one in compared])
    return names.get(close, close) if close else None


def facts(document: Document) -> list[tuple[str, str]]:
    """What is known of a document beside its text, as name and value; what is not is left out."""
    one = document
    kinds = Counter(segment.kind for segment in one.segments)
    left_out = sum(segment.suppressed_by is not None for segment in one.segments)
    segments = [f"{number:,} {kind}" for kind, number in kinds.items()]
    cost_ms = sum(one.cpu_ms.values())
    told = {
        "document": one.doc_id,
        "source": f"{one.source_uri}, {_bytes(one.bytes)}",
        "status": f"{one.status}: {one.reason}" if one.reason else one.status,
        "media": _media(one),
        "duration": clock(one.duration_s) if one.duration_s is not None else "",
        "licence": one.licence,
        "language": one.lang and one.lang + (f" ({one.lang_score:.2f})" if one.lang_score else ""),
        "text": f"{len(one.text):,} characters",
        "segments": _listed(*segments, f"{left_out:,} of these suppressed" if left_out else ""),
        "shots": f"{len(one.shots):,}" if one.shots else "",
        "said or shown": f"{one.text_coverage:.0%}" if one.text_coverage is not None else "",
        "quality": _listed(*(f"{name} {value:.4g}" for name, value in one.quality.items())),
        "filtered for": _listed(*one.quality_reasons),
        "scrubbed": _listed(*(f"{number:,} {kind}" for kind, number in one.pii.items())),
        "says the same as": one.dup_cluster,
        "tokens": f"{one.n_tokens:,} ({one.tokenizer})" if one.n_tokens is not None else "",
        "models": _listed(*(f"{n} {sha[:_HASH_SHOWN]}" for n, sha in one.model_hashes.items())),
        "CPU": f"{cost_ms:,.0f} ms" if cost_ms else "",
    }
    return [(name, value) for name, value in told.items() if value]


def _media(one: Document) -> str:
    size = f"{one.width} x {one.height}" if one.width else ""
    rate = f"{one.fps:g} pictures a second" if one.fps else ""
    container = f"{one.container}:" if one.container else ""
    return f"{container} {_listed(*one.codecs, size, rate)}".strip()


def _listed(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _bytes(number: int) -> str:
    return f"{si(number)}B" if number >= _KILO else f"{number} B"


@dataclass(frozen=True)
class Line:
    """A segment as a line of text."""

    text: str
    suppressed: bool


def transcript_lines(document: Document, *, everything: bool) -> list[Line]:
    """The segments in time order, as ``0:12.3-0:15.8 subtitle  text``.

    Args:
        document: whose.
        everything: suppressed ones too, each with what suppressed it.
    """
    kept = [one for one in document.segments if everything or one.suppressed_by is None]
    times = [f"{clock(one.t0)}-{clock(one.t1)}" for one in in_time(kept)]
    wide = max(map(len, times), default=0)
    return [
        _line(one, f"{time:{wide}} {one.kind:8}  ")
        for one, time in zip(in_time(kept), times, strict=True)
    ]


def _line(one: Segment, head: str) -> Line:
    said = plain(one.text)
    if one.suppressed_by is not None:
        said += f"  [left out: {plain(one.suppressed_by)}]"
    indented = said.replace("\n", "\n" + " " * len(head))
    return Line(head + indented, suppressed=one.suppressed_by is not None)


def plain(text: str) -> str:
    """Text in which nothing draws on a terminal: control characters replaced, lines kept."""
    return "\n".join(line.translate(_CONTROLS) for line in text.splitlines())


def one_line(text: str) -> str:
    """Text as a cell of a table: control characters replaced, ends of lines too."""
    return text.translate(_CONTROLS)


def find_media(document: Document, inputs: Sequence[str], base: Path, outside: Path) -> Path | None:
    """The file on this machine that a document was made from; None where it cannot be found.

    It is known by its content: a file that has changed since is another.

    Args:
        document: of a video or a recording.
        inputs: what the corpus was made of, as its recipe names it.
        base: where relative paths in `inputs` start.
        outside: the run's folder, whose files are never meant.
    """
    for pattern in inputs:
        # Inputs that are gone or out of reach say nothing of the others.
        with suppress(InputError, OSError):
            sources = expand([pattern], base, SOURCES, "corpus.inputs", outside=outside)
            same = [one for one in sources if one.sha256 == document.content_sha256]
            # Copies are as good; the one of the document's name is what the user knows.
            same.sort(key=lambda one: not document.source_uri.endswith(one.path.name))
            found = same[0].local() if same else _in_lists(document, sources)
            if found is not None:
                return found
    return None


def _in_lists(document: Document, sources: Sequence[Source]) -> Path | None:
    """The file that a row of a list names."""
    for one in sources:
        if one.path.suffix.lower() not in _LISTS:
            continue
        # It is called LIST#URI, with more or fewer folders before LIST than here.
        _, found, uri = document.source_uri.partition(f"{Path(one.name).name}#")
        # A row that cannot be asked for says nothing of another list's.
        with suppress(InputError, OSError, ValueError):
            place = row_place(one, uri if found else document.source_uri)
            if path := _of_content(place, document.content_sha256):
                return path
    return None


def _of_content(place: str, content: str) -> Path | None:
    if is_url(place):
        named = remote_files(place, "corpus.inputs")
        return next((fetch(url, sha) for url, sha in named if sha == content), None)
    path = Path(place)
    return path if path.is_file() and sha256_file(path) == content else None


def write_page(page: Path, document: Document, media: Path | None, notes: Sequence[str]) -> None:
    """Write the page of a document, with `media` beside its text where it is given.

    Raises:
        InputError: another file, or a folder, stands at `page`.
    """
    if page.is_dir():
        raise InputError(
            f"{page} is a folder",
            expected="the file that the page is to be, such as page.html",
            came="a folder",
            do=f"name a file in it: --page {page / 'page.html'}",
        )
    if page.is_file() and TRANSCRIPT_PAGE not in page.read_bytes():
        raise InputError(
            f"{page} is there already",
            expected="a new file, or an earlier page of a document",
            came="another file",
            do="name another",
        )
    url = media_url(media, page) if media else None
    shown_page = Transcript(document, facts(document), url, notes)
    write_durable(page, render_transcript(shown_page))


def media_url(media: Path, page: Path) -> str:
    """The URL of a file as a page names it: relative where it lies beside or below the page, so
    that both can be moved together."""
    media, folder = media.resolve(), page.resolve().parent
    if not media.is_relative_to(folder):
        return media.as_uri()
    # A name may begin like a scheme: "a:b.mp4".
    return "./" + quote(os.fsencode(media.relative_to(folder)))
