"""Documents as Parquet and JSON lines."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhufeng.base import InputError
from zhufeng.records import (
    Document,
    Segment,
    read_jsonl,
    read_parquet,
    write_jsonl,
    write_parquet,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
number = st.floats(allow_nan=False, allow_infinity=False)
share = st.none() | st.floats(0, 1)
segments = st.builds(
    Segment,
    t0=number,
    t1=number,
    kind=st.sampled_from(["speech", "subtitle", "slide", "caption", "text"]),
    text=text,
    conf=share,
    bbox=st.none() | st.tuples(number, number, number, number),
    shot=st.none() | st.integers(0, 2**40),
    model=st.none() | text,
    suppressed_by=st.none() | text,
    original=st.none() | text,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "doc_id": text,
    "source_uri": text,
    "content_sha256": text,
    "bytes": st.integers(0, 2**50),
    "status": st.sampled_from(["ok", "partial", "no_text", "failed", "filtered"]),
    "reason": st.none() | text,
    "container": st.none() | text,
    "codecs": st.lists(text, max_size=3).map(tuple),
    "duration_s": st.none() | number,
    "width": st.none() | st.integers(0, 10_000),
    "height": st.none() | st.integers(0, 10_000),
    "fps": st.none() | number,
    "licence": st.none() | text,
    "text": text,
    "original_text": st.none() | text,
    "lang": st.none() | text,
    "lang_score": share,
    "segments": st.lists(segments, max_size=3).map(tuple),
    "shots": st.lists(st.tuples(number, number), max_size=3).map(tuple),
    "text_coverage": share,
    "quality": st.dictionaries(text, number, max_size=3),
    "quality_reasons": st.lists(text, max_size=3).map(tuple),
    "dup_cluster": st.none() | text,
    "pii": st.dictionaries(text, st.integers(0, 1000), max_size=3),
    "n_tokens": st.none() | st.integers(0, 2**40),
    "tokenizer": st.none() | text,
    "pipeline_hash": st.none() | text,
    "config_hash": st.none() | text,
    "model_hashes": st.dictionaries(text, text, max_size=3),
    "cpu_ms": st.dictionaries(text, number, max_size=3),
}
documents = st.builds(Document, **FIELDS)


def test_the_strategy_draws_every_field() -> None:
    assert FIELDS.keys() == {field.name for field in dataclasses.fields(Document)}


@settings(max_examples=60, deadline=None)
@given(st.lists(documents, max_size=4))
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[Document]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_parquet(folder / "rows.parquet", given)
    write_jsonl(folder / "rows.jsonl", given)
    assert list(read_parquet(folder / "rows.parquet")) == given
    assert list(read_jsonl(folder / "rows.jsonl")) == given


def some(count: int) -> list[Document]:
    return [
        Document(doc_id=str(i), source_uri=f"{i}.txt", content_sha256="0", bytes=i, text="é" * i)
        for i in range(count)
    ]


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        write_parquet(tmp_path / name, iter(some(3000)))
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert len(list(read_parquet(tmp_path / "a"))) == 3000


def test_pandas_reads_the_same_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "rows.parquet", some(5))
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["text"]) == ["é" * i for i in range(5)]
    assert list(frame["bytes"]) == list(range(5))


def test_an_older_parquet_without_a_column_is_read_with_its_default(tmp_path: Path) -> None:
    write_parquet(tmp_path / "new.parquet", some(3))
    older = pq.read_table(tmp_path / "new.parquet").drop_columns(["text_coverage", "pii"])
    pq.write_table(older, tmp_path / "old.parquet")
    assert list(read_parquet(tmp_path / "old.parquet")) == some(3)


def test_a_newer_parquet_is_refused_by_name(tmp_path: Path) -> None:
    write_parquet(tmp_path / "new.parquet", some(1))
    table = pq.read_table(tmp_path / "new.parquet")
    newer = {**table.schema.metadata, b"zhufeng.version": b"3"}
    pq.write_table(table.replace_schema_metadata(newer), tmp_path / "newer.parquet")
    with pytest.raises(InputError, match="is a document of a newer version"):
        list(read_parquet(tmp_path / "newer.parquet"))


def test_a_stranger_and_a_torn_file_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="does not hold documents"):
        list(read_parquet(tmp_path / "other.parquet"))
    write_parquet(tmp_path / "rows.parquet", some(100))
    whole = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_parquet(tmp_path / "torn.parquet"))


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", some(3))
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    lines[1] = lines[1][:-5]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2 is not JSON"):
        list(read_jsonl(tmp_path / "rows.jsonl"))
