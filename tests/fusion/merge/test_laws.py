"""Laws of the methods, on groups in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zhufeng.fusion.merge import METHODS, _group
from zhufeng.fusion.merge._group import Group
from zhufeng.fusion.merge._laws import LAWS
from zhufeng.fusion.merge._select import Taker, coarse_keys, cuts, draws, fine_keys

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# Small enough that tensors of a test have several chunks, some of them cut short.
SMALL_CHUNK = 64


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_group, "CHUNK", SMALL_CHUNK)


def merged(
    method: str,
    models: Sequence[Tensor],
    base: Tensor | None = None,
    *,
    each: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    **shared: Any,
) -> Tensor:
    known = METHODS[method]
    own = each or [{}] * len(models)
    sources = ([] if known.base == "unused" else [base]) + list(models)
    tensors = [source.reshape(-1) for source in sources if source is not None]

    def load(number: int, start: int, out: Tensor) -> None:
        out.copy_(tensors[number][start : start + out.numel()])

    dtype = models[0].dtype
    parameters: dict[str, Any] = {**known.shared, **shared}
    group = Group(
        shape=tuple(models[0].shape),
        count=len(models),
        has_base=known.base == "required",
        load=load,
        shared=parameters,
        each=[{**dict[str, Any](known.each), "weight": 1.0, **values} for values in own],
        seeds=tuple(seed + number for number in range(len(models))),
        coarse=dtype in {torch.bfloat16, torch.float16},
        dtype=torch.float64 if dtype == torch.float64 else torch.float32,
    )
    parts = [part.reshape(-1).clone() for part in LAWS[method](group)]
    return torch.cat(parts).to(dtype).reshape(models[0].shape)


def drawn(seed: int, dtype: torch.dtype, shape: tuple[int, ...] = (9, 17)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


GIVEN: dict[str, dict[str, Any]] = {"slerp": {"t": 0.3}}
COUNTS = {name: 1 if method.most == 1 else 3 for name, method in METHODS.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), density=st.sampled_from([0.3, 0.5, 1.0]))
def test_equal_models_merge_to_themselves(
    method: str, dtype: torch.dtype, seed: int, density: float
) -> None:
    x = drawn(seed, dtype)
    each = [{"density": density, "weight": 0.3}] * COUNTS[method]
    result = merged(method, [x] * COUNTS[method], x, each=each, **GIVEN.get(method, {}))
    if method == "linear" and dtype in {torch.float32, torch.float64}:
        # Three products and two sums, each rounded.
        assert torch.allclose(result, x, rtol=4 * torch.finfo(dtype).eps, atol=0)
    else:
        assert torch.equal(result, x)


ORDERLESS = [name for name, count in COUNTS.items() if count > 1]
# Their masks belong to a model's place in the recipe.
RANDOM = {"dare_linear", "dare_ties", "della", "della_linear"}


# How far results may lie apart where sums are added up in another order: they are below 8.
APART = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 2**-8, torch.bfloat16: 2**-5}


@pytest.mark.parametrize("method", [name for name in ORDERLESS if name not in RANDOM])
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_does_not_matter(method: str, dtype: torch.dtype, seed: int) -> None:
    base = drawn(seed, dtype)
    models = [drawn(seed + i, dtype) for i in (1, 2, 3)]
    each = [{"density": 0.5, "weight": 0.2 + i / 7} for i in range(3)]
    one = merged(method, models, base, each=each)
    other = merged(method, models[::-1], base, each=each[::-1])
    assert torch.allclose(one, other, rtol=0, atol=APART[dtype])


def not_tiny(seed: int, dtype: torch.dtype) -> Tensor:
    """Numbers that stay normal ones of fp16 when they are divided by 8."""
    x = drawn(seed, dtype)
    return torch.where(x < 0, x.clamp(max=-(2**-6)), x.clamp(min=2**-6))


@pytest.mark.parametrize("method", ORDERLESS)
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000), power=st.integers(-3, 3))
def test_weights_and_models_scale(method: str, dtype: torch.dtype, seed: int, power: int) -> None:
    """A power of two times everything is that times the result, to the bit; and where weights
    are normalised they may be scaled alone."""
    base, scale = not_tiny(seed, dtype), 2.0**power
    models = [not_tiny(seed + i, dtype) for i in (1, 2)]
    each = [{"density": 0.5, "weight": 0.25}, {"density": 0.5, "weight": 0.5}]
    one = merged(method, models, base, each=each)
    other = merged(method, [m * scale for m in models], base * scale, each=each)
    # A result of fp16 may be too small for all its bits.
    assert torch.allclose(other, one * scale, rtol=0, atol=2**-24 * (dtype == torch.float16))
    if METHODS[method].shared.get("normalize"):
        more = [{**values, "weight": values["weight"] * scale} for values in each]
        again = merged(method, models, base, each=more)
        assert torch.allclose(again, one, rtol=0, atol=APART[dtype])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_ties_is_its_paper_s(data: st.DataObject) -> None:
    """Trim, elect, merge as section 4 of Yadav et al. 2023 says, by sorting."""
    size = data.draw(st.integers(1, 200))
    density = data.draw(st.floats(0.05, 1.0))
    draw = np.random.default_rng(data.draw(st.integers(0, 1000)))
    base, *models = draw.normal(size=(4, size)).astype(np.float32)
    kept = round(density * size)
    deltas = []
    for model in models:
        delta = model - base
        delta[np.argsort(-np.abs(delta), kind="stable")[kept:]] = 0
        deltas.append(delta)
    stacked = np.array(deltas, np.float64)
    sign = np.where(stacked.sum(0) >= 0, 1, -1)
    agree = (stacked * sign) > 0
    expected = base + (stacked * agree).sum(0) / np.maximum(1, agree.sum(0))
    result = merged(
        "ties",
        [torch.from_numpy(m) for m in models],
        torch.from_numpy(base),
        each=[{"density": density}] * 3,
    )
    assert np.allclose(result.numpy(), expected, rtol=0, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 1.001, 3.0, -1e-30, 2e5]), min_size=1, max_size=300),
    st.integers(0, 300),
    st.booleans(),
)
def test_exactly_k_are_kept_and_ties_go_to_the_first(
    values: list[float], wanted: int, coarse: bool
) -> None:
    k = min(wanted, len(values))
    whole = torch.tensor(values)
    parts = [whole[at : at + 7] for at in range(0, len(values), 7)]
    [[cut]] = cuts(lambda: ([part] for part in parts), [[k]], coarse=coarse)
    keys = coarse_keys if coarse else fine_keys
    taker = Taker(cut)
    mask = torch.cat([taker.mark(keys(part), torch.empty_like(part)) for part in parts])
    rounded = torch.tensor(values).bfloat16().float() if coarse else torch.tensor(values)
    order = np.argsort(-rounded.abs().numpy(), kind="stable")[:k]
    assert set(mask.nonzero().view(-1).tolist()) == set(order.tolist())


def test_draws_belong_to_elements_whatever_the_chunks() -> None:
    whole = draws(7, 0, 1000)
    assert torch.equal(torch.cat([draws(7, at, 50) for at in range(0, 1000, 50)]), whole)
    assert torch.equal(draws(7, 333, 5), whole[333:338])
    assert not torch.equal(draws(8, 0, 1000), whole)


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_dare_keeps_its_share_and_its_mean(density: float) -> None:
    """A binomial of n = 40,000: within 4.5 of its standard deviations."""
    n = 40_000
    base, model = torch.zeros(n), torch.ones(n)
    result = merged("dare_linear", [model], base, each=[{"density": density}])
    kept = (result != 0).double().mean().item()
    deviation = (density * (1 - density) / n) ** 0.5
    assert abs(kept - density) < 4.5 * deviation + 2**-16
    assert torch.allclose(result[result != 0], torch.tensor(1 / density), rtol=1e-3)


def test_della_keeps_large_elements_more_often() -> None:
    rows, columns = 400, 101
    magnitudes = torch.linspace(0.5, 1.5, columns).repeat(rows, 1)
    base = torch.zeros(rows, columns)
    each = [{"density": 0.5, "epsilon": 0.3}]
    kept = merged("della_linear", [magnitudes], base, each=each, rescale=False) != 0
    share = kept.double().mean(0)
    deviation = (0.25 / rows) ** 0.5
    expected = torch.linspace(0.2, 0.8, columns).double()
    assert (share - expected).abs().max() < 4.5 * deviation
    rescaled = merged("della_linear", [magnitudes], base, each=each)
    assert abs(rescaled.mean() - magnitudes.mean()) < 0.05


def test_breadcrumbs_drops_the_outliers() -> None:
    values = torch.arange(1.0, 101.0)
    result = merged(
        "breadcrumbs", [values], torch.zeros(100), each=[{"density": 0.5, "gamma": 0.1}]
    )
    assert result.nonzero().view(-1).tolist() == list(range(40, 90))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 3, 5), (1, 200), (200, 1)])
@pytest.mark.parametrize("method", METHODS)
def test_every_shape(method: str, shape: tuple[int, ...]) -> None:
    base, *models = (drawn(seed, torch.float32, shape) for seed in range(COUNTS[method] + 1))
    each = [{"density": 0.5}] * COUNTS[method]
    if base.numel():
        result = merged(method, models, base, each=each, **GIVEN.get(method, {}))
        assert result.shape == torch.Size(shape)
        assert result.isfinite().all()
