"""`capture`: a step of any module as a `Workload`, checked against eager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from torch import nn
from torch.fx import Node
from torch.optim import Optimizer

from zhufeng.records import Gemm, Mode, Operand, Point, Workload
from zhufeng.workload._calls import Batch
from zhufeng.workload._check import check
from zhufeng.workload._nodes import Nodes
from zhufeng.workload._operations import (
    make_gemm,
    make_operations,
    plain_gemms,
    uncounted_kinds,
)
from zhufeng.workload._products import Product, Side, find_products
from zhufeng.workload._recorder import Decompositions
from zhufeng.workload._recording import ObservedProduct, record_step
from zhufeng.workload._statistics import Observed
from zhufeng.workload._trace import Step, trace_step


def capture(
    model: nn.Module,
    batch: Batch,
    optimizer: Optimizer | None = None,
    mode: Mode = "train",
    *,
    name: str | None = None,
    seed: int = 0,
    small: Workload | None = None,
    decompositions: Decompositions | None = None,
) -> Workload:
    """Capture one step of `model`: every operation, with its matrix products' operands counted.

    The step is traced, done once by eager and once from the trace, and the gradients of the two
    are compared before anything is returned. The model, its gradients and the optimizer are left
    as they were. Under `torch.autocast` the step is captured as autocast does it.

    On the meta device nothing is executed: shapes, flops and bytes are recorded, and gradients
    count as checked if `small`, a capture of the same class at a size that fits, was.

    Args:
        model: any module, in training or evaluation mode as it is.
        batch: the model's arguments: a mapping by name, a sequence by position, or one tensor.
        optimizer: over its parameters; without one there is no update.
        mode: "train" (the model returns a loss: a scalar, or something with `loss`), "prefill"
            (the forward pass over a prompt), "decode" (one token after the batch's).
        name: of the model; its class's without one.
        seed: of the samples and of what the model draws itself.
        small: stands in for a check that cannot be made on the meta device.
        decompositions: operations to take apart: operator to a function of the same arguments.

    Raises:
        InputError: the model cannot be called so.
        GradientError: what was captured is not what eager does; names the worst parameter.
    """
    step = trace_step(model, batch, optimizer, mode, decompositions=decompositions, seed=seed)
    nodes = Nodes(step)
    kept = _Kept()
    gradients, error = "none", None
    if _on_meta(step):
        products = find_products(step.graph)
        gemms = plain_gemms(nodes, products)
        if small is not None and small.gradients == "checked":
            gradients, error = "checked_small", small.gradient_error
    else:
        recorded = record_step(step, seed)
        products = recorded.products
        gemms = kept.gemms(nodes, products, recorded.seen)
        if mode == "train":
            gradients, error = "checked", check(step, recorded.output, seed)
    call = step.function.call
    return Workload(
        model=name or type(model).__name__,
        mode=mode,
        batch=call.batch,
        sequence=call.sequence,
        parameters=sum(p.numel() for p in model.parameters()),
        gradients=gradients,  # type: ignore[arg-type]
        operations=make_operations(nodes, products, gemms),
        optimizer=type(optimizer).__name__ if optimizer else None,
        gradient_error=error,
        points=() if _on_meta(step) else (Point(name="as given"),),
        uncounted=uncounted_kinds(nodes),
        arrays=kept.arrays,
    )


def _on_meta(step: Step) -> bool:
    tensors = [*step.state.parameters, *step.state.others]
    return any(tensor.device.type == "meta" for tensor in tensors)


@dataclass
class _Kept:
    """Arrays by the names under which operands tell them."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def gemms(
        self,
        nodes: Nodes,
        products: Mapping[Node, Sequence[Product]],
        seen: Mapping[Node, Sequence[ObservedProduct]],
    ) -> dict[Node, list[Gemm]]:
        """The products as records, with what was seen of their operands."""
        return {
            node: [
                self._gemm(nodes, node, index, product, seen[node][index])
                for index, product in enumerate(found)
            ]
            for node, found in products.items()
        }

    def _gemm(
        self, nodes: Nodes, node: Node, index: int, product: Product, seen: ObservedProduct
    ) -> Gemm:
        name = f"{node.name}.{index}"
        left = self._operand(nodes, product.left, f"{name}.left", seen.left, seen.left_bits)
        right = self._operand(nodes, product.right, f"{name}.right", seen.right, seen.right_bits)
        sizes = None
        if seen.group_sizes is not None:
            sizes = self._keep(f"{name}.groups", seen.group_sizes[None])
        return make_gemm(nodes, node, product, (left, right), sizes)

    def _operand(
        self, nodes: Nodes, side: Side, name: str, seen: Observed, bits: Mapping[str, float]
    ) -> Operand:
        return Operand(
            tensor=nodes.names[side.node],
            kind=nodes.kinds[side.node],
            zeros=seen.zeros,
            zero_blocks=seen.zero_blocks,
            zero_tiles=self._keep(f"{name}.zero_tiles", seen.zero_tiles),
            exponents=self._keep(f"{name}.exponents", seen.exponents),
            bits_needed=bits,
            tiles=self._keep(f"{name}.tiles", seen.raw_tiles),
        )

    def _keep(self, name: str, array: NDArray[Any]) -> str:
        self.arrays[name] = array
        return name
