"""Products in a policy's formats: of fp32 they are torch's own, of blocks those of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.formats import golden
from zhufeng.base import InputError
from zhufeng.models import Decoder, DecoderConfig, MoeConfig, initialise
from zhufeng.records import NumberFormat, Operands, Policy, Rule
from zhufeng.stack import emulate, named_policy


class Function(nn.Module):
    """A function of its input and of weights."""

    def __init__(self, compute: Callable[..., Tensor], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.compute = compute
        stream = torch.Generator().manual_seed(1)
        self.weights = nn.ParameterList(torch.randn(shape, generator=stream) for shape in shapes)

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x, *self.weights)


def attention(x: Tensor, *weights: Tensor, **how: Any) -> Tensor:
    """Of three parts of x."""
    q, k, v = (x[..., n::3, :] for n in range(3))
    return functional.scaled_dot_product_attention(q * weights[0], k, v, **how)


CASES: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]], tuple[int, ...]]] = {
    "linear": (functional.linear, [(24, 40), (24,)], (3, 5, 40)),
    "linear, one row": (functional.linear, [(7, 33)], (33,)),
    "matmul": (torch.matmul, [(40, 9)], (3, 5, 40)),
    "matmul, broadcast": (torch.matmul, [(3, 1, 20, 9)], (4, 7, 20)),
    "operator": (lambda x, w: x @ w, [(40,)], (6, 40)),
    "bmm": (torch.bmm, [(3, 17, 5)], (3, 4, 17)),
    "mm of a method": (lambda x, w: x.mm(w), [(17, 5)], (4, 17)),
    "addmm": (lambda x, b, w: torch.addmm(b, x, w, beta=0.5, alpha=2), [(5,), (17, 5)], (4, 17)),
    "conv1d": (
        lambda x, w, b: functional.conv1d(x, w, b, stride=2, padding=3, dilation=2, groups=2),
        [(6, 4, 3), (6,)],
        (2, 8, 19),
    ),
    "conv2d": (lambda x, w: functional.conv2d(x, w, padding=1), [(20, 16, 3, 3)], (2, 16, 7, 6)),
    "conv2d, in all ways": (
        lambda x, w, b: functional.conv2d(x, w, b, (2, 1), (1, 2), (1, 2), 2),
        [(6, 4, 3, 2), (6,)],
        (3, 8, 9, 11),
    ),
    "conv2d, same": (
        lambda x, w: functional.conv2d(x, w, padding="same", dilation=2),
        [(5, 16, 2, 3)],
        (2, 16, 7, 6),
    ),
    "conv2d, one image": (
        lambda x, w: functional.conv2d(input=x, weight=w, padding=1),
        [(20, 16, 3, 3)],
        (16, 7, 6),
    ),
    "conv1d, one line": (functional.conv1d, [(6, 4, 3)], (4, 19)),
    "arguments by name": (
        lambda x, w: torch.addmm(input=x.sum(), mat1=torch.mm(input=x, mat2=w), mat2=w, alpha=0.5),
        [(17, 17)],
        (4, 17),
    ),
    "attention": (attention, [(8,)], (2, 2, 15, 8)),
    "attention, causal": (lambda x, w: attention(x, w, is_causal=True), [(8,)], (2, 2, 15, 8)),
    "attention, masked": (
        lambda x, w: attention(x, w, attn_mask=torch.ones(5, 5).tril(1).bool(), scale=0.3),
        [(8,)],
        (2, 15, 8),
    ),
    "attention, biased": (
        lambda x, w: attention(x, w, attn_mask=torch.linspace(-1, 1, 25).view(5, 5)),
        [(8,)],
        (2, 15, 8),
    ),
    "grouped queries": (
        lambda x, w: functional.scaled_dot_product_attention(
            x * w, x[:, :2], x[:, 2:4], enable_gqa=True
        ),
        [(8,)],
        (2, 4, 5, 8),
    ),
    "experts": (
        lambda x, w: functional.grouped_mm(
            x, w, offs=torch.tensor([3, 3, 8, 16], dtype=torch.int32)
        ),
        [(4, 24, 16)],
        (16, 24),
    ),
}


def run(case: str, policy: Policy | None, *, seed: int = 0, threads: int = 1) -> list[Tensor]:
    """Result and gradients of a case."""
    compute, shapes, shape = CASES[case]
    model = Function(compute, *shapes)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2)).requires_grad_()
    if policy is None:
        out = model(x)
    else:
        emulation = emulate(model, policy, seed=seed, threads=threads)
        with emulation.at(3, 0.5):
            out = model(x)
        assert emulation.multiplied
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(3))
    (out * weight).sum().backward()
    gradients = [parameter.grad for parameter in (x, *model.weights)]
    assert all(one is not None for one in gradients)
    return [out.detach(), *(one for one in gradients if one is not None)]


def uniform(number_format: NumberFormat, **more: Any) -> Policy:
    """One format for all."""
    own = Operands(format=number_format, **more)
    return Policy(name="test", rules=(Rule(weight=own, activation=own, gradient=own),))


@pytest.mark.parametrize("case", CASES)
def test_in_fp32_they_are_torchs_own(case: str) -> None:
    for ours, right in zip(run(case, named_policy("fp32")), run(case, None), strict=True):
        assert ours.shape == right.shape
        torch.testing.assert_close(ours, right, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_in_wide_blocks_they_are_near_torchs(case: str) -> None:
    errors = {}
    for bits, planes in ((8, 2), (8, 1), (6, 1)):
        policy = uniform(f"block{bits}", planes=planes, storage="fp32")  # type: ignore[arg-type]
        pairs = zip(run(case, policy), run(case, None), strict=True)
        errors[bits, planes] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
    assert errors[8, 2] < 3e-4
    assert errors[8, 2] < errors[8, 1] / 20
    assert errors[8, 1] < 0.04
    assert errors[8, 1] < errors[6, 1] < 0.15


@pytest.mark.parametrize("case", CASES)
def test_threads_change_no_bit_and_seeds_do(case: str) -> None:
    policy = named_policy("block5")
    once = run(case, policy)
    for threads in (1, 2, 5):
        assert all(map(torch.equal, once, run(case, policy, threads=threads)))
    other = run(case, policy, seed=1)
    assert torch.equal(once[0], other[0])
    assert not all(map(torch.equal, once[1:], other[1:]))


def test_a_linear_layer_is_the_contracts_to_the_bit() -> None:
    bits, seed, step = 5, 77, 3
    layer = nn.Linear(40, 24, bias=False)
    x = torch.randn(37, 40, generator=torch.Generator().manual_seed(2)).requires_grad_()
    gradient = torch.randn(37, 24, generator=torch.Generator().manual_seed(3))
    emulation = emulate(layer, named_policy("block5"), seed=seed)
    with emulation.at(step, 0):
        out = layer(x)
    out.backward(gradient)
    held = [one.detach().bfloat16().float().numpy() for one in (x, layer.weight, gradient)]
    inputs, weight, back = held

    def dot(a: Any, b: Any, noise: int | None) -> Any:
        """Rows of a with rows of b; `noise` is the orientation in which a is rounded so."""
        octets = None
        blocks = golden.cut(a, -1).view(np.uint32)
        if noise is not None:
            count = blocks.shape[1] + blocks.shape[1] % 2
            numbers = np.arange(len(a))[:, None] * count + np.arange(blocks.shape[1])
            octets = golden.bytes_many(seed, step, 2, noise, numbers)
        left = golden.steps_many(golden.quantise_many(blocks, bits, octets))
        right = golden.steps_many(golden.quantise_many(golden.cut(b, -1).view(np.uint32), bits))
        found = golden.dot_many(
            left.codes[:, None], left.elements[:, None], right.codes, right.elements, bits, bits
        )
        return found.view(np.float32)

    assert np.array_equal(out.detach().numpy(), dot(inputs, weight, None))
    assert x.grad is not None
    assert layer.weight.grad is not None
    flat = np.ascontiguousarray
    assert np.array_equal(x.grad.numpy(), dot(back, flat(weight.T), 0))
    assert np.array_equal(layer.weight.grad.numpy(), dot(flat(back.T), flat(inputs.T), 1))


def test_a_convolution_quantises_pixels_as_it_would_patches() -> None:
    weight = torch.randn(8, 32, 3, 3, generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 32, 6, 5, generator=torch.Generator().manual_seed(2))
    model = Function(lambda x: functional.conv2d(x, weight, padding=1, stride=2))
    found = []
    for policy in (uniform("block6"), uniform("block6", planes=2)):
        emulation = emulate(model, policy, seed=0)
        with emulation.at(0, 0), torch.no_grad():
            found.append(model(x))
    patches = functional.unfold(x, 3, padding=1, stride=2).view(2, 32, 9, -1)
    rows = patches.permute(0, 3, 2, 1).reshape(-1, 9 * 32)
    filters = weight.permute(0, 2, 3, 1).reshape(8, -1)
    for ours, policy in zip(found, (uniform("block6"), uniform("block6", planes=2)), strict=True):
        plain = Function(lambda x: x @ filters.T)
        emulation = emulate(plain, policy, seed=0)
        with emulation.at(0, 0), torch.no_grad():
            right = plain(rows)
        assert torch.equal(ours.permute(0, 2, 3, 1).reshape(-1, 8), right)


@pytest.mark.parametrize("tile", [False, True])
def test_what_is_stored_in_blocks_takes_as_many_bytes_as_it_has(tile: bool) -> None:
    own = Operands(format="block6", storage="same", tile=tile)
    policy = Policy(name="kept", rules=(Rule(weight=own, activation=own, gradient=own),))
    layer = nn.Linear(128, 64, bias=False)
    x = torch.randn(160, 128, generator=torch.Generator().manual_seed(2)).requires_grad_()
    emulation = emulate(layer, policy, seed=0)
    with emulation.at(0, 0):
        out = layer(x)
    nodes: list[Any] = [out.grad_fn]
    while not hasattr(nodes[-1], "left"):
        nodes.append(nodes[-1].next_functions[0][0])
    saved = nodes[-1].left.kept
    assert sum(one.bytes for one in saved) == 160 * 128 // 16 * 13
    out.sum().backward()
    assert layer.weight.grad is not None
    right = torch.ones(64, 160) @ x.detach()
    assert float((layer.weight.grad - right).norm() / right.norm()) < 0.08


def test_the_last_rule_that_holds_counts_and_without_one_products_are_torchs() -> None:
    wide, narrow = (Operands(format=one) for one in ("block8", "block4"))
    rules = (
        Rule(weight=wide, activation=wide, gradient=wide, kinds=("linear",)),
        Rule(weight=narrow, activation=narrow, gradient=narrow, modules=("1",), since=0.5),
    )
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Conv1d(1, 1, 1))
    emulation = emulate(model, Policy(name="two", rules=rules), seed=0)
    x = torch.ones(2, 1, 8)
    for share, formats in ((0.0, ["block8", "block8"]), (0.5, ["block8", "block4"])):
        with emulation.at(0, share):
            model(x)
        assert [one.formats[0] for one in emulation.multiplied] == formats
        assert [one.module for one in emulation.multiplied] == ["0", "1"]
        assert [one.macs for one in emulation.multiplied] == [2 * 64, 2 * 64]


def test_a_whole_decoder_with_experts_trains_in_narrow_blocks() -> None:
    config = DecoderConfig(
        vocabulary=50,
        layers=2,
        width=32,
        heads=2,
        kv_heads=1,
        ff_width=64,
        moe=MoeConfig(experts=4, active=2, ff_width=32),
    )
    losses = {}
    for name in ("fp32", "block6"):
        model = Decoder(config)
        initialise(model, 0)
        emulation = emulate(model, named_policy(name), seed=0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        tokens = torch.randint(50, (4, 17), generator=torch.Generator().manual_seed(4))
        for step in range(20):
            with emulation.at(step, step / 20):
                loss = model(tokens[:, :-1], tokens[:, 1:]).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[name] = float(loss.detach())
        kinds = {one.kind for one in emulation.multiplied}
        assert kinds == {"linear", "attention", "experts"}
    assert losses["fp32"] < 1.5
    assert abs(losses["block6"] - losses["fp32"]) < 0.3
    assert emulation.wide["aten._softmax"] > 0
    assert not {"aten.mm", "aten.bmm"} & emulation.wide.keys()


def hidden(name: str) -> nn.Module:
    """A model that multiplies where nobody sees it."""
    if name == "multi-head attention":
        return nn.MultiheadAttention(16, 2, batch_first=True)
    if name == "lstm":
        return nn.LSTM(16, 8)
    if name == "bilinear":
        return nn.Bilinear(16, 16, 4)
    return Function(lambda x: torch.cdist(x, x))


@pytest.mark.parametrize("name", ["multi-head attention", "lstm", "bilinear", "distances"])
def test_a_function_that_hides_its_products_is_refused(name: str) -> None:
    model = hidden(name)
    emulation = emulate(model, named_policy("block6"), seed=0)
    x = torch.randn(2, 30, 16, generator=torch.Generator().manual_seed(1))
    given = {"multi-head attention": (x, x, x), "bilinear": (x, x)}.get(name, (x,))
    with pytest.raises(InputError, match=r"multiplies matrices by aten\."), emulation.at(0, 0):
        model(*given)


def test_arguments_that_are_not_known_are_refused() -> None:
    model = Function(lambda x: torch.mm(x, x, out=torch.empty(4, 4)))
    emulation = emulate(model, named_policy("block6"), seed=0)
    with pytest.raises(InputError, match="input, mat2 and no others"), emulation.at(0, 0):
        model(torch.ones(4, 4))


def test_what_cannot_be_trained_in_is_refused() -> None:
    layer = nn.Linear(4, 4)
    emulation = emulate(layer, uniform("mxfp8_e5m2"), seed=0)
    with pytest.raises(InputError, match="training in mxfp8_e5m2"), emulation.at(0, 0):
        layer(torch.ones(2, 4))
    with pytest.raises(InputError, match="a number from 0 of 64 bits"):
        emulate(layer, named_policy("block6"), seed=-1)


@pytest.mark.parametrize("number_format", ["bf16", "block6", "mxfp8_e4m3", "nvfp4"])
@pytest.mark.parametrize("storage", ["bf16", "same"])
@pytest.mark.parametrize("shape", [(0, 4), (0, 2, 4)])
def test_without_rows_there_are_no_products(
    number_format: NumberFormat, storage: str, shape: tuple[int, ...]
) -> None:
    layer = nn.Linear(4, 3)
    emulation = emulate(layer, uniform(number_format, storage=storage), seed=0)
    x = torch.ones(shape, requires_grad=True)
    with emulation.at(0, 0):
        out = layer(x)
    out.sum().backward()
    assert out.shape == (*shape[:-1], 3)
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()
