"""Texts into documents and tokens."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Reference
from tokenizers import models, pre_tokenizers, trainers

from zhufeng.base import Files, InputError, MissingExtraError, Source, expand, shown
from zhufeng.corpus import (
    TEXT_FILES,
    ByteTokenizer,
    CorpusConfig,
    CorpusSummary,
    FileTokenizer,
    Medium,
    build,
    read_sources,
)
from zhufeng.corpus._build import pipeline_of
from zhufeng.corpus._parts import Media
from zhufeng.corpus.captions import CaptionConfig
from zhufeng.corpus.engine import Limits
from zhufeng.corpus.speech._listen import BORDER_S
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


def rows(folder: Path, *table: dict[str, str]) -> list[Document | Medium]:
    """What comes of a list in `folder` with these rows."""
    (folder / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    return list(read_sources(expand(["list.jsonl"], folder, TEXT_FILES, "test")))


def told(one: Document | Medium) -> tuple[str, str]:
    """Name and place of a video, or name and reason of what is none."""
    if isinstance(one, Medium):
        return one.given.name, one.given.source
    return one.source_uri, one.reason or ""


def test_rows_that_name_videos(tmp_path: Path) -> None:
    (tmp_path / "a b.mp4").write_bytes(b"a film")
    film, url = str(tmp_path / "a b.mp4"), (tmp_path / "a b.mp4").as_uri()
    read = rows(
        tmp_path,
        {"text": "", "uri": "a b.mp4"},
        {"text": " \n", "uri": url},
        {"uri": "local://a%20b.mp4"},
        {"text": "words", "uri": "a b.mp4"},
        {"text": "", "uri": ""},
        {"uri": "\ud800\n.mp4"},
    )
    assert [told(one) for one in read] == [
        ("list.jsonl#a b.mp4", film),
        (f"list.jsonl#{url}", film),
        ("list.jsonl#local://a%20b.mp4", film),
        ("list.jsonl#line 4", ""),
        ("list.jsonl#line 5", "the text is empty"),
        told(read[5]),
    ]
    assert {one.given.content for one in read if isinstance(one, Medium)} == {
        hashlib.sha256(b"a film").hexdigest()
    }
    name, reason = told(read[5])
    assert name == "list.jsonl#line 6"
    assert reason.startswith("'\\ud800\\n.mp4' is out of reach: ")


def test_rows_of_two_lists_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").write_text(name)
        (tmp_path / name / "list.jsonl").write_text('{"uri": "a.mp4"}')
    read = read_sources(expand(["*/list.jsonl"], tmp_path, TEXT_FILES, "test"))
    assert [told(one) for one in read] == [
        (f"{name}/list.jsonl#a.mp4", str(tmp_path / name / "a.mp4")) for name in ("one", "two")
    ]


def test_a_row_is_one_video(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        with fsspec.open(f"memory://many/{name}", "w") as file:
            file.write(name)
    uris = ("memory://many", "memory://many/*.mp4", "memory://many/b*", "zip://a::/x.zip")
    assert [told(one) for one in rows(tmp_path, *({"uri": uri} for uri in uris))] == [
        ("list.jsonl#line 1", "'memory://many' names 2 files, and a row is one"),
        ("list.jsonl#line 2", "'memory://many/*.mp4' names 2 files, and a row is one"),
        ("list.jsonl#memory://many/b*", "memory:///many/b.mp4"),
        (
            "list.jsonl#line 4",
            "'zip://a::/x.zip' is out of reach: several, joined by '::'",
        ),
    ]


def test_a_list_behind_a_url_names_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"mine")
    uris = ("a.mp4", "../up.mp4", str(secret), secret.as_uri(), f"memory://{'x' * 9}.mp4")
    files = ("lists/a.mp4", "up.mp4", f"lists/{secret}", "lists/l.jsonl", f"{'x' * 9}.mp4")
    listed = "".join(json.dumps({"uri": uri}) + "\n" for uri in uris)
    for name in files:
        with fsspec.open(f"memory://{name}", "w") as file:
            file.write(listed)
    refused = "a list behind a URL may not name"
    read = read_sources(expand(["memory://lists/l.jsonl"], tmp_path, TEXT_FILES, "test"))
    assert [told(one) for one in read] == [
        ("l.jsonl#a.mp4", "memory:///lists/a.mp4"),
        ("l.jsonl#../up.mp4", "memory:///up.mp4"),
        ("l.jsonl#line 3", f"'{shown(str(secret))}' is a path of this machine, which {refused}"),
        ("l.jsonl#line 4", f"'{shown(secret.as_uri())}' is a URL that {refused}"),
        ("l.jsonl#memory://xxxxxxxxx.mp4", "memory:///xxxxxxxxx.mp4"),
    ]


def test_without_the_packages_for_a_url_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError):
        rows(tmp_path, {"uri": "https://host/a.mp4"})


@pytest.mark.parametrize("asked_s", [1.0, 20.0, 30.0, 600.0])
@pytest.mark.parametrize("duration_s", [1.0, 29.0, 45.1, 75.1, 1000.0, 86_400.0])
def test_borders_that_move_to_a_pause_cannot_cross(asked_s: float, duration_s: float) -> None:
    config = CorpusConfig(inputs=("x",), span_s=asked_s)
    media = Media(container="", codecs=(), duration_s=duration_s, video=True, audio=True)
    heard = config.spans_of(media)
    assert len(heard) == 1 or all(one.t1 - one.t0 >= 2 * BORDER_S for one in heard)
    seen = config.spans_of(replace(media, audio=False))
    assert len(seen) == max(1, round(duration_s / asked_s))


def test_the_pipeline_cuts_by_that_rule() -> None:
    pytest.importorskip("rapidocr")
    media = Media(container="", codecs=(), duration_s=60.0, video=True, audio=True)
    cut = pipeline_of(CorpusConfig(inputs=("x",), span_s=1.0)).cut
    assert (len(cut(media)), len(cut(replace(media, audio=False)))) == (2, 60)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (partial(CorpusConfig, inputs=("x",)), "span_s"),
        (Limits, "wall_s"),
        (Limits, "memory_gb"),
        (CaptionConfig, "timeout_s"),
        (CaptionConfig, "at_least_s"),
    ],
)
def test_not_a_number_is_refused(make: Callable[..., object], key: str) -> None:
    with pytest.raises(ValueError, match=r"at least|above"):
        make(**{key: math.nan})
    if key not in ("span_s", "at_least_s"):
        with pytest.raises(ValueError, match="finite"):
            make(**{key: math.inf})


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
