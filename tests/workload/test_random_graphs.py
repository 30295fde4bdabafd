"""Random small graphs of many operators, captured and replayed against eager."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.workload import capture, trace_step

ROWS, WIDTH, LENGTH = 3, 8, 10


def _written(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, :-1]
    y[:, 0] += x[:, 3]
    return y


# From one or two tensors of shape (ROWS, LENGTH, WIDTH) to one of the same.
ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "softmax": lambda x: functional.softmax(x, -1),
    "layer_norm": lambda x: functional.layer_norm(x, (WIDTH,)),
    "cumsum": lambda x: x.cumsum(1),
    "roll": lambda x: x.roll(1, 1),
    "flip": lambda x: x.flip(1),
    "sort": lambda x: x.sort(1).values,
    "gather": lambda x: x.gather(1, torch.arange(LENGTH).flip(0)[None, :, None].expand_as(x)),
    "index": lambda x: x[:, torch.tensor([0, 0, 2, 3, 4, 5, 9, 7, 8, 1])],
    "pad": lambda x: functional.pad(x, (1, 0))[..., :-1],
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "mean": lambda x: x - x.mean(1, keepdim=True),
    "amax": lambda x: x / (1 + x.abs().amax(-1, keepdim=True)),
    "logsumexp": lambda x: x - x.logsumexp(-1, keepdim=True),
    "masked": lambda x: x.masked_fill(torch.ones(LENGTH, 1).triu(0).bool()[None], 0.5),
    "turned": lambda x: x.transpose(1, 2).contiguous().view(ROWS, LENGTH, WIDTH),
    "pool": lambda x: functional.max_pool1d(x, 3, stride=1, padding=1),
    "in place": lambda x: (x * 1.0).mul_(0.5).add_(1.0).clamp_(max=2.0),
    "written": _written,
    "attention": lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True),
}
TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * torch.sigmoid(b),
    "div": lambda a, b: a / (1 + b.square()),
    "matmul": lambda a, b: torch.softmax(a @ b.mT, -1) @ b,
    "einsum": lambda a, b: torch.einsum("rlw,rmw->rlm", a, b).softmax(-1) @ a,
    "cat": lambda a, b: torch.cat((a[:, ::2], b[:, 1::2]), 1),
    "stack": lambda a, b: torch.stack((a, b)).amax(0),
    "lerp": lambda a, b: torch.lerp(a, b, 0.3),
    "maximum": torch.maximum,
}


class RandomGraph(nn.Module):
    """A chain of random operators, some with a parameter of its own, with skips."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = np.random.default_rng(seed)
        self.plan: list[tuple[str, int]] = []
        self.layers = nn.ModuleDict()
        for place in range(int(draw.integers(4, 12))):
            kind = str(draw.choice([*ONE, *TWO, "linear", "conv", "norm", "bias"]))
            self.plan.append((kind, int(draw.integers(0, place + 1))))
            if kind == "linear":
                self.layers[str(place)] = nn.Linear(WIDTH, WIDTH, bias=bool(draw.integers(2)))
            elif kind == "conv":
                groups = int(draw.choice([1, 2, 4]))
                self.layers[str(place)] = nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=groups)
            elif kind == "norm":
                self.layers[str(place)] = nn.LayerNorm(WIDTH)
            elif kind == "bias":
                self.layers[str(place)] = nn.ParameterList([nn.Parameter(torch.randn(WIDTH))])
        self.start = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        past = [self.start(x)]
        for place, (kind, other) in enumerate(self.plan):
            past.append(self._place(place, kind, past[-1], past[other]))
        return functional.mse_loss(past[-1], targets)

    def _place(self, place: int, kind: str, x: Tensor, other: Tensor) -> Tensor:
        if kind in ONE:
            return ONE[kind](x)
        if kind in TWO:
            return TWO[kind](x, other)
        layer = self.layers[str(place)]
        if isinstance(layer, nn.ParameterList):
            shifted: Tensor = x + layer[0]
            return shifted
        out: Tensor = layer(x.mT).mT if kind == "conv" else layer(x)
        return out


@pytest.mark.parametrize("seed", range(50))
def test_a_random_graph_replays_as_eager_does(seed: int) -> None:
    torch.manual_seed(seed)
    model = RandomGraph(seed)
    batch = (torch.randn(ROWS, LENGTH, WIDTH), torch.randn(ROWS, LENGTH, WIDTH))
    assert capture(model, batch).gradients == "checked"
    step = trace_step(model, batch)
    # On other data and other weights than those it was traced on.
    other = (torch.randn(ROWS, LENGTH, WIDTH), torch.randn(ROWS, LENGTH, WIDTH))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    loss = model(*other)
    wanted = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    replayed = step.replay(step.state.clone(), other)
    assert replayed.result.item() == pytest.approx(loss.item(), rel=1e-5)
    for one, gradient in zip(replayed.gradients, wanted, strict=True):
        assert (one is None) == (gradient is None)
        if one is not None and gradient is not None:
            assert torch.allclose(one, gradient, rtol=1e-3, atol=1e-6)
