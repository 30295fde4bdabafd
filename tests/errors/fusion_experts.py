"""Errors of zhufeng.fusion: vocabulary and auto."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.errors.case import case
from tests.fusion.merge.folders import random_weights, write_model
from tests.fusion.vocabulary.makers import CODE, ENGLISH, byte_level, read, word_piece
from zhufeng.fusion.auto import auto
from zhufeng.fusion.vocabulary import read_vocabulary, unite_tokenizers

Patch = pytest.MonkeyPatch
CONVERT = "*"


def tokenizer(folder: Path, value: Any) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(value))
    read_vocabulary(folder)


@case("TMP/tokenizer.json is damaged", "a Hugging Face tokenizer.json", "*", "*")
def no_model(folder: Path, _: Patch) -> None:
    tokenizer(folder, {"version": "1.0"})


@case("TMP/tokenizer.json is a tokenizer of another kind", "*BPE*", "*WordLevel*", CONVERT)
def another_kind(folder: Path, _: Patch) -> None:
    tokenizer(folder, {"model": {"type": "WordLevel", "vocab": {}}})


@case(
    "TMP/tokenizer.json marks the ends of words",
    "a BPE whose tokens stand for their own text",
    "end_of_word_suffix = *</w>*",
    "leave this model out, or let it answer beside the others (mix)",
)
def ends_of_words(folder: Path, _: Patch) -> None:
    tokenizer(folder, {"model": {"type": "BPE", "end_of_word_suffix": "</w>"}})


@case("TMP/none cannot be read", "a model's folder", "*", "check the path")
def no_folder(folder: Path, _: Patch) -> None:
    read_vocabulary(folder / "none")


@case(
    "TMP has no tokenizer that can be read",
    "a tokenizer.json",
    "no tokenizer",
    "copy the model's tokenizer.json into its folder",
)
def no_tokenizer(folder: Path, _: Patch) -> None:
    read_vocabulary(folder)


@case(
    "TMP/b/tokenizer.json cannot be united with TMP/a/tokenizer.json",
    "a tokenizer of the same kind: BPE",
    "WordPiece",
    "let the models answer together (mix): that needs no common tokenizer",
)
def kinds_that_differ(folder: Path, _: Patch) -> None:
    one, two = read(folder / "a", byte_level(CODE)), read(folder / "b", word_piece(ENGLISH))
    unite_tokenizers([one, two])


@case("there is nothing to fuse", "two models' folders or more", "1", "name another model's folder")
def one_model(folder: Path, _: Patch) -> None:
    auto([folder])


@case(
    "TMP/b/config.json is no configuration",
    "a table of a model's settings",
    "*",
    "restore the file from a copy",
)
def a_list_for_a_configuration(folder: Path, _: Patch) -> None:
    places = [write_model(folder / name, random_weights(1)) for name in "ab"]
    (folder / "b" / "config.json").write_text("[1]")
    auto(places)


@case(
    "b has lost its weights",
    "finite numbers",
    "others in model.layers.0.mlp.down_proj.weight",
    "take a checkpoint from before its training diverged",
)
def weights_that_have_diverged(folder: Path, _: Patch) -> None:
    weights = random_weights(1)
    places = [write_model(folder / "a", weights)]
    places.append(
        write_model(folder / "b", {name: one * float("nan") for name, one in weights.items()})
    )
    auto(places)
