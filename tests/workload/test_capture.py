"""Steps of real architectures: gradients, replays, and flops by closed formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.workload.models import CASES, Case
from zhufeng.workload import GradientError, capture, trace_step

STEPS = 3


def loss_of(model: nn.Module, batch: Any) -> Tensor:
    output = model(**batch) if isinstance(batch, dict) else model(*batch)
    loss: Tensor = output if isinstance(output, Tensor) else output.loss
    return loss


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_step_is_captured_with_checked_gradients_and_replays(case: Case) -> None:
    model, batch = case.make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    before = [p.detach().clone() for p in model.parameters()]
    workload = capture(model, batch, optimizer)
    assert workload.gradients == "checked"
    assert workload.gradient_error is not None
    assert workload.gradient_error <= 1e-3
    assert workload.uncounted == ()
    assert workload.optimizer == "AdamW"
    # Nothing of the model has changed.
    assert not optimizer.state
    assert all(p.grad is None for p in model.parameters())
    for one, other in zip(before, model.parameters(), strict=True):
        assert torch.equal(one, other)
    if case.forward_flops is not None:
        # Each forward product has a gradient for either side; the first of an MLP lacks one,
        # for nobody wants the data's.
        products = sum(gemm.flops for gemm in workload.gemms)
        wanted = 3 * case.forward_flops - (2 * 8 * 20 * 32 if case.name == "mlp" else 0)
        assert products == pytest.approx(wanted, rel=0.01)
        forward = sum(gemm.flops for gemm in workload.gemms if gemm.role == "forward")
        assert forward == pytest.approx(case.forward_flops, rel=0.01)
    check_replay(model, batch, optimizer)


def check_replay(model: nn.Module, batch: Any, optimizer: torch.optim.Optimizer) -> None:
    """Steps from the graph against real ones: losses, and where the parameters went."""
    step = trace_step(model, batch, optimizer)
    begin = [p.detach().clone() for p in model.parameters()]
    state = step.state.clone()
    for _ in range(STEPS):
        replayed = step.replay(state, step.function.call.inputs)
        state = replayed.state
        loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert replayed.result.item() == pytest.approx(loss.item(), rel=1e-5)
    apart = gone = 0.0
    ended = [p.detach() for p in model.parameters()]
    for old, real, again in zip(begin, ended, state.parameters, strict=True):
        gone += float((real - old).square().sum())
        apart += float((real - again).square().sum())
    # A gradient that is zero but for rounding (a key's bias) makes AdamW step at random; such
    # parameters are few.
    assert apart**0.5 <= 2e-2 * gone**0.5
    for name, own, other in zip(
        dict(model.named_buffers()), model.buffers(), state.others, strict=True
    ):
        assert torch.allclose(own.double(), other.double(), atol=1e-5), name


def test_roles_come_in_threes() -> None:
    """Of a plain decoder: one product, one for each operand's gradient; attention has no weight."""
    case = next(case for case in CASES if case.name == "decoder-gpt")
    workload = capture(*case.make())
    products = [gemm for gemm in workload.gemms if gemm.role == "forward"]
    attention = [g for g in products if g.left.kind == g.right.kind == "activation"]
    assert (len(products), len(attention)) == (2 * 8 + 1, 4)
    roles = [gemm.role for gemm in workload.gemms]
    weights = len(products) - len(attention)
    assert roles.count("weight_gradient") == weights
    assert roles.count("input_gradient") == weights + 2 * len(attention)
    for gemm in workload.gemms:
        if gemm.role == "input_gradient" and "parameter" in (gemm.left.kind, gemm.right.kind):
            assert "gradient" in (gemm.left.kind, gemm.right.kind)
        if gemm.role == "weight_gradient":
            assert {gemm.left.kind, gemm.right.kind} == {"gradient", "activation"}


def test_operations_know_where_they_come_from() -> None:
    model, batch = CASES[0].make()
    workload = capture(model, batch, torch.optim.AdamW(model.parameters()))
    names = {name for name, _ in model.named_modules()}
    for operation in workload.operations:
        assert operation.module in names
    for phase in ("forward", "backward"):
        down = [
            gemm.role
            for operation in workload.operations
            for gemm in operation.gemms
            if operation.module == "model.layers.1.mlp.down_proj" and operation.phase == phase
        ]
        assert sorted(down) == (
            ["forward"] if phase == "forward" else ["input_gradient", "weight_gradient"]
        )
    updated = {o.module for o in workload.operations if o.phase == "update"}
    assert "model.layers.1.mlp.down_proj" in updated


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(functional.silu(self.first(x)))
        return out.square().mean()


def test_a_wrong_decomposition_is_caught_and_names_the_worst_parameter() -> None:
    torch.manual_seed(0)
    model, x = Plain(), torch.randn(4, 8)

    def wrong(gradient: Tensor, x: Tensor) -> Tensor:
        """As if the sigmoid were constant: the loss is right, gradients are not."""
        return gradient * torch.sigmoid(x)

    planted = {torch.ops.aten.silu_backward.default: wrong}
    with pytest.raises(GradientError, match=r"'first\.(weight|bias)'") as caught:
        capture(model, x, decompositions=planted)
    assert "second" not in str(caught.value)

    def right(gradient: Tensor, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        return gradient * s * (1 + x * (1 - s))

    capture(model, x, decompositions={torch.ops.aten.silu_backward.default: right})


def test_a_slightly_wrong_decomposition_is_caught_too() -> None:
    torch.manual_seed(0)

    def wrong(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x) * 1.01

    with pytest.raises(GradientError):
        capture(Plain(), torch.randn(4, 8), decompositions={torch.ops.aten.silu.default: wrong})


def test_a_gradient_that_is_lost_is_caught() -> None:
    def none(gradient: Tensor, x: Tensor) -> Tensor:
        return torch.zeros_like(gradient + x)

    with pytest.raises(GradientError, match="off by 1, the worst"):
        capture(
            Plain(), torch.randn(4, 8), decompositions={torch.ops.aten.silu_backward.default: none}
        )
