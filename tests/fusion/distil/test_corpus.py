"""Files as texts, and texts as passages."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.fusion.distil.members import TEXTS, folder
from tests.training.tasks import write_shards
from zhufeng.fusion.distil import CorpusFiles, TeacherConfig
from zhufeng.fusion.distil._passages import passages
from zhufeng.fusion.small import write_tokens
from zhufeng.records import Document, write_jsonl, write_parquet


def document(text: str, **keys: str) -> Document:
    told = {"doc_id": "d", "source_uri": "u", "content_sha256": "0", **keys}
    return Document(bytes=1, text=text, **told)  # type: ignore[arg-type]


def test_all_forms_give_the_same_texts(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    place = folder(tmp_path / "m", 1) / "tokenizer.json"
    texts = TEXTS[:3]
    write_jsonl(tmp_path / "a.jsonl", map(document, texts))
    write_parquet(tmp_path / "a.parquet", [*map(document, texts), document("x", status="failed")])
    (tmp_path / "a.txt").write_text(texts[0])
    byte_files = write_shards(tmp_path / "bytes", *(text.encode() for text in texts))
    tokenizer = Tokenizer.from_file(str(place))
    token_files = write_tokens(tmp_path / "tokens", tokenizer, texts, "tokenizer.json")
    assert list(CorpusFiles([tmp_path / "a.txt"])) == texts[:1]
    assert list(CorpusFiles([tmp_path / "a.jsonl"])) == texts
    assert list(CorpusFiles([tmp_path / "a.parquet"])) == [*texts, ""]
    assert list(CorpusFiles(byte_files)) == texts
    assert list(CorpusFiles(token_files, place)) == texts


def test_passages_are_the_text_and_the_held_out_ones_are_spread() -> None:
    found = list(passages(["", *TEXTS], TeacherConfig(passage=7, held_out=0.1)))
    assert "".join(chunk for one in found for chunk in one.chunks) == "".join(TEXTS)
    assert sum(one.ends for one in found) == len(TEXTS)
    assert max(len(one.chunks) for one in found) == 7
    held_out = [one.number for one in found if one.held_out]
    assert len(held_out) == len(found) // 10
    assert {b - a for a, b in pairwise(held_out)} <= {9, 10, 11}
