"""Errors of zhufeng.fusion: small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.errors.case import case
from tests.training.tasks import TINY, configured
from zhufeng.fusion.small import train_small

Patch = pytest.MonkeyPatch
UNLIKE = "a model and no shards: its tokens are made of the texts"
LEAVE = "give [model] and leave out reference and shards"
TEXTS = "texts that UTF-8 can hold, at least one of them not empty"


@case("a small decoder cannot be trained so", UNLIKE, "the reference 'gpt-gelu-small'", LEAVE)
def a_reference(tmp: Path, _: Patch) -> None:
    config = configured(model=None, reference="gpt-gelu-small", sequence=None, held_out=None)
    train_small(["a"], config, tmp / "out", 0)


@case("a small decoder cannot be trained so", UNLIKE, "shards", LEAVE)
def shards(tmp: Path, _: Patch) -> None:
    train_small(["a"], configured(shards=("tokens",)), tmp / "out", 0)


@case("a small decoder has nothing to learn from", TEXTS, "no text", "give it other texts")
def empty_texts(tmp: Path, _: Patch) -> None:
    train_small(["", ""], configured(), tmp / "out", 0)


@case(
    "a small decoder has nothing to learn from",
    TEXTS,
    "a lone surrogate in text 2",
    "give it other texts",
)
def half_a_character(tmp: Path, _: Patch) -> None:
    train_small(["a", "\ud800"], configured(), tmp / "out", 0)


@case(
    "the vocabulary of a small decoder is too small",
    "at least 257: every byte, and the end of a document",
    "256",
    "raise vocabulary in the member's model",
)
def too_few_tokens(tmp: Path, _: Patch) -> None:
    train_small(["a"], configured(model=replace(TINY, vocabulary=256)), tmp / "out", 0)
