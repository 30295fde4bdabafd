"""Merges equal mergekit's 0.1.5, run beside ours on the same models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fusion.merge.folders import merge, mergekit_merge, write_models
from zhufeng.fusion.merge import _group, _run

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

# Of fp32, whose largest values here are near 4; theirs adds up in another order.
ATOL = 3e-6


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that tensors of a test have several chunks."""
    monkeypatch.setattr(_group, "CHUNK", 64)
    monkeypatch.setattr(_run, "CHUNK", 64)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(path) for path in write_models(tmp_path_factory.mktemp("models"))]


def entries(*pairs: tuple[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"model": model, "parameters": dict(parameters)} for model, parameters in pairs]


def check(ours: Mapping[str, Any], tmp: Path) -> None:
    """Merge by both; `ours` is our table, whose keys are translated for theirs."""
    names = {"method": "merge_method", "base": "base_model"}
    theirs = {names.get(key, key): value for key, value in ours.items()}
    if "slices" in ours:
        theirs["slices"] = [
            {
                "sources": [
                    {"layer_range" if key == "layers" else key: value for key, value in s.items()}
                    for s in part["sources"]
                ]
            }
            for part in ours["slices"]
        ]
    mine = merge({"compat": "mergekit", **ours}, tmp / "ours")
    oracle = mergekit_merge(theirs, tmp / "theirs")
    assert mine.keys() == oracle.keys()
    for name, tensor in mine.items():
        assert tensor.dtype == oracle[name].dtype
        assert torch.allclose(tensor, oracle[name], rtol=0, atol=ATOL), name


SPARSE: dict[str, dict[str, float]] = {
    "task_arithmetic": {},
    "ties": {"density": 0.43},
    "breadcrumbs": {"density": 0.5, "gamma": 0.1},
    "breadcrumbs_ties": {"density": 0.5, "gamma": 0.1},
}


@pytest.mark.parametrize("method", SPARSE)
@pytest.mark.parametrize(
    "shared", [{}, {"normalize": True, "rescale": True, "lambda": 0.8}, {"normalize": False}]
)
def test_task_vectors(
    models: list[str], tmp_path: Path, method: str, shared: dict[str, Any]
) -> None:
    base, one, two = models
    sources = entries(
        (one, {"weight": 0.7, **SPARSE[method]}), (two, {"weight": -0.4, **SPARSE[method]})
    )
    check({"method": method, "base": base, "models": sources, "parameters": shared}, tmp_path)


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
def test_random_masks_that_keep_all(models: list[str], tmp_path: Path, method: str) -> None:
    """Their random numbers are others; the rest of the arithmetic is the same."""
    base, one, two = models
    sources = entries((one, {"weight": 0.7, "density": 1.0}), (two, {"weight": 0.4}))
    check({"method": method, "base": base, "models": sources}, tmp_path)


def test_linear_with_gradients_and_filters(models: list[str], tmp_path: Path) -> None:
    filtered = [{"filter": "mlp", "value": [0, 1.0]}, {"value": 0.3}]
    sources = entries(
        (models[0], {"weight": [0, 0.5, 1]}),
        (models[1], {"weight": filtered}),
        (models[2], {"weight": 0.4}),
    )
    check({"method": "linear", "models": sources}, tmp_path)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, [0, 0.5, 0.3, 0.7, 1]])
def test_slerp(models: list[str], tmp_path: Path, t: Any) -> None:
    sources = entries((models[0], {}), (models[1], {}))
    check(
        {"method": "slerp", "base": models[0], "models": sources, "parameters": {"t": t}}, tmp_path
    )


@pytest.mark.parametrize("filter_wise", [False, True])
def test_model_stock(models: list[str], tmp_path: Path, filter_wise: bool) -> None:
    sources = entries(*((model, {}) for model in models))
    shared = {"filter_wise": filter_wise}
    check(
        {"method": "model_stock", "base": models[0], "models": sources, "parameters": shared},
        tmp_path,
    )


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_sce(models: list[str], tmp_path: Path, share: float) -> None:
    sources = entries(*((model, {}) for model in models))
    shared = {"select_topk": share}
    check({"method": "sce", "base": models[0], "models": sources, "parameters": shared}, tmp_path)


def layers(*parts: tuple[str, list[int], dict[str, Any]]) -> dict[str, Any]:
    return {"sources": [{"model": m, "layers": r, "parameters": p} for m, r, p in parts]}


def test_a_tower_of_layers(models: list[str], tmp_path: Path) -> None:
    base, one, _ = models
    tower = [
        layers((base, [0, 2], {})),
        layers((one, [1, 3], {"scale": 0.5})),
        layers((one, [0, 1], {})),
    ]
    check({"method": "passthrough", "slices": tower}, tmp_path)


def test_slices_that_are_merged(models: list[str], tmp_path: Path) -> None:
    base, one, two = models
    slices = [
        layers((base, [0, 2], {}), (one, [1, 3], {})),
        layers((base, [2, 3], {}), (two, [0, 1], {})),
    ]
    t = [{"filter": "self_attn", "value": [0, 0.5, 1]}, {"value": 0.25}]
    check({"method": "slerp", "base": base, "slices": slices, "parameters": {"t": t}}, tmp_path)


def test_bf16_in_and_out(tmp_path: Path) -> None:
    """Theirs computes in fp32 too where it is told so; both round once, at the end."""
    models = [str(path) for path in write_models(tmp_path, torch.bfloat16)]
    sources = entries((models[0], {"weight": 0.3}), (models[1], {"weight": 0.6}))
    table = {"compat": "mergekit", "method": "linear", "models": sources}
    mine = merge(table, tmp_path / "ours")
    oracle = mergekit_merge({"merge_method": "linear", "models": sources}, tmp_path / "theirs")
    for name, tensor in mine.items():
        assert tensor.dtype == torch.bfloat16 == oracle[name].dtype
        different = (tensor != oracle[name]).double().mean()
        assert different < 0.01, name  # a sum near the middle of two may fall to either side
        assert torch.allclose(tensor.float(), oracle[name].float(), rtol=2**-7, atol=1e-6)
