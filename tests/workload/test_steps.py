"""Optimizers, modes, autocast, recomputation, the meta device."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from tests.workload.models import (
    BATCH,
    CASES,
    FF,
    HEAD,
    HEADS,
    KEYS,
    LAYERS,
    TOKENS,
    VOCABULARY,
    WIDTH,
    WithLoss,
    decoder,
    hugging_face,
)
from zhufeng.base import InputError
from zhufeng.models import Decoder
from zhufeng.records import Workload, zero_tile_grids
from zhufeng.workload import GradientError, capture, trace_step

Parameters = Iterable[nn.Parameter]
OPTIMIZERS: dict[str, Callable[[Parameters], Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3),
    "adamw fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "adamw foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adadelta": torch.optim.Adadelta,
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.01),
}


def network() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    model = WithLoss(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)))
    return model, (torch.randn(5, 6), torch.randint(0, 4, (5,)))


@pytest.mark.parametrize("begun", [False, True], ids=["fresh", "begun"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_of_every_optimizer_replay(name: str, begun: bool) -> None:
    model, batch = network()
    optimizer = OPTIMIZERS[name](model.parameters())

    def real_step() -> float:
        loss: Tensor = model(*batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    if begun:
        real_step()
        real_step()
    step = trace_step(model, batch, optimizer)
    state = step.state.clone()
    for _ in range(3):
        output = step.replay(state, batch)
        state = output.state
        assert output.result.item() == pytest.approx(real_step(), rel=1e-5)
    for one, other in zip(state.parameters, model.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_several_groups_keep_their_own_settings() -> None:
    model, batch = network()
    first, *rest = model.parameters()
    groups = [{"params": [first], "lr": 0.5}, {"params": rest[:2], "lr": 0.01}]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    step = trace_step(model, batch, optimizer)
    state = step.replay(step.state.clone(), batch).state
    model(*batch).backward()
    optimizer.step()
    for one, other in zip(state.parameters, model.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


def test_muon_multiplies_matrices_in_its_update() -> None:
    model, batch = network()
    matrices = [p for p in model.parameters() if p.dim() == 2]
    workload = capture(model, batch, torch.optim.Muon(matrices, lr=0.01))
    roles = [gemm.role for gemm in workload.gemms]
    assert roles.count("update") > 0


def prefill_flops(past: int, new: int) -> int:
    """Of the products over `new` tokens after `past`, in all layers, and the head."""
    rows = BATCH * new
    weights = WIDTH * HEAD * (2 * HEADS + 2 * KEYS) + 3 * WIDTH * FF
    attention = 2 * BATCH * HEADS * new * (past + new) * HEAD
    return 2 * (LAYERS * (rows * weights + attention) + rows * WIDTH * VOCABULARY)


@pytest.mark.parametrize("make", [decoder(), hugging_face("Llama")], ids=["ours", "llama"])
def test_prefill_and_decode_have_no_backward(make: Any) -> None:
    model, batch = make()
    model.eval()
    tokens = batch["input_ids"] if isinstance(batch, dict) else batch[0]
    given = {"input_ids": tokens} if isinstance(batch, dict) else tokens
    for mode, past, new in (("prefill", 0, TOKENS), ("decode", TOKENS, 1)):
        workload = capture(model, given, mode=mode)  # type: ignore[arg-type]
        assert {operation.phase for operation in workload.operations} == {"forward"}
        assert workload.gradients == "none"
        assert sum(g.flops for g in workload.gemms) == prefill_flops(past, new)


def test_a_decode_step_gives_the_next_logits() -> None:
    model, (tokens, _) = decoder(window=5)()
    assert isinstance(model, Decoder)
    step = trace_step(model, tokens, mode="decode")
    output = step.replay(step.state.clone(), step.function.call.inputs)
    longer = torch.cat((tokens, tokens[:, -1:]), 1)
    assert torch.allclose(output.result[:, -1], model(longer).logits[:, -1], atol=1e-5)


def test_under_autocast_operands_are_what_autocast_multiplies() -> None:
    model, batch = decoder()()
    with torch.autocast("cpu", torch.bfloat16):
        workload = capture(model, batch, torch.optim.AdamW(model.parameters()))
    for operation in workload.operations:
        if operation.gemms and operation.phase != "update":
            assert {tensor.dtype for tensor in operation.operands} == {"bfloat16"}
        for gemm in operation.gemms:
            assert workload.arrays[str(gemm.left.tiles)].dtype.itemsize == 2
    assert all(
        tensor.dtype == "float32"
        for operation in workload.operations
        if operation.phase == "update"
        for tensor in operation.results
    )


class Recomputing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.inner, x, use_reentrant=False)
        return functional.relu(out).square().mean()


def test_recomputed_products_are_forward_work_in_the_backward_phase() -> None:
    torch.manual_seed(0)
    workload = capture(Recomputing(), torch.randn(3, 6))
    again = [
        gemm.role
        for operation in workload.operations
        if operation.phase == "backward"
        for gemm in operation.gemms
    ]
    # The last layer's result is nobody's operand.
    assert again.count("forward") == 1
    assert again.count("weight_gradient") == 2


class Choosing(nn.Module):
    """Looks at its data to choose its way."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        some = x[x.sum(1) > 0]
        layer = self.one if float(x[0, 0]) > 0 else self.other
        out: Tensor = layer(some)
        return out.square().mean()


def test_a_model_that_looks_at_its_data_is_captured_as_this_batch_goes() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 6)
    x[0] = 1.0
    workload = capture(Choosing(), x)
    assert workload.gradients == "checked"
    forward = next(gemm for gemm in workload.gemms if gemm.role == "forward")
    assert forward.m == int((x.sum(1) > 0).sum())
    assert forward.right.tensor == "one.weight"


def test_dropout_is_drawn_alike() -> None:
    torch.manual_seed(0)
    model = WithLoss(nn.Sequential(nn.Linear(6, 64), nn.Dropout(0.5), nn.Linear(64, 4)))
    workload = capture(model, (torch.randn(5, 6), torch.randint(0, 4, (5,))))
    assert workload.gradients == "checked"


def on_meta(case_name: str) -> tuple[nn.Module, Any]:
    """The same model without data."""
    model, batch = next(case for case in CASES if case.name == case_name).make()
    blank: Any = torch.utils._pytree.tree_map(lambda t: t.to("meta"), batch)
    return model.to("meta"), blank


def shape_of(workload: Workload) -> list[Any]:
    return [
        (o.name, o.kind, o.phase, o.module, o.operands, o.results, o.flops, o.bytes)
        for o in workload.operations
    ]


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", ["decoder-moe", "qwen3-moe-grouped", "resnet"])
def test_the_meta_device_tells_the_same_operations(name: str, bf16: bool) -> None:
    real, batch = next(case for case in CASES if case.name == name).make()
    blank, nothing = on_meta(name)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        # The update is the same in either; once will do.
        optimizers = [None if bf16 else torch.optim.AdamW(m.parameters()) for m in (real, blank)]
        there = capture(real, batch, optimizers[0])
        meta = capture(blank, nothing, optimizers[1], small=there)
    assert shape_of(meta) == shape_of(there)
    assert meta.flops == there.flops
    assert meta.gradients == "checked_small"
    assert meta.gradient_error == there.gradient_error
    assert meta.arrays == {}
    assert meta.points == ()


def test_without_a_small_check_the_record_says_so() -> None:
    assert capture(*on_meta("mlp")).gradients == "none"


@pytest.mark.parametrize("given", ["mapping", "sequence", "tensor"])
def test_batches_by_name_by_position_or_alone(given: str) -> None:
    torch.manual_seed(0)
    model, (x, targets) = network()
    if given == "mapping":
        assert capture(model, {"x": x, "targets": targets}).batch == 5
    elif given == "sequence":
        assert capture(model, (x, targets)).sequence is None
    else:
        with pytest.raises(InputError, match="returns no loss"):
            capture(nn.Linear(6, 2), x)
        assert capture(nn.Linear(6, 2), x, mode="prefill").gemms[0].m == 5


def test_integer_tokens_say_how_long_sequences_are() -> None:
    model, batch = decoder()()
    workload = capture(model, batch)
    assert (workload.batch, workload.sequence) == (BATCH, TOKENS)


class Reentrant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.inner, x.clone().requires_grad_(), use_reentrant=True)
        return out.square().mean()


def test_what_the_trace_cannot_see_is_not_called_checked() -> None:
    """Eager's own backward judges: a reentrant checkpoint's gradients, a parameter's hook."""
    torch.manual_seed(0)
    with pytest.raises(InputError):
        capture(Reentrant(), torch.randn(3, 6))
    model, batch = network()
    next(model.parameters()).register_hook(lambda gradient: gradient * 0)
    with pytest.raises(GradientError):
        capture(model, batch)


class Remembering(nn.Module):
    """Holds a plain tensor and a buffer, and changes both."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.seen: Tensor
        self.plain = torch.ones(4)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        self.plain += 1
        self.seen = self.seen + 1
        out: Tensor = self.layer(x) * self.plain + self.seen
        return out.square().mean()


def test_a_model_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = Remembering()
    plain, seen = model.plain, model.seen
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    capture(model, torch.randn(3, 6))
    assert model.plain is plain
    assert model.plain.tolist() == [1.0] * 4
    assert model.seen is seen
    assert model.seen.tolist() == [0.0] * 4
    assert all(bool((p.grad == 7).all()) for p in model.parameters() if p.grad is not None)
    torch.save(model, io.BytesIO())  # nothing of ours sticks to it


@pytest.mark.parametrize("kind", ["attention", "encoder layer"])
def test_fused_layers_are_taken_apart(kind: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 32)
    if kind == "attention":
        attention = nn.MultiheadAttention(32, 4, batch_first=True).eval()
        workload = capture(attention, (x, x, x), mode="prefill")
        inner = 0
    else:
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
        workload = capture(layer, x, mode="prefill")
        inner = 2 * 10 * 2 * 32 * 64
    projections, products = 2 * 10 * 4 * 32 * 32, 2 * 2 * 2 * 4 * 5 * 5 * 8
    assert sum(g.flops for g in workload.gemms) == projections + products + inner
    assert workload.uncounted == ()


class FromBuffer(nn.Module):
    """What it computes on is no batch: a table of positions, a learned latent."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.randn(5, 6))
        self.latent = nn.Parameter(torch.randn(3, 6))
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        bias = self.second(functional.relu(self.first(self.table)))
        scores = self.first(self.latent) @ x.mT
        total: Tensor = scores.sum() + bias.sum()
        return total.square()


class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(2, 6)), nn.Parameter(torch.randn(6, 2))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ (self.b @ self.a)).square().mean()


def roles_of(model: nn.Module, x: Tensor) -> list[tuple[str, str]]:
    return [(g.role, g.right.tensor) for g in capture(model, x).gemms if g.role != "forward"]


def test_roles_go_by_whose_gradient_it_is_not_by_where_data_come_from() -> None:
    torch.manual_seed(0)
    roles = [role for role, _ in roles_of(FromBuffer(), torch.randn(4, 6))]
    # Three layers' weights; the latent, which is a parameter too; and what flows between.
    assert roles.count("weight_gradient") == 4
    assert roles.count("input_gradient") == 2
    assert [role for role, _ in roles_of(LowRank(), torch.randn(4, 6))] == [
        "input_gradient",
        "weight_gradient",
        "weight_gradient",
    ]


def test_padding_of_a_transposed_convolution_beyond_its_stride() -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(16, 16, 3, stride=1, dilation=2, output_padding=1)
    model = nn.Sequential(nn.Conv2d(16, 16, 1), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(0))
    wrapped = WithLoss(nn.Sequential(model, nn.Unflatten(0, (1, 16))))
    workload = capture(wrapped, (torch.randn(1, 16, 4, 4), torch.tensor([3])))
    for gemm in workload.gemms:
        ((grid,),) = zero_tile_grids(workload, gemm)
        assert grid.pairs == -(-gemm.m // 16) * -(-gemm.n // 16) * -(-gemm.k // 16)


def test_weights_that_changed_under_autocast_are_not_judged_by_their_old_casts() -> None:
    model, batch = network()
    with torch.autocast("cpu", torch.bfloat16):
        model(*batch)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter))
        assert capture(model, batch).gradients == "checked"
