"""Merges of folders: whole or absent, the same bytes however they came about."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from blake3 import blake3
from safetensors.torch import load_file, save_file

from tests.fusion.merge.folders import merge, random_weights, write_model, write_models
from zhufeng.base import InputError, parse
from zhufeng.fusion.merge import METHODS, Lineage, Recipe, _group, _run, plan, read_recipe, run
from zhufeng.fusion.tensors import open_tensors


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that tensors of a test have several chunks."""
    monkeypatch.setattr(_group, "CHUNK", 64)
    monkeypatch.setattr(_run, "CHUNK", 64)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ties(models: list[Path], **more: Any) -> dict[str, Any]:
    """A recipe with random masks and several passes."""
    base, *others = map(str, models)
    sources = [{"model": m, "parameters": {"weight": 0.5, "density": 0.4}} for m in others]
    return {"method": "dare_ties", "base": base, "models": sources, **more}


@pytest.mark.parametrize("method", METHODS)
def test_threads_do_not_change_a_byte(tmp_path: Path, method: str) -> None:
    base, *others = map(str, write_models(tmp_path, torch.bfloat16))
    others = others[:1] if METHODS[method].most == 1 else others
    needed = {"weight": 0.5} if "weight" in METHODS[method].each else {}
    table: dict[str, Any] = {
        "method": method,
        "models": [{"model": model, "parameters": needed} for model in others],
        "parameters": {"t": 0.3} if method == "slerp" else {},
        **({"base": base} if METHODS[method].base == "required" else {}),
    }
    merge(table, tmp_path / "one", threads=1)
    merge(table, tmp_path / "four", threads=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "four")


def test_shards_hold_what_one_file_holds(tmp_path: Path) -> None:
    models = write_models(tmp_path)
    whole = merge(ties(models), tmp_path / "whole")
    run(parse(Recipe, ties(models, max_shard_bytes=4000), "r"), tmp_path / "shards")
    found = open_tensors(tmp_path / "shards")
    assert found.tensors.keys() == whole.keys()
    read: dict[str, torch.Tensor] = {}
    for file in (tmp_path / "shards").glob("model-*.safetensors"):
        read |= load_file(file)
    assert all(torch.equal(read[name], tensor) for name, tensor in whole.items())


def kill_and_resume(tmp_path: Path, kills: int) -> None:
    models = write_models(tmp_path, torch.bfloat16)
    table = ties(models, seed=3)
    merge(table, tmp_path / "unkilled")
    recipe = tmp_path / "recipe.toml"
    sources = "".join(
        f'[[models]]\nmodel = "{model.name}"\nparameters = {{weight = 0.5, density = 0.4}}\n'
        for model in models[1:]
    )
    recipe.write_text(f'method = "dare_ties"\nbase = "base"\nseed = 3\n{sources}')
    out, draw = tmp_path / "out", random.Random(kills)
    command = [sys.executable, "-m", "tests.fusion.merge.killed_merge", str(recipe), str(out)]
    journalled = 0
    for _ in range(kills):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wanted = journalled + draw.randint(1, 4)
        while process.poll() is None and lines(tmp_path) <= wanted:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists():
            break
        assert lines(tmp_path) > journalled  # what was on the disk has stayed
        journalled = lines(tmp_path) - 1
    resumed: list[str] = []
    merger = _run._Merger.merge

    def counted(self: Any, task: Any) -> None:
        resumed.append(task.spec.name)
        merger(self, task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run._Merger, "merge", counted)
        run(read_recipe(recipe), out)
    assert 0 < len(resumed) <= len(open_tensors(out).tensors) - journalled
    assert contents(out) == contents(tmp_path / "unkilled")
    assert not list(tmp_path.glob(".out.*"))


def lines(folder: Path) -> int:
    found = list(folder.glob(".out.draft-*/tensors.journal"))
    return found[0].read_bytes().count(b"\n") if found else 0


def test_two_kills_leave_the_same_bytes(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, 2)


@pytest.mark.soak
def test_twenty_kills_leave_the_same_bytes(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        kill_and_resume(tmp_path / str(number), 5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_told_and_nothing_is_left(tmp_path: Path, bad: float) -> None:
    models = write_models(tmp_path, torch.bfloat16)
    weights = load_file(models[2] / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = bad
    save_file(weights, models[2] / "model.safetensors")
    before = set(os.listdir(tmp_path))
    with pytest.raises(InputError) as told:
        merge(ties(models), tmp_path / "out")
    assert told.value.came == f"{bad} in model.layers.1.mlp.up_proj.weight, element {3 * 16 + 5}"
    assert set(os.listdir(tmp_path)) == before


def test_a_result_too_large_for_its_type_is_told(tmp_path: Path) -> None:
    models = write_models(tmp_path)
    table = {
        "method": "linear",
        "dtype": "float16",
        "models": [{"model": str(m), "parameters": {"weight": 9e4}} for m in models[:2]],
        "parameters": {"normalize": False},
    }
    with pytest.raises(InputError, match="has no finite value"):
        merge(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_large_finite_numbers_are_no_infinity(tmp_path: Path) -> None:
    """Their sum is one in fp32, though none of them is."""
    weights = random_weights(0)
    weights["lm_head.weight"] = torch.full((40, 16), 3e38)
    folder = write_model(tmp_path / "large", weights)
    table = {"method": "passthrough", "models": [{"model": str(folder)}], "dtype": "float64"}
    assert torch.equal(
        merge(table, tmp_path / "out")["lm_head.weight"], weights["lm_head.weight"].double()
    )


def test_lineage_and_card(tmp_path: Path) -> None:
    models = write_models(tmp_path)
    (models[0] / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Base\n")
    (models[1] / "LICENSE").write_text("MIT License\n\nCopyright\n")
    merge(ties(models), tmp_path / "out")
    text = (tmp_path / "out" / "lineage.json").read_text()
    assert str(tmp_path) not in text + (tmp_path / "out" / "README.md").read_text()
    lineage = parse(Lineage, json.loads(text), "lineage")
    assert [origin.licence for origin in lineage.sources] == ["apache-2.0", "mit", None]
    assert lineage.notes == (
        "the licence of m2 is not known",
        "the sources have different licences: apache-2.0, mit",
    )
    for origin, model in zip(lineage.sources, models, strict=True):
        weights = load_file(model / "model.safetensors")
        assert origin.tensors == {
            name: blake3(tensor.numpy().tobytes()).hexdigest() for name, tensor in weights.items()
        }


def test_what_stands_is_not_replaced(tmp_path: Path) -> None:
    models = write_models(tmp_path)
    merge(ties(models), tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match="stands already"):
        merge(ties(models, seed=1), tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_the_configuration_follows_the_merge(tmp_path: Path) -> None:
    base, one, _ = write_models(tmp_path)
    tower = [
        {"sources": [{"model": str(base), "layers": [0, 3]}]},
        {"sources": [{"model": str(one), "layers": [1, 3]}]},
    ]
    merged = merge({"method": "passthrough", "slices": tower, "dtype": "bfloat16"}, tmp_path / "o")
    config = json.loads((tmp_path / "o" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["torch_dtype"]) == (5, "bfloat16")
    above = load_file(one / "model.safetensors")["model.layers.2.mlp.up_proj.weight"]
    assert torch.equal(merged["model.layers.4.mlp.up_proj.weight"], above.bfloat16())


def test_a_tied_head_meets_one_of_its_own(tmp_path: Path) -> None:
    weights = random_weights(1)
    own = write_model(tmp_path / "own", weights)
    tied = {n: t for n, t in random_weights(2).items() if n != "lm_head.weight"}
    other = write_model(tmp_path / "tied", tied, {"tie_word_embeddings": True})
    sources = [{"model": str(m), "parameters": {"weight": 0.5}} for m in (own, other)]
    merged = merge({"method": "linear", "models": sources}, tmp_path / "out")
    expected = (weights["lm_head.weight"] + tied["model.embed_tokens.weight"]) / 2
    assert torch.allclose(merged["lm_head.weight"], expected)
    assert not json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"]


def test_whole_numbers_are_copied_from_the_base(tmp_path: Path) -> None:
    models = []
    for number in range(3):
        weights = {**random_weights(number), "model.positions": torch.arange(100) + number}
        models.append(write_model(tmp_path / f"m{number}", weights))
    found = merge(ties(models), tmp_path / "out")["model.positions"]
    assert torch.equal(found, torch.arange(100))
    lineage = parse(Lineage, json.loads((tmp_path / "out" / "lineage.json").read_text()), "l")
    assert ["model.positions" in o.tensors for o in lineage.sources] == [True, False, False]


def test_types_and_files_of_sources_may_differ(tmp_path: Path) -> None:
    """One in shards, one in bf16 and one in fp16: computed in fp32, written as the first is."""
    single = write_model(tmp_path / "single", random_weights(0))
    run(parse(Recipe, linear(single, max_shard_bytes=4000), "r"), tmp_path / "shards")
    assert (tmp_path / "shards" / "model.safetensors.index.json").exists()
    kinds = (torch.float32, torch.bfloat16, torch.float16)
    weights = [random_weights(number, kind) for number, kind in enumerate(kinds)]
    others = [write_model(tmp_path / f"m{number}", weights[number]) for number in (1, 2)]
    merged = merge(linear(tmp_path / "shards", *others), tmp_path / "out")
    for name, tensor in merged.items():
        mean = torch.stack([one[name].double() for one in weights]).mean(0)
        assert tensor.dtype == torch.float32
        assert torch.allclose(tensor.double(), mean, rtol=0, atol=1e-6)


def problems(table: dict[str, Any]) -> tuple[str, ...]:
    return plan(parse(Recipe, table, "recipe")).problems


def linear(*models: Path, **more: Any) -> dict[str, Any]:
    sources = [{"model": str(model), "parameters": {"weight": 0.5}} for model in models]
    return {"method": "linear", "models": sources, **more}


OTHER_TOKENIZER = (
    "other has another tokenizer than one; 'tokenizer' can be 'union', or name the model "
    "whose it is to be"
)


def test_a_plan_finds_every_problem(tmp_path: Path) -> None:
    one = write_model(tmp_path / "one", random_weights(0), tokens=40)
    lacking = random_weights(1)
    del lacking["model.layers.1.mlp.up_proj.weight"]
    lacking["lm_head.weight"] = torch.zeros(48, 16)
    other = write_model(tmp_path / "other", lacking, {"num_key_value_heads": 4}, tokens=41)
    assert set(problems(linear(one, other))) == {
        "num_key_value_heads: 2 in one, 4 in other",
        OTHER_TOKENIZER,
        "other lacks the tensor model.layers.1.mlp.up_proj.weight",
        "lm_head.weight has shape [40, 16] in one, [48, 16] in other",
    }
    extra = {**random_weights(1), "model.rotary.inv_freq": torch.zeros(2)}
    more = write_model(tmp_path / "more", extra, tokens=40)
    assert problems(linear(one, more)) == (
        "more has 1 tensors that one lacks: model.rotary.inv_freq",
    )
    deep = write_model(tmp_path / "deep", random_weights(0, layers=4), tokens=40)
    assert "number of layers: 3 in one, 4 in deep" in problems(linear(one, deep))
    assert problems(linear(one, tokenizer="elsewhere")) == ("tokenizer names none of the models",)


def test_a_layer_s_number_may_be_absurd(tmp_path: Path) -> None:
    weights = {**random_weights(0), "model.layers.999999999.x": torch.zeros(1)}
    one = write_model(tmp_path / "one", weights)
    assert problems(linear(one)) == ("one has no layer 3",)


def test_fp8_passes_through_but_is_not_scaled(tmp_path: Path) -> None:
    weights = {"w": torch.arange(8.0).to(torch.float8_e4m3fn)}
    one = write_model(tmp_path / "one", weights)
    table: dict[str, Any] = {"method": "passthrough", "models": [{"model": str(one)}]}
    assert problems(table) == ()
    found = merge(table, tmp_path / "out")["w"]
    assert torch.equal(found.float(), torch.arange(8.0))
    table["parameters"] = {"scale": 0.5}
    assert problems(table) == ("w is F8_E4M3, which cannot be scaled",)


def test_what_is_concluded_is_no_difference(tmp_path: Path) -> None:
    one = write_model(tmp_path / "one", random_weights(0))
    told = {"head_dim": 4, "num_key_value_heads": 2}
    other = write_model(tmp_path / "other", random_weights(1), told)
    assert problems(linear(one, other)) == ()


def test_a_plan_counts_bytes(tmp_path: Path) -> None:
    models = write_models(tmp_path, torch.bfloat16)
    settled = plan(parse(Recipe, ties(models), "recipe"))
    each = sum(t.numel() * 2 for t in random_weights(0).values())
    assert (settled.bytes_read, settled.bytes_written) == (3 * each, each)
    assert 0 < settled.memory_bytes(2) < 0.5e9
    assert settled.seconds(1) > settled.seconds(2) > 0
