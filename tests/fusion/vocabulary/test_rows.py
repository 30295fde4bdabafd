"""Rows brought to a united vocabulary: laws, arithmetic done here, and mergekit's own result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tests.fusion.vocabulary.makers import (
    CHINESE,
    CODE,
    ENGLISH,
    byte_level,
    metaspace,
    put,
    read,
    unigram,
    word_piece,
)
from zhufeng.fusion.vocabulary import (
    Origin,
    ReadRows,
    RowPlan,
    United,
    Vocabulary,
    make_rows,
    pieces,
    plan_rows,
    read_vocabulary,
    unite_tokenizers,
)

WIDTH = 12
PADDING = 7


def embedding(rows: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(rows, WIDTH, generator=stream).to(dtype)


def reader(weight: Tensor) -> ReadRows:
    return lambda first, last: weight[first:last]


def made(plan: RowPlan, weight: Tensor) -> Tensor:
    return torch.cat(list(make_rows(plan, reader(weight))))


def pair(folder: Path) -> tuple[United, Vocabulary, Vocabulary]:
    one = read(folder / "a", byte_level(ENGLISH), eos_token="<|end|>")
    two = read(folder / "b", metaspace([*CODE, *CHINESE]), eos_token="</s>", bos_token="<s>")
    return unite_tokenizers([one, two]), one, two


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_on_its_own_vocabulary_a_model_is_itself(tmp_path: Path, dtype: torch.dtype) -> None:
    source = read(tmp_path / "a", byte_level(ENGLISH))
    weight = embedding(source.size + PADDING, dtype=dtype)
    weight[3] = float("nan")  # not even what no number is may change
    plan = plan_rows(unite_tokenizers([source]), source, len(weight), len(weight))
    assert plan.itself
    bits = torch.int64 if dtype == torch.float64 else torch.int16
    assert torch.equal(made(plan, weight).view(bits), weight.view(bits))


def test_every_token_of_its_own_keeps_its_row(tmp_path: Path) -> None:
    united, one, two = pair(tmp_path)
    for source in (one, two):
        weight = embedding(source.size + PADDING)
        rows = made(plan_rows(united, source, len(weight), united.size), weight)
        given = united.of(source)
        chosen = np.flatnonzero(given >= 0)
        doubled = np.bincount(given[chosen], minlength=united.size)[given[chosen]] > 1
        plain = torch.from_numpy(chosen[~doubled])
        assert torch.equal(rows[torch.from_numpy(given)[plain]], weight[plain])
        # Logits of its own tokens, through a head made in the same way, are its own.
        hidden = embedding(3, seed=9)
        logits = (hidden.double() @ rows.double().T)[:, torch.from_numpy(given)[plain]]
        assert torch.equal(logits, hidden.double() @ weight.double()[plain].T)


def test_a_new_token_is_the_mean_of_its_pieces(tmp_path: Path) -> None:
    united, one, _ = pair(tmp_path)
    weight = embedding(one.size, dtype=torch.float32)
    plan = plan_rows(united, one, len(weight), united.size)
    rows = made(plan, weight)
    new = [token for token, i in united.ids.items() if plan.origin[i] == Origin.PIECES]
    assert len(new) > 20
    for token in new:
        text = united.stands_for(token).decode("utf-8", "ignore")
        if token in united.added or text.encode() != united.stands_for(token):
            continue
        if len(one.tokenizer.pre_tokenizer.pre_tokenize_str(text)) > 1:
            continue  # the whole tokenizer would cut it into words first
        own = one.tokenizer.encode(text).ids
        expected = weight[own].double().mean(0)
        assert torch.allclose(rows[united.ids[token]].double(), expected, atol=1e-6), token


def test_an_end_takes_the_row_of_its_own_end(tmp_path: Path) -> None:
    united, _, two = pair(tmp_path)
    weight = embedding(two.size)
    plan = plan_rows(united, two, len(weight), united.size)
    end = united.ids["<|end|>"]
    assert plan.origin[end] == Origin.ROLE
    assert torch.equal(made(plan, weight)[end], weight[two.ids["</s>"]])


def test_rows_of_no_token(tmp_path: Path) -> None:
    """Beyond the vocabulary: the source's own where it has one there, else the mean."""
    one = read(tmp_path / "a", byte_level(ENGLISH))
    two = read(tmp_path / "b", byte_level(CODE))
    united = unite_tokenizers([one, two])
    rows = united.size + 20
    long, short = embedding(united.size + 10), embedding(two.size + 2)
    plan = plan_rows(united, one, len(long), rows)
    assert torch.equal(made(plan, long)[united.size : len(long)], long[united.size :])
    mean = short[: two.size].double().mean(0).to(short.dtype)
    last = made(plan_rows(united, two, len(short), rows), short)[united.size :]
    assert torch.equal(last, mean.expand(20, -1))
    assert plan.counts()["unused"] == 10
    assert plan.counts()["mean"] == 10


def test_a_token_beyond_the_embedding_counts_as_lacking(tmp_path: Path) -> None:
    source = read(tmp_path / "a", byte_level(ENGLISH))
    plan = plan_rows(unite_tokenizers([source]), source, source.size - 1, source.size)
    assert plan.origin[source.ids["<|end|>"]] == Origin.PIECES


def test_a_bias_is_rows_too(tmp_path: Path) -> None:
    united, one, _ = pair(tmp_path)
    weight = embedding(one.size, dtype=torch.float32)
    plan = plan_rows(united, one, len(weight), united.size)
    assert torch.equal(made(plan, weight[:, 0]), made(plan, weight)[:, 0])


def test_chunks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    united, one, _ = pair(tmp_path)
    weight = embedding(one.size)
    plan = plan_rows(united, one, len(weight), united.size)
    whole = made(plan, weight)
    monkeypatch.setattr("zhufeng.fusion.vocabulary._rows._CHUNK_BYTES", WIDTH * 4 * 5)
    chunks = list(make_rows(plan, reader(weight)))
    assert max(map(len, chunks)) == 5
    assert torch.equal(torch.cat(chunks), whole)


@pytest.mark.parametrize("make", [metaspace, unigram])
def test_pieces_of_what_is_no_text(tmp_path: Path, make: type) -> None:
    """Half of a character is cut into byte tokens."""
    source = read(tmp_path, make(ENGLISH))
    cut = pieces(source, b"river" + "\u5c71".encode()[:2])
    assert [source.tokenizer.id_to_token(i) for i in cut][-2:] == ["<0xE5>", "<0xB1>"]


def test_pieces_from_the_midst_of_a_word(tmp_path: Path) -> None:
    one = read(tmp_path / "a", word_piece(ENGLISH))
    two = read(tmp_path / "b", word_piece(["mountainous stonecutting"], 60))
    united = unite_tokenizers([one, two])
    plan = plan_rows(united, one, one.size, united.size)
    inside = next(t for t in united.ids if t.startswith("##") and len(t) > 4 and t not in one.ids)
    parts = plan.parts[plan.starts[united.ids[inside]] : plan.starts[united.ids[inside] + 1]]
    spelt = [str(one.tokenizer.id_to_token(int(part))) for part in parts]
    assert all(token.startswith("##") for token in spelt)
    assert "".join(token[2:] for token in spelt) == inside[2:]


def transformers_folder(folder: Path, tokenizer: Tokenizer, end: str) -> Path:
    """A folder that transformers, and so mergekit, opens."""
    put(folder, tokenizer, tokenizer_class="PreTrainedTokenizerFast", eos_token=end)
    config: dict[str, Any] = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    config |= {"vocab_size": tokenizer.get_vocab_size(), "eos_token_id": tokenizer.token_to_id(end)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.filterwarnings("ignore")
def test_mergekits_subwords_are_ours(tmp_path: Path) -> None:
    """tokensurgeon's approximation by the mean of sub-words, on tokens of one word."""
    subword = pytest.importorskip("mergekit.tokensurgeon.subword")
    normalization = pytest.importorskip("mergekit.tokenizer.normalization")
    from transformers import PreTrainedTokenizerFast

    one = read(tmp_path / "a", byte_level(ENGLISH))
    two = read(tmp_path / "b", byte_level(CODE, end="<|stop|>"))
    united = unite_tokenizers([one, two])
    weight = embedding(one.size, dtype=torch.float32)
    plan = plan_rows(united, one, len(weight), united.size)
    theirs = PreTrainedTokenizerFast(tokenizer_object=one.tokenizer)  # type: ignore[no-untyped-call]
    new = [
        token
        for token, i in united.ids.items()
        if plan.origin[i] == Origin.PIECES and re.fullmatch("Ġ?[a-z]+", token)
    ]
    assert len(new) > 20
    normal = [normalization.normalize_token(token, {}, "Ġ") for token in new]
    expected = subword.subword_approximate(weight, normal, False, theirs)
    rows = made(plan, weight)[[united.ids[token] for token in new]]
    assert torch.equal(rows, expected)


@pytest.mark.filterwarnings("ignore")
def test_mergekits_union_has_the_same_rows_for_own_tokens(tmp_path: Path) -> None:
    build = pytest.importorskip("mergekit.tokenizer.build")
    reference = pytest.importorskip("mergekit.common").ModelReference

    folders = [
        transformers_folder(tmp_path / "a", byte_level(ENGLISH), "<|end|>"),
        transformers_folder(tmp_path / "b", byte_level(CODE, end="<|stop|>"), "<|stop|>"),
    ]
    models = [reference.model_validate(str(folder)) for folder in folders]
    theirs = build.build_tokenizer(
        models[0], models, "union", trust_remote_code=False, add_tokens=()
    )
    sources = [read_vocabulary(folder) for folder in folders]
    united = unite_tokenizers(sources)
    assert theirs.tokenizer.get_vocab().keys() == united.ids.keys()
    for model, source in zip(models, sources, strict=True):
        permutation = theirs.permutations[model]
        plan = plan_rows(united, source, source.size, united.size)
        for token, their_id in theirs.tokenizer.get_vocab().items():
            i = united.ids[token]
            if permutation[their_id] >= 0:
                assert plan.parts[plan.starts[i]] == permutation[their_id]
            assert (plan.origin[i] == Origin.OWN) == (permutation[their_id] >= 0)
