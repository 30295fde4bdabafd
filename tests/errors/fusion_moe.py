"""Errors of zhufeng.fusion: vocabularies united, and experts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.errors.case import case
from tests.errors.fusion_unify import ours
from tests.fusion.mix.tiny import byte_level
from zhufeng.fusion.experts import Expert, ExpertsRecipe, assemble
from zhufeng.fusion.vocabulary import unite

Patch = pytest.MonkeyPatch


def recipe(*folders: Path, text: str = "x") -> ExpertsRecipe:
    experts = tuple(Expert(model=str(folder), texts=(text,)) for folder in folders)
    return ExpertsRecipe(base=str(folders[0]), experts=experts)


def with_tokenizer(folder: Path) -> list[Path]:
    folders = [ours(folder / name, vocabulary=300) for name in "ab"]
    byte_level().save(str(folders[0] / "tokenizer.json"))
    return folders


@case(
    "the models cannot be united",
    "folders, each of another name, and the base's number among them",
    "a, a; base 0",
    "rename one of them, or number the base from 0",
)
def two_of_one_name(folder: Path, _: Patch) -> None:
    unite([folder / "a", folder / "a"], folder / "out")


@case(
    "TMP cannot be brought to another vocabulary",
    "a configuration, and floats called embedding.weight or head.weight or"
    " model.embed_tokens.weight or lm_head.weight or lm_head.bias, a row a token",
    "none of them",
    "bring the model to the one architecture first: zhufeng fuse unify",
)
def no_embedding(folder: Path, _: Patch) -> None:
    ours(folder)
    byte_level().save(str(folder / "tokenizer.json"))
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    unite([folder], folder / "out")


@case(
    "TMP/b cannot be an expert of TMP/a",
    "'qkv_bias' = False",
    "True",
    "take models of one configuration, or let them answer together (mix)",
)
def another_configuration(folder: Path, _: Patch) -> None:
    assemble(recipe(ours(folder / "a"), ours(folder / "b", qkv_bias=True)), folder / "out")


@case(
    "TMP/a cannot become a mixture of experts",
    "a dense decoder without biases in its feed-forward",
    "biases in its feed-forward",
    "take other models",
)
def biases(folder: Path, _: Patch) -> None:
    folders = [ours(folder / name, ff_bias=True) for name in "ab"]
    assemble(recipe(*folders), folder / "out")


@case(
    "TMP/a cannot become a mixture of experts",
    "experts of a width that 8 divides",
    "width 8, ff_width 12",
    "take other models",
)
def a_width_of_no_units(folder: Path, _: Patch) -> None:
    folders = [ours(folder / name, ff_width=12) for name in "ab"]
    assemble(recipe(*folders), folder / "out")


@case(
    "TMP/b has other tensors than the base",
    "layers.0.feed_forward.gate.weight: [8, 8] F32",
    "[8, 8] BF16",
    "take models of one configuration and one type",
)
def another_type(folder: Path, _: Patch) -> None:
    folders = [ours(folder / name) for name in "ab"]
    path = folders[1] / "model.safetensors"
    save_file({name: t.bfloat16() for name, t in load_file(path).items()}, path)
    assemble(recipe(*folders), folder / "out")


@case(
    "an expert's text cannot be read: ''",
    "at least one token, and all below 300, the base's vocabulary",
    "none",
    "leave it out",
)
def an_empty_text(folder: Path, _: Patch) -> None:
    assemble(recipe(*with_tokenizer(folder), text=""), folder / "out")


@case(
    "an expert's text cannot be read: mountain",
    "at least one token, and all below 260, the base's vocabulary",
    "token *",
    "give the base its own tokenizer",
)
def a_tokenizer_of_more_tokens(folder: Path, _: Patch) -> None:
    folders = [ours(folder / name, vocabulary=260) for name in "ab"]
    byte_level().save(str(folders[0] / "tokenizer.json"))
    assemble(recipe(*folders, text="mountain"), folder / "out")


@case(
    "routers cannot be trained",
    "a text of at least two tokens: the second is learned from the first",
    "texts of one token each",
    "give longer texts, or take the router 'hidden'",
)
def texts_of_one_token(folder: Path, _: Patch) -> None:
    made = recipe(*with_tokenizer(folder), text="!")
    assemble(dataclasses.replace(made, router="trained"), folder / "out")


@case(
    "the routers are not finite",
    "numbers",
    "NaN or infinity, from the base's hidden states or from training",
    "take a base that computes finite numbers, or a smaller learning_rate",
)
def a_base_of_no_numbers(folder: Path, _: Patch) -> None:
    folders = with_tokenizer(folder)
    path = folders[0] / "model.safetensors"
    weights = load_file(path)
    weights["embedding.weight"][:] = float("nan")
    save_file(weights, path)
    assemble(recipe(*folders, text="!"), folder / "out")
