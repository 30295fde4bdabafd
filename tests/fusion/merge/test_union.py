"""Models with tokenizers of their own, merged on the union of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer
from torch import Tensor

from tests.fusion.merge.folders import merge, mergekit_merge, random_weights, write_model
from tests.fusion.mix.tiny import byte_level
from zhufeng.base import InputError, parse
from zhufeng.fusion.merge import Recipe, _group, _run, plan, read_recipe

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
TEXTS = {"base": "one two three ", "m1": "one two vier ", "m2": "five sechs "}
PADDING = {"base": 3, "m1": 0, "m2": 7}
"""Rows without a token."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no whole number of rows, which have 16 elements."""
    monkeypatch.setattr(_group, "CHUNK", 72)
    monkeypatch.setattr(_run, "CHUNK", 72)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed, (name, text) in enumerate(TEXTS.items()):
        write(folder / name, text, seed, PADDING[name])
    return folder


def write(folder: Path, text: str, seed: int, padding: int) -> None:
    """A Llama with a tokenizer of its own; all have ``<s>``, each a token of its name."""
    tokenizer = byte_level([text * 20])
    tokenizer.add_special_tokens([AddedToken(f"<{folder.name}>", special=True)])
    rows = tokenizer.get_vocab_size() + padding
    weights = random_weights(seed)
    draw = torch.Generator().manual_seed(100 + seed)
    weights |= {name: torch.randn(rows, 16, generator=draw) for name in (EMBEDDING, HEAD)}
    write_model(folder, weights, {"vocab_size": rows})
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def entries(models: Path, *weights: tuple[str, float]) -> list[dict[str, Any]]:
    return [
        {"model": str(models / name), "parameters": {"weight": weight}} for name, weight in weights
    ]


def tokenizer_of(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def rows_by_token(folder: Path, weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    ids = tokenizer_of(folder).get_vocab()
    return {token: weights[name][i] for token, i in ids.items() if i < len(weights[name])}


METHODS: dict[str, dict[str, Any]] = {
    "linear": {},
    "linear, with a base": {"base": "base"},
    "task_arithmetic": {"base": "base"},
    "ties": {"base": "base", "parameters": {"density": 1.0}},
    "breadcrumbs": {"base": "base", "parameters": {"density": 0.9, "gamma": 0.0}},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("named", METHODS)
def test_rows_are_mergekits(named: str, models: Path, tmp_path: Path) -> None:
    """Its union is another tokenizer, of the same tokens: they are compared token by token."""
    method, told = named.partition(",")[0], dict(METHODS[named])
    if "base" in told:
        told["base"] = str(models / told["base"])
    weights = [("m1", 0.7), ("m2", 0.4)] + [("base", 0.3)] * (method == "linear")
    table = {"method": method, "models": entries(models, *weights), **told}
    ours = merge({"tokenizer": "union", "compat": "mergekit", **table}, tmp_path / "ours")
    names = {"method": "merge_method", "base": "base_model"}
    theirs_table = {names.get(key, key): value for key, value in table.items()}
    theirs = mergekit_merge({"tokenizer_source": "union", **theirs_table}, tmp_path / "theirs")
    for name in (EMBEDDING, HEAD):
        mine = rows_by_token(tmp_path / "ours", ours, name)
        oracle = rows_by_token(tmp_path / "theirs", theirs, name)
        assert set(oracle) == set(mine)
        for token, row in oracle.items():
            assert torch.allclose(mine[token], row, rtol=0, atol=3e-6), (name, token)
    assert ours["model.norm.weight"].allclose(theirs["model.norm.weight"], rtol=0, atol=3e-6)


def test_the_outputs_files_fit_its_rows(models: Path, tmp_path: Path) -> None:
    table = {"method": "linear", "tokenizer": "union"}
    found = merge({**table, "models": entries(models, ("m1", 1.0), ("m2", 1.0))}, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    size = tokenizer_of(tmp_path / "out").get_vocab_size()
    assert found[EMBEDDING].shape == (config["vocab_size"], 16) == (size, 16)
    union, one = tokenizer_of(tmp_path / "out"), tokenizer_of(models / "m1")
    assert one.get_vocab().items() <= union.get_vocab().items()
    text = "five one sechs two<m2>"
    assert union.decode(union.encode(text).ids, skip_special_tokens=False) == text
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    assert [list(source["tensors"]) for source in lineage["sources"]] == [sorted(found)] * 2


def test_a_token_of_one_model_comes_through_as_it_is(models: Path, tmp_path: Path) -> None:
    table = {"method": "linear", "tokenizer": "union"}
    found = merge({**table, "models": entries(models, ("m1", 3.0), ("m2", 1.0))}, tmp_path / "out")
    own = load_file(models / "m2" / "model.safetensors")[EMBEDDING]
    token = tokenizer_of(models / "m2").token_to_id("<m2>")
    united = tokenizer_of(tmp_path / "out").token_to_id("<m2>")
    assert found[EMBEDDING][united].allclose(own[token], rtol=0, atol=1e-6)


def test_threads_and_chunks_change_nothing(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {
        "method": "ties",
        "tokenizer": "union",
        "base": str(models / "base"),
        "models": entries(models, ("m1", 1.0), ("m2", 1.0)),
        "parameters": {"density": 0.3},
    }
    one = merge(table, tmp_path / "one", threads=1)
    monkeypatch.setattr(_group, "CHUNK", 1 << 18)
    other = merge(table, tmp_path / "other", threads=3)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_slices_need_every_model_at_the_embedding(models: Path) -> None:
    slices = [
        {"sources": [{"model": str(models / "m1"), "layers": [0, 1]}]},
        {"sources": [{"model": str(models / "m2"), "layers": [1, 3]}]},
    ]
    recipe = parse(
        Recipe, {"method": "passthrough", "tokenizer": "union", "slices": slices}, "recipe"
    )
    assert plan(recipe).problems == (
        f"m2 takes no part in {EMBEDDING}, which its tokens need: name it there",
        f"m1 takes no part in {HEAD}, which its tokens need: name it there",
    )


def test_tokenizers_of_two_kinds_are_refused(models: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "other", random_weights(5))
    words = {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0]]}}
    (tmp_path / "other" / "tokenizer.json").write_text(json.dumps(words))
    sources = [
        {"model": str(folder), "parameters": {"weight": 1.0}}
        for folder in (models / "m1", tmp_path / "other")
    ]
    recipe = parse(Recipe, {"method": "linear", "tokenizer": "union", "models": sources}, "recipe")
    with pytest.raises(InputError, match="cannot be united"):
        plan(recipe)


def test_mergekits_yaml_may_ask_for_it(tmp_path: Path) -> None:
    path = tmp_path / "merge.yml"
    path.write_text(
        "merge_method: linear\ntokenizer_source: union\nmodels:\n"
        "- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 1}}\n"
    )
    assert read_recipe(path).tokenizer == "union"
