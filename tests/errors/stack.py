"""Errors of zhufeng.stack."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.errors.case import case
from zhufeng.records import Operands, Policy, Rule
from zhufeng.stack import emulate, named_policy

Patch = pytest.MonkeyPatch


class Einsum(nn.Module):
    """A product that torch computes inside of another function."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (rows, rows)."""
        return torch.einsum("ik,jk->ij", x, x)


class Grouped(nn.Module):
    """A product of groups, each with as many rows."""

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Shape (groups, rows, columns)."""
        return torch._grouped_mm(x, weight)


def run(model: nn.Module, *inputs: Tensor) -> None:
    with emulate(model, named_policy("block6"), seed=0).at(0, 0.0):
        model(*inputs)


@case(
    "the table of policies has an unknown key 'block7'",
    "one of bf16, block4, * fp32, mxfp8, nvfp4",
    "block7",
    "write 'block8'",
)
def an_unknown_policy(_: Path, __: Patch) -> None:
    named_policy("block7")


KNOWN = (
    "linear, conv1d, conv2d, scaled_dot_product_attention, grouped_mm, or matmul and its like, "
    "called by the model itself"
)
WRITE = (
    "write it with these functions, so that it can be done in a policy's formats; "
    "call backward() after the forward pass's 'with'"
)


@case(
    "the model multiplies matrices by aten.bmm", KNOWN, "aten.bmm inside of another function", WRITE
)
def a_hidden_product(_: Path, __: Patch) -> None:
    run(Einsum(), torch.ones(3, 4))


@case("1 multiplies matrices by aten.bmm", KNOWN, "aten.bmm inside of another function", WRITE)
def a_hidden_product_of_a_module(_: Path, __: Patch) -> None:
    run(nn.Sequential(nn.ReLU(), Einsum()), torch.ones(3, 4))


@case(
    "a grouped product in a policy's formats",
    "rows (rows, k) sorted by group, weights (groups, k, n), and offs",
    "[2, 4, 16] and [2, 16, 8] without offs",
    "multiply the groups one by one",
)
def groups_of_one_size(_: Path, __: Patch) -> None:
    run(Grouped(), torch.ones(2, 4, 16), torch.ones(2, 16, 8))


class Out(nn.Module):
    """A product into a tensor that is there."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape of x, a square."""
        return torch.mm(x, x, out=torch.empty_like(x))


@case(
    "a product in the model",
    "the arguments input, mat2 and no others",
    "out",
    "leave them out, and do what they ask for by itself",
)
def a_product_into_a_tensor(_: Path, __: Patch) -> None:
    run(Out(), torch.ones(3, 3))


@case(
    "training in mxfp8_e5m2",
    "bf16, fp32, blocks, mxfp8_e4m3, mxfp6_e3m2, mxfp6_e2m3, mxfp4, mxint8, or nvfp4",
    "a rule with mxfp8_e5m2, whose exact sums need more bits than fp64 has",
    "take mxfp8_e4m3, of as many bits",
)
def training_in_a_format_without_a_model(_: Path, __: Patch) -> None:
    own = Operands(format="mxfp8_e5m2")
    policy = Policy(name="mx", rules=(Rule(weight=own, activation=own, gradient=own),))
    layer = nn.Linear(2, 2)
    with emulate(layer, policy, seed=0).at(0, 0.0):
        layer(torch.ones(1, 2))
