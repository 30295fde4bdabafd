"""Texts into documents and tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Reference
from tokenizers import models, pre_tokenizers, trainers

from zhufeng.base import Files, InputError, Source, expand
from zhufeng.corpus import (
    TEXT_FILES,
    ByteTokenizer,
    CorpusConfig,
    CorpusSummary,
    FileTokenizer,
    build,
    read_sources,
)
from zhufeng.records import Document, read_parquet, read_shard, read_token_set


def sources(folder: Path) -> tuple[Source, ...]:
    return expand([str(folder)], folder, TEXT_FILES, "test")


def built(
    folder: Path, out: Path, tokenizer: Source | None = None, **keys: object
) -> CorpusSummary:
    config = CorpusConfig(inputs=("unused",), **keys)  # type: ignore[arg-type]
    return build(config, sources(folder), tokenizer, out, out.parent / "parts")


def tokens_of(out: Path) -> list[list[int]]:
    prefixes = sorted(path.with_suffix("") for path in out.glob("tokens-*.idx"))
    return [tokens.tolist() for prefix in prefixes for tokens in read_shard(prefix)]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("Hello, 珠峰.\r\n", encoding="utf-8", newline="")
    (folder / "b.md").write_bytes(b"\xef\xbb\xbf# mark")
    (folder / "c.jsonl").write_text('{"text": "one"}\n\n{"text": ""}\n{"no": 1}\n{torn\n"x"\n')
    (folder / "d.txt").write_bytes(b"caf\xe9")
    (folder / "e.txt").write_text(" \n")
    pq.write_table(pa.table({"text": ["two", None], "x": [1, 2]}), folder / "f.parquet")
    (folder / "g.parquet").write_bytes(b"PAR1 torn")
    (folder / "h.jsonl").write_text('{"text": "\\ud800"}\n')
    column = pa.array([b"fine", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column}), folder / "i.parquet")
    (folder / "ignored.bin").write_bytes(b"\x00")
    return folder


def test_every_source_is_told_whatever_became_of_it(texts: Path) -> None:
    read = [one for one in read_sources(sources(texts)) if isinstance(one, Document)]
    found = {document.source_uri: document for document in read}
    told = {name.removeprefix("texts/"): (d.status, d.text) for name, d in found.items()}
    assert told == {
        "a.txt": ("ok", "Hello, 珠峰.\r\n"),
        "b.md": ("ok", "# mark"),
        "c.jsonl#line 1": ("ok", "one"),
        "c.jsonl#line 3": ("no_text", ""),
        "c.jsonl#line 4": ("failed", ""),
        "c.jsonl#line 5": ("failed", ""),
        "c.jsonl#line 6": ("failed", ""),
        "d.txt": ("failed", ""),
        "e.txt": ("no_text", " \n"),
        "f.parquet#row 1": ("ok", "two"),
        "f.parquet#row 2": ("failed", ""),
        "g.parquet#row 1": ("failed", ""),
        "h.jsonl#line 1": ("failed", ""),
        "i.parquet#row 1": ("failed", ""),
    }
    assert found["texts/d.txt"].reason == "not UTF-8: byte 0xe9 at offset 3"
    assert len({d.doc_id for d in found.values()}) == len(found)


def test_counts_add_up_and_documents_hold_what_was_counted(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    summary = built(texts, out)
    documents = list(read_parquet(out / "documents.parquet"))
    assert summary.documents == len(documents) == 14
    assert summary.statuses == {"ok": 4, "no_text": 2, "failed": 8}
    assert summary.tokens == sum(d.n_tokens or 0 for d in documents)
    assert summary.tokens == sum(map(len, tokens_of(out)))


def test_byte_tokens_are_the_text_and_an_end(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    built(texts, out)
    kept = [d.text for d in read_parquet(out / "documents.parquet") if d.status == "ok"]
    assert tokens_of(out) == [[*text.encode(), 256] for text in kept]


def test_the_token_set_tells_what_the_tokens_are(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    built(texts, out)
    tokens = read_token_set(out)
    everything = [token for document in tokens_of(out) for token in document]
    assert (tokens.tokenizer, tokens.vocabulary, tokens.end) == ("bytes", 257, 256)
    assert tokens.tokens == len(everything)
    assert tokens.text_bytes == sum(token != tokens.end for token in everything)


@pytest.mark.parametrize("words", [0, 70_000])
def test_file_tokens_are_those_of_hugging_face(texts: Path, tmp_path: Path, words: int) -> None:
    reference = Reference(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    reference.train_from_iterator(["Hello, hello, one two marks"] * 3, trainer)
    reference.add_tokens([f"word{n}" for n in range(words)])
    # What a file stores for serving must not cut or fill training text.
    reference.enable_truncation(3)
    reference.enable_padding(length=9)
    reference.save(str(tmp_path / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    source = expand(["tokenizer.json"], tmp_path, Files(), "test")[0]
    out = tmp_path / "out"
    out.mkdir()
    summary = built(texts, out, source)
    kept = [d.text for d in read_parquet(out / "documents.parquet") if d.status == "ok"]
    end = reference.token_to_id("<|endoftext|>")
    expected = [[*reference.encode(text, add_special_tokens=False).ids, end] for text in kept]
    assert tokens_of(out) == expected
    assert summary.vocabulary == reference.get_vocab_size(with_added_tokens=True)
    assert read_shard(out / "tokens-00000").dtype == (np.int32 if words else np.uint16)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_bytes_lose_nothing(text: str) -> None:
    tokens = ByteTokenizer().encode([text])[0]
    assert bytes(tokens.astype(np.uint8)).decode() == text


def test_shards_close_when_full_and_never_divide_a_document(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for number in range(10):
        (folder / f"{number}.txt").write_text("x" * 8 + str(number))
    summary = built(folder, out, shard_tokens=25)
    shards = [read_shard(path.with_suffix("")) for path in sorted(out.glob("*.idx"))]
    assert [len(shard) for shard in shards] == [3, 3, 3, 1]
    assert summary.shards == 4
    assert sum(shard.tokens for shard in shards) == summary.tokens == 100


def test_rows_keep_their_order_over_many_batches(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    with (folder / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": f"row {n}"}) + "\n" for n in range(3000))
    built(folder, out)
    documents: list[Document] = list(read_parquet(out / "documents.parquet"))
    assert [d.text for d in documents] == [f"row {n}" for n in range(3000)]


@pytest.mark.parametrize(
    ("content", "end", "message"),
    [
        ("{}", None, "is not a tokenizer"),
        (
            '{"version":"1.0","model":{"type":"WordLevel","vocab":{},"unk_token":"a"}}',
            None,
            "has no token to end",
        ),
        (
            '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}',
            None,
            "has no token to end",
        ),
        (
            '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}',
            "<z>",
            "the token <z>",
        ),
    ],
)
def test_what_is_no_tokenizer_is_refused(
    tmp_path: Path, content: str, end: str | None, message: str
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        FileTokenizer(path, "tokenizer.json", end)


def test_a_text_that_spells_the_end_token_does_not_end(tmp_path: Path) -> None:
    reference = Reference(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=["</s>"], initial_alphabet=alphabet)
    reference.train_from_iterator(["text"], trainer)
    path = tmp_path / "tokenizer.json"
    reference.save(str(path))
    tokenizer = FileTokenizer(path, "tokenizer.json")
    (tokens,) = tokenizer.encode(["he said </s> and went on"])
    assert tokenizer.end not in tokens.tolist()


def test_any_token_may_be_named_as_the_end(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(
        '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0,"z":1},"unk_token":"a"}}'
    )
    assert FileTokenizer(path, "tokenizer.json", "z").end == 1
