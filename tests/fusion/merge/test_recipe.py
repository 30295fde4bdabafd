"""Recipes, and mergekit's YAML read into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhufeng.base import InputError
from zhufeng.fusion.merge import Filtered, read_recipe

# In the style of mergekit's documentation.
GRADIENT_SLERP = """
slices:
  - sources:
      - model: psmathur/orca_mini_v3_13b
        layer_range: [0, 40]
      - model: garage-bAInd/Platypus2-13B
        layer_range: [0, 40]
merge_method: slerp
base_model: psmathur/orca_mini_v3_13b
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # fallback for rest of tensors
dtype: float16
"""
TIES = """
models:
  - model: psmathur/orca_mini_v3_13b
    parameters:
      density: [1, 0.7, 0.1] # density gradient
      weight: 1.0
  - model: WizardLM/WizardMath-13B-V1.0
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: TheBloke/Llama-2-13B-fp16
parameters:
  normalize: true
  int8_mask: true
dtype: float16
out_dtype: bfloat16
tokenizer_source: base
"""


def read(tmp_path: Path, text: str) -> object:
    (tmp_path / "merge.yml").write_text(text)
    return read_recipe(tmp_path / "merge.yml")


def test_gradients_and_filters_of_mergekit(tmp_path: Path) -> None:
    (tmp_path / "merge.yml").write_text(GRADIENT_SLERP)
    recipe = read_recipe(tmp_path / "merge.yml")
    assert (recipe.method, recipe.compat, recipe.dtype) == ("slerp", "mergekit", "float16")
    assert [s.layers for s in recipe.slices[0].sources] == [(0, 40), (0, 40)]
    assert recipe.parameters["t"] == (
        Filtered(filter="self_attn", value=(0, 0.5, 0.3, 0.7, 1)),
        Filtered(filter="mlp", value=(1, 0.5, 0.7, 0.3, 0)),
        Filtered(value=0.5),
    )
    assert recipe.base == str(tmp_path / "psmathur/orca_mini_v3_13b")


def test_ties_of_mergekit(tmp_path: Path) -> None:
    (tmp_path / "merge.yaml").write_text(TIES)
    recipe = read_recipe(tmp_path / "merge.yaml")
    assert recipe.models[0].parameters == {"density": (1, 0.7, 0.1), "weight": 1.0}
    assert recipe.parameters == {"normalize": True}
    assert recipe.dtype == "bfloat16"
    assert recipe.tokenizer == recipe.base


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("modules: {}", "modules"),
        ("chat_template: auto", "chat_template"),
        ("tokenizer: {source: union}", "tokenizer"),
        ("models: [{model: a+lora}]", "a+lora"),
        ("models: [{model: {model: a, lora: b}}]", "{'model': 'a', 'lora': 'b'}"),
        ("models: [{model: 3}]", "3"),
        ("models: a", "'a'"),
        ("slices: [{sources: [], residual_weight: 0.5}]", "residual_weight"),
        ("[1, 2]", "[1, 2]"),
        ("", "None"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, text: str, came: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path, text)
    assert told.value.came == came


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "merge_method: arcee_fusion\nmodels: [{model: a}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: heavy}}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: .nan}}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: true}}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {density: 1}}]",
        "merge_method: ties\nmodels: [{model: a}]",
        "merge_method: [ties]\nmodels: [{model: a}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: []}}]",
        "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [3, 1]}]}]",
        "merge_method: slerp\nbase_model: a\nmodels: [{model: a}]",
        "merge_method: linear\nmodels: [{model: a}, {model: a}]",
        "merge_method: linear\nmodels: [{model: a}, {model: ./b/../a}]",
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1.e+308}}]",
        "merge_method: linear\nmodels: &a [*a]",
        "merge_method: linear\nparameters: &a {weight: *a}",
        "? [a, b]\n: 1",
        "\0",
    ],
)
def test_bad_recipes_are_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        read(tmp_path, text)


def test_a_folder_has_one_name_however_it_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "merge.toml").write_text(
        f'method = "linear"\ntokenizer = "{tmp_path}/a"\n'
        f'[[models]]\nmodel = "../{tmp_path.name}/a"\n'
        '[[models]]\nmodel = "b"\n'
    )
    recipe = read_recipe(tmp_path / "merge.toml")
    assert recipe.folders == (str(tmp_path / "a"), str(tmp_path / "b"))
    assert recipe.tokenizer == str(tmp_path / "a")
