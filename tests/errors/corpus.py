"""Errors of zhufeng.corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.corpus import CorpusConfig, FileTokenizer

Patch = pytest.MonkeyPatch
WORDS = '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}'


@case(
    "TMP/t.json is not a tokenizer",
    "a Hugging Face tokenizer.json",
    "*",
    "name the tokenizer.json of a model's folder, or leave it out for bytes",
)
def no_tokenizer(tmp: Path, _: Patch) -> None:
    (tmp / "t.json").write_text("{}")
    FileTokenizer(tmp / "t.json", "t.json")


@case(
    "TMP/t.json has no token to end documents with",
    "the token <end>",
    "a vocabulary without it",
    "name one of its tokens as end_of_document",
)
def no_end(tmp: Path, _: Patch) -> None:
    (tmp / "t.json").write_text(WORDS)
    FileTokenizer(tmp / "t.json", "t.json", "<end>")


@case("f is not usable", "at least one input", "*", "correct it in f")
def no_input(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": []}, "f")


@case("f is not usable", "a shard of at least 1 token", "*", "correct it in f")
def no_shard(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["a"], "shard_tokens": 0}, "f")


@case(
    "f is not usable",
    "no end_of_document without a tokenizer: bytes have their own",
    "*",
    "correct it in f",
)
def an_end_for_bytes(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["a"], "end_of_document": "x"}, "f")
