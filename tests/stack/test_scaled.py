"""Training in MXFP8 and its like, and in NVFP4: to the bit what their dot units give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.stack.test_products import CASES, run, uniform
from zhufeng.formats import host
from zhufeng.formats.floats import E4M3
from zhufeng.formats.microscaling import mx_dot, mx_quantiser, nvfp4_dot
from zhufeng.hdl.compile import compile_function, compile_grid
from zhufeng.records import NumberFormat, Operands
from zhufeng.stack import _microscaling, _nvfp4, _steps, emulate

FORMATS = list(_microscaling.ELEMENTS)
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]


def drawn(seed: int, rows: int, k: int, spread: int) -> torch.Tensor:
    """Numbers of very different sizes; a row of zeros, and one of negative zeros."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, k)) * np.exp2(draw.uniform(-spread, spread, (rows, 1)))
    x[2], x[3] = 0.0, -0.0
    return torch.from_numpy(x.astype(np.float32))


def assert_same(found: torch.Tensor, right: Any) -> None:
    """The same bits, whatever a NaN's."""
    ours, theirs = found.cpu().numpy(), np.asarray(right, np.float32)
    nan = np.isnan(theirs)
    assert np.array_equal(np.isnan(ours), nan)
    assert np.array_equal(ours[~nan].view(np.uint32), theirs[~nan].view(np.uint32))


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a product takes several of them every way."""
    for name, value in (("_TILE", 1 << 10), ("_COLUMNS", 32), ("_DEPTH", 64)):
        monkeypatch.setattr(_steps, name, value)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("number_format", FORMATS)
def test_products_of_mx_are_those_of_the_dot_unit(number_format: NumberFormat, device: str) -> None:
    form, element = Operands(format=number_format), _microscaling.ELEMENTS[number_format]
    quantise = compile_function(mx_quantiser(element, "up").ir, 1)
    grid = compile_grid(
        mx_dot(element, element, decoded=True).ir, ["a", "a_scale"], ["b", "b_scale"]
    )
    # The last are so small that products are below the normal numbers.
    for spread, times in ((0, 1.0), (30, 1.0), (20, 2.0**-60)):
        a, b = drawn(1, 70, 100, spread) * times, drawn(2, 300, 100, spread) * times
        if spread == 30:
            a[5, 7], b[9, 0] = float("nan"), float("inf")
        first, second = (
            _microscaling.quantised(one.to(device), form, None, half=False) for one in (a, b)
        )
        cut = [np.pad(one.numpy(), ((0, 0), (0, 28))).view(np.uint32) for one in (a, b)]
        (x, y) = (quantise(x=one.reshape(len(one), 4, 32)) for one in cut)
        out = grid(a=x["elements"], a_scale=x["scale"], b=y["elements"], b_scale=y["scale"])["out"]
        assert_same(_microscaling.multiplied(first, second, threads=1), out.view(np.float32))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("tile", [False, True])
def test_products_of_nvfp4_are_those_of_the_dot_unit(device: str, *, tile: bool) -> None:
    form = Operands(format="nvfp4", tile=tile)
    rounding = None if tile else host.Rounding(1, 2, 3, 0)
    grid = compile_grid(nvfp4_dot(decoded=True).ir, ["a", "a_scale"], ["b", "b_scale"])
    a, b = drawn(1, 70, 100, 3), drawn(2, 300, 100, 3) * 2.0**-80
    x, y = (_nvfp4.quantised(one.to(device), form, rounding, half=True) for one in (a, b))
    out = grid(
        a=x.blocks.elements, a_scale=x.blocks.scales, b=y.blocks.elements, b_scale=y.blocks.scales
    )["out"].view(np.float32)
    right = out * x.blocks.tensor_scale * y.blocks.tensor_scale
    assert_same(_nvfp4.multiplied(x, y, threads=1), right)


@pytest.mark.parametrize("how", ["nearest", "stochastic", "tiles"])
@pytest.mark.parametrize("number_format", ["mxfp8_e4m3", "nvfp4"])
def test_a_linear_layer_is_the_contracts_to_the_bit(number_format: NumberFormat, how: str) -> None:
    """Quantised as asked for, from bf16, with bytes of the right tensor, step and orientation."""
    mx, tiles = number_format != "nvfp4", how == "tiles"
    if mx and tiles:
        pytest.skip("MX has no tiles")
    seed, step = 77, 3
    layer = nn.Linear(40, 24, bias=False)
    x = torch.randn(37, 40, generator=torch.Generator().manual_seed(2)).requires_grad_()
    gradient = torch.randn(37, 24, generator=torch.Generator().manual_seed(3))
    rounding = "stochastic" if how == "stochastic" else "nearest"
    policy = uniform(number_format, rounding=rounding, tile=tiles)
    emulation = emulate(layer, policy, seed=seed)
    with emulation.at(step, 0):
        out = layer(x)
    out.backward(gradient)
    inputs, weight, back = (
        one.detach().bfloat16().float().numpy() for one in (x, layer.weight, gradient)
    )

    def numbers(x: Any, tensor: int, orientation: int) -> Any:
        """As fp64, and the scale of the tensor."""
        x = np.ascontiguousarray(x)
        own = host.Rounding(seed, step, tensor, orientation) if how == "stochastic" else None
        if mx:
            return host.mx_quantise(x, E4M3, own).numbers.astype(float), np.float32(1)
        made = host.nvfp4_quantise(x, own, tiles=tiles)
        return made.numbers().astype(float), made.tensor_scale

    def dot(a: Any, b: Any) -> Any:
        found = np.zeros((len(a[0]), len(b[0])), np.float32)
        for at in range(0, a[0].shape[1], 32 if mx else 16):
            part = slice(at, at + (32 if mx else 16))
            found += (a[0][:, part] @ b[0][:, part].T).astype(np.float32)
        return found * a[1] * b[1]

    assert x.grad is not None
    assert layer.weight.grad is not None
    right = dot(numbers(inputs, 0, 0), numbers(weight, 1, 0))
    assert np.array_equal(out.detach().numpy(), right)
    right = dot(numbers(back, 2, 0), numbers(weight.T, 1, 1))
    assert np.array_equal(x.grad.numpy(), right)
    right = dot(numbers(back.T, 2, 1), numbers(inputs.T, 0, 1))
    assert np.array_equal(layer.weight.grad.numpy(), right)


def test_sums_about_the_smallest_normal_number() -> None:
    """Rounded to 24 bits it stays, or is below and 0; also where one block hides all others."""
    form = Operands(format="mxfp8_e4m3")
    quantise = compile_function(mx_quantiser(E4M3, "up").ir, 1)
    grid = compile_grid(mx_dot(E4M3, E4M3, decoded=True).ir, ["a", "a_scale"], ["b", "b_scale"])
    draw = np.random.default_rng(5)
    # Numbers of four bits, their products cut down to just about 2^-126.
    four = draw.integers(8, 16, (40, 64)) * np.exp2(draw.integers(-3, 1, (40, 64)) - 70)
    signed = draw.integers(-16, 16, (50, 64)) * np.exp2(draw.integers(-3, 1, (50, 64)) - 66)
    a, b = (one.astype(np.float32) for one in (four, signed))
    # 2^-63 · 2^-63, less the last bit that still rounds up to it, and less twice that.
    a[0], b[0], b[1], b[2] = 0, 0, 0, 0
    a[0, :3] = 2.0**-63, 2.0**-63, 2.0**-70
    b[:3, 0] = 2.0**-63
    b[1, 2], b[2, 2] = -(2.0**-81), -(2.0**-80)
    # A block of code 0, beside blocks of zeros, times a large one.
    a[1], b[3] = 0, 0
    a[1, 32:] = 2.0**-126
    b[3, 32:] = 2.0**100 * draw.integers(1, 9, 32)
    x, y = (quantise(x=one.view(np.uint32).reshape(len(one), 2, 32)) for one in (a, b))
    assert x["scale"][1].tolist() == [0, 0]
    out = grid(a=x["elements"], a_scale=x["scale"], b=y["elements"], b_scale=y["scale"])["out"]
    first, second = (
        _microscaling.quantised(torch.from_numpy(one), form, None, half=False) for one in (a, b)
    )
    found = _microscaling.multiplied(first, second, threads=1)
    assert_same(found, out.view(np.float32))
    assert found[0, 0] == 2.0**-126
    assert (found == 0).sum() > 10
    tiny = _microscaling.quantised(torch.from_numpy(a[1:2]), form, None, half=False)
    assert tiny.spacing == -127 - 9


@pytest.mark.parametrize("case", CASES)
def test_every_product_is_near_torchs(case: str) -> None:
    errors = {}
    for number_format in ("mxint8", "mxfp8_e4m3", "nvfp4"):
        policy = uniform(number_format, storage="fp32")
        pairs = zip(run(case, policy), run(case, None), strict=True)
        errors[number_format] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
    assert errors["mxint8"] < 0.04
    assert errors["mxint8"] < errors["mxfp8_e4m3"] < 0.2
    assert errors["mxfp8_e4m3"] < errors["nvfp4"] < 0.6


@pytest.mark.parametrize("number_format", [*FORMATS, "nvfp4"])
def test_what_is_stored_in_its_format_gives_the_same_products(number_format: NumberFormat) -> None:
    """But for operands of weight gradients, which stand turned, and are quantised once more."""
    same, wide = (
        run("linear", uniform(number_format, storage=storage)) for storage in ("same", "fp32")
    )
    assert torch.equal(same[0], wide[0])
    assert torch.equal(same[1], wide[1])
    assert float((same[2] - wide[2]).norm() / wide[2].norm()) < 0.5


def test_pixels_of_a_convolution_are_quantised_as_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [uniform("mxfp8_e4m3"), uniform("nvfp4")]
    compute, _, _ = CASES["conv2d"]
    monkeypatch.setitem(CASES, "whole", (compute, [(20, 32, 3, 3)], (2, 32, 7, 6)))
    pixels = [run("whole", one) for one in policies]
    for family in (_microscaling, _nvfp4):
        monkeypatch.setattr(family, "whole", lambda size: size < 0)
    for once, rows in zip(pixels, (run("whole", one) for one in policies), strict=True):
        assert all(map(torch.equal, once, rows))
