"""Documents as rows: Parquet and JSONL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.base import InputError, batched, brief, durable, shown, to_json
from zhufeng.records._document import DOCUMENT, Document
from zhufeng.records._forms import check_version

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD, _VERSION = b"zhufeng.record", b"zhufeng.version"
_ROWS_A_GROUP = 1024


def write_parquet(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as a Parquet file, a row each; the same documents give the same bytes."""
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = _schema()
    with (
        durable(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for rows in batched(map(to_json, documents), _ROWS_A_GROUP):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def read_parquet(path: Path) -> Iterator[Document]:
    """The documents in a Parquet file written by `write_parquet`, of any version up to ours.

    Columns that an older version did not have take their defaults.

    Raises:
        InputError: the file is missing, damaged, of a newer version, or holds something else.
    """
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        file = pq.ParquetFile(path)
        version = _version(path, file.schema_arrow.metadata or {})
        for batch in file.iter_batches(batch_size=_ROWS_A_GROUP):
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                head = {"record": DOCUMENT.name, "version": version}
                yield DOCUMENT.unpack({**head, **row}, str(path))
    except (OSError, pa.ArrowException, UnicodeDecodeError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="documents as a Parquet file",
            came=brief(error),
            do="check the path, or make the file again",
        ) from None


def write_jsonl(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as JSON lines (UTF-8), a document each."""
    with durable(path) as file:
        file.writelines(map(DOCUMENT.dumps_line, documents))


def read_jsonl(path: Path) -> Iterator[Document]:
    """The documents in a file written by `write_jsonl`.

    Raises:
        InputError: the file is missing, or a line is damaged or of a newer version; names it.
    """
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield DOCUMENT.loads_line(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="documents as JSON lines in UTF-8",
            came=brief(error),
            do="check the path, or make the file again",
        ) from None


def _version(path: Path, header: dict[bytes, bytes]) -> object:
    name = header.get(_RECORD, b"").decode(errors="replace")
    if name != DOCUMENT.name:
        raise InputError(
            f"{path} does not hold documents",
            expected=f"a Parquet file whose schema says {_RECORD.decode()} = {DOCUMENT.name}",
            came=f"{_RECORD.decode()} = {shown(name)}" if name else "one that does not say",
            do="check the path",
        )
    version = header.get(_VERSION, b"").decode(errors="replace")
    came = int(version) if version.isdecimal() else version
    check_version(DOCUMENT.name, came, DOCUMENT.version, str(path))
    return came


def _schema() -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    text, integer, real = pa.string(), pa.int64(), pa.float64()
    segment = pa.struct(
        [
            pa.field("t0", real, nullable=False),
            pa.field("t1", real, nullable=False),
            pa.field("kind", text, nullable=False),
            pa.field("text", text, nullable=False),
            pa.field("conf", real),
            pa.field("bbox", pa.list_(real)),
            pa.field("shot", integer),
            pa.field("model", text),
            pa.field("suppressed_by", text),
            pa.field("original", text),
        ]
    )
    required = {"doc_id": text, "source_uri": text, "content_sha256": text, "bytes": integer}
    optional = {
        "status": text,
        "reason": text,
        "container": text,
        "codecs": pa.list_(text),
        "duration_s": real,
        "width": integer,
        "height": integer,
        "fps": real,
        "licence": text,
        "text": text,
        "original_text": text,
        "lang": text,
        "lang_score": real,
        "segments": pa.list_(segment),
        "shots": pa.list_(pa.list_(real)),
        "text_coverage": real,
        "quality": pa.map_(text, real),
        "quality_reasons": pa.list_(text),
        "dup_cluster": text,
        "pii": pa.map_(text, integer),
        "n_tokens": integer,
        "tokenizer": text,
        "pipeline_hash": text,
        "config_hash": text,
        "model_hashes": pa.map_(text, text),
        "cpu_ms": pa.map_(text, real),
    }
    fields = [pa.field(name, kind, nullable=False) for name, kind in required.items()]
    fields += [pa.field(name, kind) for name, kind in optional.items()]
    return pa.schema(fields, metadata={_RECORD: DOCUMENT.name, _VERSION: str(DOCUMENT.version)})
