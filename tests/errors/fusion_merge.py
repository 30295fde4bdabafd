"""Errors of zhufeng.fusion: merge."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.errors.case import case
from tests.fusion.merge.folders import random_weights, write_model
from zhufeng.base import parse
from zhufeng.fusion.merge import METHODS, Recipe, plan, read_recipe, run
from zhufeng.fusion.tensors import TensorSpec, TensorWriter, lay_out, open_tensors, read_header

Patch = pytest.MonkeyPatch


@case(
    "TMP/a.safetensors cannot be used",
    "a safetensors file: 8 bytes of length, a JSON header, the tensors",
    "3 bytes in all",
    "fetch the file again, or restore it from a copy",
)
def a_safetensors_file_that_is_none(tmp: Path, _: Patch) -> None:
    (tmp / "a.safetensors").write_bytes(b"abc")
    read_header(tmp / "a.safetensors")


@case(
    "TMP holds no weights",
    "model.safetensors, or model.safetensors.index.json with its shards",
    "neither",
    "name the folder of a model",
)
def a_folder_without_weights(tmp: Path, _: Patch) -> None:
    open_tensors(tmp)


@case(
    "TMP holds its weights as a pickle",
    "model.safetensors, or model.safetensors.index.json with its shards",
    "pytorch_model.bin: loading it would run whatever its author put inside",
    "convert it to safetensors where you trust its author",
)
def a_folder_of_pickles(tmp: Path, _: Patch) -> None:
    (tmp / "pytorch_model.bin").write_bytes(b"")
    open_tensors(tmp)


@case(
    "TMP cannot be written",
    "room for * bytes",
    "No space left on device",
    "make room there, or name another folder; what is done is kept",
)
def weights_for_a_full_disk(tmp: Path, patch: Patch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    patch.setattr(os, "ftruncate", full)
    TensorWriter(tmp, lay_out([TensorSpec("a", "U8", (9,))], {}), "")


LINEAR = "merge_method: linear\n"


@case(
    "TMP/merge.yml is not YAML",
    "a merge as mergekit's YAML has it",
    "*",
    "correct the file at that place",
)
def yaml_that_is_none(tmp: Path, _: Patch) -> None:
    (tmp / "merge.yml").write_text("a: [")
    read_recipe(tmp / "merge.yml")


@case(
    "TMP/merge.yml uses something of mergekit that is not supported",
    "a merge of merge_method, base_model, models, slices, parameters, dtype, out_dtype, "
    "tokenizer_source",
    "modules",
    "write the merge without it, or as a TOML recipe",
)
def yaml_with_modules(tmp: Path, _: Patch) -> None:
    (tmp / "merge.yml").write_text(LINEAR + "modules: {}")
    read_recipe(tmp / "merge.yml")


def recipe(**keys: Any) -> Recipe:
    return parse(Recipe, {"method": "linear", "models": [{"model": "a"}], **keys}, "recipe")


def bad_recipe(name: str, expected: str, **keys: Any) -> None:
    def act(_: Path, __: Patch) -> None:
        recipe(**keys)

    act.__name__ = name
    case("recipe is not usable", expected, "*", "correct it in recipe")(act)


METHOD_NAMES = ", ".join(METHODS)
SLICE = {"sources": [{"model": "a", "layers": [0, 1]}]}
bad_recipe("a_method_misspelt", "method 'linear'", method="linaer")
bad_recipe("a_method_unknown", f"method {METHOD_NAMES}", method="zzzz")
bad_recipe("models_and_slices", "either models or slices, not both", slices=[SLICE])
bad_recipe("no_base", "a base: ties takes differences from it", method="ties")
bad_recipe("shards_of_nothing", "max_shard_bytes of at least 1", max_shard_bytes=0)
bad_recipe("a_model_twice", "every model once, in a slice too", models=[{"model": "a"}] * 2)
bad_recipe(
    "too_many_models",
    "exactly 1 models for slerp beside the base",
    method="slerp",
    base="b",
    models=[{"model": "a"}, {"model": "c"}],
)
bad_recipe(
    "too_few_models",
    "at least 2 models for model_stock beside the base",
    method="model_stock",
    base="b",
)
bad_recipe(
    "an_unknown_parameter",
    "parameters of linear: normalize, weight; not 'density'",
    parameters={"density": 1},
)
bad_recipe("a_flag_for_a_weight", "weight: a number", parameters={"weight": True})
bad_recipe("a_number_for_a_flag", "normalize: true or false", parameters={"normalize": 1.0})
bad_recipe("a_weight_beyond_fp32", "weight in [-1e+09, 1e+09]", parameters={"weight": 1e308})
bad_recipe("no_value", "at least one value", parameters={"weight": []})


@case(
    "recipe: slices[0] is not usable",
    "sources of a slice with equally many layers",
    "*",
    "correct it in recipe",
)
def slices_of_different_height(_: Path, __: Patch) -> None:
    sources = [{"model": "a", "layers": [0, 1]}, {"model": "b", "layers": [0, 2]}]
    parse(Recipe, {"method": "linear", "slices": [{"sources": sources}]}, "recipe")


@case(
    "recipe: slices[0] is not usable",
    "layers [first, after the last], first at least 0",
    "*",
    "correct it in recipe",
)
def layers_backwards(_: Path, __: Patch) -> None:
    sources = [{"model": "a", "layers": [2, 1]}]
    parse(Recipe, {"method": "linear", "slices": [{"sources": sources}]}, "recipe")


@case(
    "recipe: slices[0] is not usable",
    "a slice with at least one source",
    "*",
    "correct it in recipe",
)
def a_slice_of_nothing(_: Path, __: Patch) -> None:
    parse(Recipe, {"method": "linear", "slices": [{"sources": []}]}, "recipe")


@case(
    "TMP/a/config.json is not a configuration",
    "a JSON object",
    "[]",
    "restore the file from a copy",
)
def a_configuration_that_is_a_list(tmp: Path, _: Patch) -> None:
    write_model(tmp / "a", random_weights(0))
    (tmp / "a" / "config.json").write_text("[]")
    plan(recipe(models=[{"model": str(tmp / "a")}]))


def linear(tmp: Path, *models: str, **keys: Any) -> None:
    sources = [{"model": str(tmp / model), "parameters": {"weight": 1}} for model in models]
    run(recipe(models=sources, **keys), tmp / "out", threads=1)


@case(
    "the models cannot be merged",
    "models of one family, with the same tensors",
    "number of layers: 1 in a, 2 in b; b has 9 tensors that a lacks: "
    "model.layers.1.input_layernorm.weight",
    "correct the recipe, or take other models",
)
def models_of_different_depth(tmp: Path, _: Patch) -> None:
    write_model(tmp / "a", random_weights(0, layers=1))
    write_model(tmp / "b", random_weights(1, layers=2))
    linear(tmp, "a", "b")


@case(
    "the models cannot be merged",
    "models of one family, with the same tensors",
    "b, whose tokenizer is to be taken, has none",
    "correct the recipe, or take other models",
)
def a_tokenizer_that_is_not_there(tmp: Path, _: Patch) -> None:
    for seed, name in enumerate("ab"):
        write_model(tmp / name, random_weights(seed))
    linear(tmp, "a", "b", tokenizer=str(tmp / "b"))


@case(
    "TMP/out stands already",
    "a name that is free",
    "a folder",
    "name another folder, or remove it",
)
def a_merge_where_something_stands(tmp: Path, _: Patch) -> None:
    write_model(tmp / "a", random_weights(0))
    (tmp / "out").mkdir()
    linear(tmp, "a")


@case(
    "TMP/none/out has no place",
    "a name in a folder that stands",
    "no folder TMP/none",
    "make that folder first",
)
def a_merge_into_no_folder(tmp: Path, _: Patch) -> None:
    write_model(tmp / "a", random_weights(0))
    sources = [{"model": str(tmp / "a"), "parameters": {"weight": 1}}]
    run(recipe(models=sources), tmp / "none" / "out", threads=1)


@case(
    "TMP/a/model.safetensors cannot be merged",
    "finite numbers",
    "nan in model.norm.weight, element 3",
    "take a checkpoint from before its training diverged",
)
def a_source_that_has_diverged(tmp: Path, _: Patch) -> None:
    weights = random_weights(0)
    weights["model.norm.weight"][3] = float("nan")
    write_model(tmp / "a", weights)
    linear(tmp, "a")


@case(
    "the merged tensor * has no finite value",
    "numbers that F16 holds",
    "one that is too large",
    "set another dtype, or smaller weights",
)
def a_result_that_is_too_large(tmp: Path, _: Patch) -> None:
    weights = {name: tensor + 1e6 for name, tensor in random_weights(0).items()}
    write_model(tmp / "a", weights)
    linear(tmp, "a", dtype="float16")
