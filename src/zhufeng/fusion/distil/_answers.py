"""What the members say of a passage, and its file form: Parquet, a row a passage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zhufeng.base import InputError, brief, durable

_PARTS = "part-"
_KIND = {b"zhufeng.record": b"distil-answers", b"zhufeng.version": b"1"}


@dataclass(frozen=True)
class Answer:
    """What the members say of one passage."""

    number: int
    """The passage's, in the corpus."""
    sha256: str
    """Of the passage's text."""
    held_out: bool
    text_bytes: int
    bits: NDArray[np.float32]
    """Of each chunk by the mixture; inf where no member can say it."""
    member_bits: NDArray[np.float64]
    """Of the whole passage by each member."""
    macs: float
    """Multiply-accumulates that all this took, of all members."""


def part_path(folder: Path, number: int) -> Path:
    """The file of the answers' part `number`."""
    return folder / f"{_PARTS}{number:05d}.parquet"


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Write a part; the same answers give the same bytes."""
    rows = [_row(answer) for answer in answers]
    with durable(path) as file, pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))


def read_answers(folder: Path) -> Iterator[Answer]:
    """All answers in a folder, in the order of the corpus.

    Raises:
        InputError: a part is damaged.
    """
    for path in sorted(folder.glob(f"{_PARTS}*.parquet")):
        yield from read_part(path)


def read_part(path: Path) -> list[Answer]:
    """The answers of one part.

    Raises:
        InputError: it is damaged.
    """
    try:
        table = pq.read_table(path, schema=_SCHEMA)
        return [_answer(row) for row in table.to_pylist()]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="what members said of a corpus, as a Parquet file",
            came=brief(error),
            do=f"remove {path.parent}, to have the members asked again",
        ) from None


def _row(answer: Answer) -> dict[str, Any]:
    row = {name: getattr(answer, name) for name in _SCHEMA.names}
    return {**row, "bits": answer.bits.tolist(), "member_bits": answer.member_bits.tolist()}


def _answer(row: dict[str, Any]) -> Answer:
    return Answer(
        **{
            **row,
            "bits": np.array(row["bits"], np.float32),
            "member_bits": np.array(row["member_bits"], np.float64),
        }
    )


def _schema() -> pa.Schema:
    single, double = pa.float32(), pa.float64()
    kinds = {
        "number": pa.int64(),
        "sha256": pa.string(),
        "held_out": pa.bool_(),
        "text_bytes": pa.int64(),
        "bits": pa.list_(single),
        "member_bits": pa.list_(double),
        "macs": double,
    }
    fields = [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]
    return pa.schema(fields, metadata=_KIND)


_SCHEMA = _schema()
