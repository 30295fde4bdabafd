"""Runs a recorded step and looks at the operands of its matrix products on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Interpreter, Node

from zhufeng.base import generator
from zhufeng.workload._folded import Folded
from zhufeng.workload._products import Product, Products, Side, find_products, group_lengths
from zhufeng.workload._statistics import Observed, bits_needed, is_nonzero, observe
from zhufeng.workload._trace import Step, StepOutput


@dataclass(frozen=True)
class ObservedProduct:
    """What was seen of one matrix product."""

    left: Observed
    right: Observed
    group_sizes: NDArray[np.int64] | None
    left_bits: Mapping[str, float] = field(default_factory=dict)
    right_bits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """A step that was done from its graph."""

    output: StepOutput
    products: Products
    seen: Mapping[Node, Sequence[ObservedProduct]]
    """Of each operation's products."""


def record_step(step: Step, seed: int = 0) -> Recorded:
    """Do a traced step once, on its own state and batch, and look at every product's operands.

    Args:
        step: must have data.
        seed: of the samples, and of what the model draws itself.
    """
    products = find_products(step.graph)
    recording = _Recording(step, products, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        output = step.replay(step.state.clone(), step.function.call.inputs, recording)
    return Recorded(output, products, _with_bits(recording.seen))


def _with_bits(
    seen: Mapping[Node, Sequence[ObservedProduct]],
) -> dict[Node, list[ObservedProduct]]:
    """The bits that each operand needs, of all of them at once."""
    flat = [product for products in seen.values() for product in products]
    needed = iter(bits_needed([s.blocks for one in flat for s in (one.left, one.right)]))
    return {
        node: [replace(p, left_bits=next(needed), right_bits=next(needed)) for p in products]
        for node, products in seen.items()
    }


class _Recording(Interpreter):
    """An interpreter of the step's graph that fills `seen`."""

    def __init__(self, step: Step, products: Products, seed: int) -> None:
        super().__init__(step.fresh_constants(), graph=step.graph)
        self.seen: dict[Node, list[ObservedProduct]] = {}
        self._products = products
        self._seed = seed

    def run_node(self, n: Node) -> Any:
        """Look at the operands, then run."""
        products = self._products.get(n)
        if products:
            # Before: an operation in place may change them.
            self.seen[n] = [self._observe(n, i, product) for i, product in enumerate(products)]
        return super().run_node(n)

    def _observe(self, node: Node, index: int, product: Product) -> ObservedProduct:
        lengths = None
        if product.ends is not None:
            ends = self.env[product.ends]
            assert isinstance(ends, Tensor)
            lengths = group_lengths(product, ends)
        left, right = (
            self._side(product, side, lengths, (node.name, index, name))
            for side, name in ((product.left, "left"), (product.right, "right"))
        )
        sizes = None if lengths is None else np.asarray(lengths)
        return ObservedProduct(left, right, sizes)

    def _side(
        self, product: Product, side: Side, lengths: list[int] | None, name: tuple[str, int, str]
    ) -> Observed:
        value = self.env[side.node]
        assert isinstance(value, Tensor)
        folded = side.matrix(value)
        rows = product.m if name[-1] == "left" else product.n
        if lengths is None:
            assert folded.shape == (product.batch, rows, product.k), (name, folded.shape)
        parts, nonzero = (
            _parts(side.matrix(tensor), product, lengths, name[-1])
            for tensor in (value, is_nonzero(value))
        )
        return observe(parts, nonzero, generator(self._seed, "operand", *name))


def _parts(whole: Folded, product: Product, lengths: list[int] | None, side: str) -> list[Folded]:
    """The operand as it is, or one part a group."""
    if lengths is None:
        return [whole]
    matrix = whole.tensor
    if product.group_axis == "k":
        # What stands after the last group is multiplied with nothing.
        parts = matrix[..., : sum(lengths)].split(lengths, dim=2)
    elif side == "left":
        parts = matrix[:, : sum(lengths)].split(lengths, dim=1)
    else:
        parts = matrix.split(1)
    return [Folded(part) for part in parts]
