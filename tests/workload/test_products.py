"""Matrix products: multiplied out as shown, they give what the operation gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Interpreter, Node
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from zhufeng.models import Decoder
from zhufeng.records import Mode
from zhufeng.workload import Product, register_products, trace_step
from zhufeng.workload._nodes import base_name
from zhufeng.workload._products import find_products, group_lengths

from tests.workload.models import CASES  # isort: skip


def multiplied(product: Product, env: dict[Node, Any]) -> list[Tensor]:
    """left · right^T of each group."""
    left = product.left.matrix(env[product.left.node]).matrix()
    right = product.right.matrix(env[product.right.node]).matrix()
    if product.ends is None:
        assert left.shape == (product.batch, product.m, product.k)
        assert right.shape == (product.batch, product.n, product.k)
        return [left @ right.mT]
    lengths = group_lengths(product, env[product.ends])
    if product.group_axis == "k":
        pairs = zip(left.split(lengths, 2), right.split(lengths, 2), strict=True)
        return [a @ b.mT for a, b in pairs]
    return [a @ b.mT for a, b in zip(left.split(lengths, 1), right.split(1), strict=True)]


class Checking(Interpreter):
    """Compares every product with what its operation gives."""

    def __init__(self, step: Any, products: dict[Node, Sequence[Product]]) -> None:
        super().__init__(step.constants, graph=step.graph)
        self.products = products
        self.checked: list[str] = []

    def run_node(self, n: Node) -> Any:
        made = [multiplied(p, self.env) for p in self.products.get(n, ())]
        values = {node: self.env[node] for node in n.all_input_nodes}
        out = super().run_node(n)
        if made:
            self.compare(n, made, values, out)
            self.checked.append(base_name(n))
        return out

    def compare(self, n: Node, made: list[list[Tensor]], values: dict[Node, Any], out: Any) -> None:
        outs = list(out) if isinstance(out, (list, tuple)) else [out]
        if base_name(n).startswith("convolution_backward"):
            wanted_input, wanted_weight, *_ = outs
            products = list(self.products[n])
            if wanted_weight is not None:
                weight = made[-1][0].reshape(wanted_weight.shape)
                assert torch.allclose(weight, wanted_weight, rtol=1e-4, atol=1e-5)
            if wanted_input is not None:
                # The input's gradient sums over where patches overlap; its total is the same.
                total = made[0][0].sum() if not n.args[7] else wanted_input.sum()
                if not n.args[4] or not any(n.args[4]):  # type: ignore[arg-type]
                    assert torch.allclose(total, wanted_input.sum(), rtol=1e-3, atol=1e-4)
                assert products[0].flops > 0
            return
        if base_name(n) == "convolution":
            self.compare_convolution(n, made[0][0], outs[0])
            return
        if base_name(n) == "addmm":
            made = [[made[0][0] + values[n.args[0]]]]  # type: ignore[index]
        for product, parts, real in zip(self.products[n], made, outs, strict=True):
            whole = torch.cat(parts, 1) if product.group_axis == "m" else torch.cat(parts)
            assert torch.allclose(whole.reshape(real.shape), real, rtol=1e-4, atol=1e-5)

    def compare_convolution(self, n: Node, made: Tensor, real: Tensor) -> None:
        if n.args[6]:  # transposed: what comes out overlaps
            return
        groups, places, channels = made.shape
        images = real.shape[0]
        shaped = made.view(groups, images, places // images, channels).permute(1, 0, 3, 2)
        shaped = shaped.reshape(real.shape)
        if (bias := n.args[2]) is not None:
            shaped = shaped + self.env[bias].view(1, -1, *[1] * (real.dim() - 2))  # type: ignore[index]
        assert torch.allclose(shaped, real, rtol=1e-4, atol=1e-5)


def check(model: nn.Module, batch: Any) -> list[str]:
    step = trace_step(model, batch)
    checking = Checking(step, dict(find_products(step.graph)))
    step.replay(step.state.clone(), step.function.call.inputs, checking)
    return checking.checked


@pytest.mark.parametrize("name", ["decoder-gpt", "decoder-moe", "qwen3-moe-grouped", "resnet"])
def test_products_of_models(name: str) -> None:
    model, batch = next(case for case in CASES if case.name == name).make()
    checked = check(model, batch)
    wanted = {"resnet": {"convolution", "convolution_backward", "addmm", "mm"}}
    wanted |= {"decoder-moe": {"grouped_mm", "mm", "bmm"}}
    wanted |= {"qwen3-moe-grouped": {"grouped_mm", "mm", "bmm"}}
    assert set(checked) >= wanted.get(name, {"mm", "bmm"})
    assert isinstance(model, Decoder) or name not in ("decoder-gpt", "decoder-moe")


class Convolutions(nn.Module):
    """One, two and three dimensions; stride, padding, dilation, groups, transposed."""

    def __init__(self, groups: int = 2) -> None:
        super().__init__()
        self.one = nn.Conv1d(4, 6, 3, stride=2, dilation=2, groups=groups)
        self.two = nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
        self.three = nn.Conv3d(2, 3, 2, stride=1, padding=1, bias=False)
        self.back = nn.ConvTranspose2d(4, 2, 3, stride=2, groups=groups)

    def forward(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        two = self.two(b)
        parts = (self.one(a), two, self.three(c), self.back(two))
        return torch.stack([part.square().mean() for part in parts]).sum()


def test_products_of_convolutions() -> None:
    torch.manual_seed(0)
    batch = (torch.randn(2, 4, 17), torch.randn(2, 3, 9, 8), torch.randn(1, 2, 4, 5, 3))
    checked = check(Convolutions(), batch)
    assert checked.count("convolution") == 4
    assert checked.count("convolution_backward") == 4


@pytest.mark.parametrize("groups", [1, 2])
def test_flops_of_convolutions_are_torchs_own(groups: int) -> None:
    """torch.utils.flop_counter counts them independently (backward, without groups alone)."""
    torch.manual_seed(0)
    model = Convolutions(groups)
    batch = (torch.randn(2, 4, 17), torch.randn(2, 3, 9, 8), torch.randn(1, 2, 4, 5, 3))
    mode: Mode = "train" if groups == 1 else "prefill"
    step = trace_step(model, batch, mode=mode)
    ours = sum(p.flops for found in find_products(step.graph).values() for p in found)
    with FlopCounterMode(display=False) as counter:
        loss = model(*batch)
        if mode == "train":
            loss.backward()
    assert ours == counter.get_total_flops()


class Vectors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix, self.vector = (nn.Parameter(torch.randn(*s)) for s in ((5, 7), (7,)))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.mv(self.matrix, self.vector) @ x
        more = torch.baddbmm(torch.ones(1, 5, 5), self.matrix[None], self.matrix.T[None]).sum()
        return (y * torch.dot(self.vector, self.vector) + more).square()


def test_products_with_vectors_are_products() -> None:
    torch.manual_seed(0)
    step = trace_step(Vectors(), torch.randn(5))
    names = {base_name(node) for node in find_products(step.graph)}
    assert {"mv", "dot"} <= names
    assert names & {"baddbmm", "bmm"}


@torch.library.custom_op("zhufeng_tests::hidden", mutates_args=())
def hidden(x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight


@hidden.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[1])


class Hiding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(hidden(x, self.weight)).mean()


def test_an_operator_that_hides_its_products_is_named_until_it_is_registered() -> None:
    from zhufeng.workload import Folded, Side, capture
    from zhufeng.workload import _products as private

    x = torch.randn(3, 6)
    workload = capture(Hiding(), x, mode="prefill")
    assert workload.uncounted == ("zhufeng_tests.hidden",)
    assert workload.gemms == ()

    def extract(named: Any, _: Node) -> list[Product]:
        left = Side(named["x"], lambda t: Folded(t[None]))
        return [Product(1, 3, 4, 6, left, Side(named["weight"], lambda t: Folded(t.mT[None])))]

    register_products("zhufeng_tests.hidden", extract)
    try:
        workload = capture(Hiding(), x, mode="prefill")
    finally:
        del private._PRODUCTS["zhufeng_tests.hidden"]
    assert workload.uncounted == ()
    assert [gemm.flops for gemm in workload.gemms] == [2 * 3 * 4 * 6]
