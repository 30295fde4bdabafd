"""docs/formats.md, rule 2.9."""

from __future__ import annotations

import torch

from tests.formats import golden
from tests.stack.test_products import run
from zhufeng.records import Operands, Policy, Rule
from zhufeng.stack._operand import rotated


def test_rule_2_9_a_rotation_is_a_hadamard_matrix_with_random_signs() -> None:

    octets = golden.block_bytes(5, 0, 2**31 - 1, 0, 0)
    signs = torch.tensor([-1.0 if one & 1 else 1.0 for one in octets])
    x = torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(1))
    hadamard = torch.tensor([[(-1.0) ** (i & j).bit_count() for j in range(16)] for i in range(16)])
    right = (x.view(3, 7, 2, 16).double() * signs) @ hadamard.double() / 4
    torch.testing.assert_close(rotated(x, signs), right.view(3, 7, 32).float())
    own = Operands(format="block8", storage="fp32")
    rotate = Rule(weight=own, activation=own, gradient=own, rotated=("weight_gradient", "forward"))
    policy = Policy(name="rotated", rules=(rotate,))
    for ours, plain in zip(run("linear", policy), run("linear", None), strict=True):
        assert float((ours - plain).norm() / plain.norm()) < 0.03
