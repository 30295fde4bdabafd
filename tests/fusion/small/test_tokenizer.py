"""Tokenizers of small decoders: any text, greedy merges inside chunks, the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from tests.training.tasks import TEXTS
from zhufeng.fusion.mix import split
from zhufeng.fusion.small import END, train_tokenizer, write_tokens
from zhufeng.records import read_shard, read_token_set

SIZE = 300
PRINTED = """
import sys
from pathlib import Path
from zhufeng.fusion.small import train_tokenizer
texts = [Path(name).read_bytes().decode() for name in sys.argv[1:]]
sys.stdout.write(train_tokenizer(texts, 300).to_str())
"""
FILES = [TEXTS / "measuring.txt", TEXTS / "route.txt"]


@cache
def texts() -> list[str]:
    return [path.read_bytes().decode() for path in FILES]


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer(texts(), SIZE)


def encoded(text: str) -> list[int]:
    """Chunk by chunk, without what remembers chunks."""
    return [i for c in split(text) for i in tokenizer().encode(c, add_special_tokens=False).ids]


def letters(chunk: str) -> list[str]:
    """A letter a byte, as byte-level tokenizers spell them."""
    return list(pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(chunk)[0][0])


def merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    whole = False
    for letter in word:
        whole = bool(out) and not whole and (out[-1], letter) == pair
        if whole:
            out[-1] += letter
        else:
            out.append(letter)
    return out


def test_the_size_is_as_asked_and_the_end_comes_first() -> None:
    assert tokenizer().get_vocab_size() == SIZE
    assert tokenizer().token_to_id(END) == 0
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    assert len(alphabet) == 256
    assert alphabet <= set(tokenizer().get_vocab())


def test_every_merge_is_of_a_pair_that_is_commonest_inside_chunks() -> None:
    """Sennrich et al. 2016, algorithm 1, by recounting everything before each merge."""
    words = Counter(chunk for text in texts() for chunk in split(text))
    spelt = {chunk: letters(chunk) for chunk in words}
    merges = json.loads(tokenizer().to_str())["model"]["merges"]
    assert len(merges) == SIZE - 257
    for first, second in merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for chunk, word in spelt.items():
            for pair in pairwise(word):
                pairs[pair] += words[chunk]
        assert pairs[first, second] == max(pairs.values())
        spelt = {chunk: merged(word, (first, second)) for chunk, word in spelt.items()}


@given(st.text())
def test_any_text_is_encoded_and_comes_back(text: str) -> None:
    ids = encoded(text)
    assert tokenizer().decode(ids, skip_special_tokens=False) == text
    assert 0 not in ids


def test_a_text_that_spells_the_end_does_not_end() -> None:
    assert 0 not in encoded(f"a{END}b {END}")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_same_tokenizer_in_another_process_with_any_threads(threads: str) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PRINTED, *map(str, FILES)],
        env={**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == tokenizer().to_str()


def test_shards_hold_each_text_chunk_by_chunk_and_an_end(tmp_path: Path) -> None:
    own = [*texts(), "", "the" * 30, f"a {END}", "Zhūfēng 珠峰\r\n"]
    files = write_tokens(tmp_path / "tokens", tokenizer(), own, "tokenizer.json")
    assert [path.name for path in files] == ["tokens-00000.idx", "tokens-00000.bin", "tokens.json"]
    shard = read_shard(tmp_path / "tokens" / "tokens-00000")
    assert [one.tolist() for one in shard] == [[*encoded(text), 0] for text in own]
    told = read_token_set(tmp_path / "tokens")
    assert (told.tokenizer, told.vocabulary, told.end) == ("tokenizer.json", SIZE, 0)
    assert told.tokens == np.sum(shard.lengths)
    assert told.text_bytes == sum(len(text.encode()) for text in own)
