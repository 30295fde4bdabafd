"""Runs a recorded step and looks at the operands of its matrix products on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Interpreter, Node

from zhufeng.base import generator
from zhufeng.workload._products import Product, Side, group_lengths
from zhufeng.workload._statistics import Observed, observe
from zhufeng.workload._trace import Step


@dataclass(frozen=True)
class ObservedProduct:
    """What was seen of one matrix product."""

    left: Observed
    right: Observed
    group_sizes: NDArray[np.int64] | None


class Recording(Interpreter):
    """An interpreter of the step's graph that fills `seen`."""

    def __init__(self, step: Step, products: Mapping[Node, Sequence[Product]], seed: int) -> None:
        super().__init__(step.constants, graph=step.graph)
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
            observe(
                self._parts(product, side, lengths, name),
                generator(self._seed, "operand", node.name, index, name),
            )
            for side, name in ((product.left, "left"), (product.right, "right"))
        )
        sizes = None if lengths is None else np.asarray(lengths)
        return ObservedProduct(left, right, sizes)

    def _parts(
        self, product: Product, side: Side, lengths: list[int] | None, name: str
    ) -> list[Tensor]:
        """The operand as (batch, rows, k), one a group."""
        value = self.env[side.node]
        assert isinstance(value, Tensor)
        matrix = side.matrix(value)
        if lengths is None:
            return [matrix]
        if product.group_axis == "k":
            # What stands after the last group is multiplied with nothing.
            return list(matrix[..., : sum(lengths)].split(lengths, dim=2))
        if name == "left":
            return list(matrix[:, : sum(lengths)].split(lengths, dim=1))
        return list(matrix.split(1))
