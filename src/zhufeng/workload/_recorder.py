"""Writes down, as a graph, every operation that runs while it is on.

torch's `make_fx` does the same by way of proxies, at about three times the cost a node; for a
decoder of 126 layers that is the difference between one minute and three. The operations are
seen below autograd, so that its own (gradients, in-place updates) are among them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.fx import Graph, Node
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from zhufeng.records import Phase

Decompositions = Mapping[Any, Callable[..., Any]]

# On a tensor: the node that stands for it. The attribute lives as long as the tensor does.
_NODE = "_zhufeng_node"
_META = "zhufeng"


@dataclass(frozen=True)
class Form:
    """What is known of a tensor while it is traced."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    @staticmethod
    def of(tensor: Tensor) -> Form:
        """The form of a tensor."""
        return Form(tuple(tensor.shape), tensor.stride(), tensor.dtype)


@dataclass(frozen=True)
class Origin:
    """Where an operation comes from, and what it gives."""

    phase: Phase
    path: str
    number: int
    """Autograd's: that of the node which a forward operation makes, and backward that of the
    node at work, so that an operation and its gradients have the same."""
    forms: tuple[Form | None, ...]
    """Of its results; None for what is no tensor."""


class Recorder(TorchDispatchMode):
    """A graph of the operations that run inside the block.

    `phase`, `path` and `number` are what the next operations are marked with; without a number
    it is that of the autograd node that was made last.
    """

    def __init__(self, decompositions: Decompositions) -> None:
        super().__init__()
        self.graph = Graph()
        self.constants = nn.Module()
        self.phase: Phase = "forward"
        self.path = ""
        self.number: int | None = None
        self.originals: list[Tensor] = []
        """What the model holds where the graph has a copy: a constant each."""
        self._decompositions = decompositions
        self._count = 0

    def inputs(self, tensors: Iterable[Tensor]) -> None:
        """Make each of these tensors an input of the graph, in this order."""
        for index, tensor in enumerate(tensors):
            node = self.graph.placeholder(f"input_{index}")
            self._stand(node, tensor, given=True)

    def finish(self, outputs: Any) -> None:
        """End the graph with these tensors (in any nest of containers)."""
        self.graph.output(_pytree.tree_map(self._node, outputs))
        with _disable_current_modes(), torch.no_grad():
            # They are the model's, and go back as they came.
            for tensor, copied in zip(self.originals, self.constants.buffers(), strict=True):
                delattr(tensor, _NODE)
                tensor.copy_(copied)

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run `func`, and write it down."""
        named = kwargs or {}
        if func.namespace == "prim":  # questions about a tensor, not operations on it
            return func(*args, **named)
        if (decompose := self._decompositions.get(func)) is not None:
            with self:
                out = decompose(*args, **named)
            if out is not NotImplemented:
                return out
        # Before it runs: an operation in place gives its operand a new node.
        node_args = _pytree.tree_map(self._node, args)
        node_named = _pytree.tree_map(self._node, named)
        out = func(*args, **named)
        self._write(func, node_args, node_named, out)
        return out

    def _write(self, func: OpOverload, args: Any, named: dict[str, Any], out: Any) -> None:
        parts = list(out) if isinstance(out, (list, tuple)) else [out]
        if not any(isinstance(part, Tensor) for part in parts):
            return  # a number or a type that Python code asked for
        self._count += 1
        name = f"{func._schema.name.split('::')[-1]}_{self._count}"
        node = self.graph.create_node("call_function", func, args, named, name)
        if isinstance(out, Tensor):
            self._stand(node, out)
            return
        forms = tuple(Form.of(part) if isinstance(part, Tensor) else None for part in parts)
        node.meta[_META] = self._origin(forms)
        for index, part in enumerate(parts):
            if isinstance(part, Tensor):
                item = self.graph.create_node("call_function", operator.getitem, (node, index))
                self._stand(item, part)

    def _stand(self, node: Node, tensor: Tensor, *, given: bool = False) -> None:
        node.meta[_META] = self._origin((Form.of(tensor),))
        # A tensor that is given twice (tokens that are their own labels) is the first.
        if not (given and self._known(tensor) is not None):
            setattr(tensor, _NODE, (self, node))

    def _origin(self, forms: tuple[Form | None, ...]) -> Origin:
        number = self.number
        if number is None:
            number = torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]
        return Origin(self.phase, self.path, number, forms)

    def _node(self, value: Any) -> Any:
        """The node that stands for a tensor; anything else is itself."""
        if not isinstance(value, Tensor):
            return value
        node = self._known(value)
        return self._constant(value) if node is None else node

    def _known(self, tensor: Tensor) -> Node | None:
        recorder, node = getattr(tensor, _NODE, (None, None))
        return node if recorder is self else None

    def _constant(self, tensor: Tensor) -> Node:
        """A tensor that came from outside: a constant of the model."""
        name = f"constant_{len(self.constants._buffers)}"
        # Outside of all modes, or the copy would be a tensor without data, and recorded.
        with _disable_current_modes():
            self.constants.register_buffer(name, tensor.detach().clone())
        self.originals.append(tensor)
        node = self.graph.create_node("get_attr", name)
        self._stand(node, tensor)
        return node


def origin_of(node: Node) -> Origin:
    """What the recorder noted of a node."""
    origin: Origin = node.meta[_META]
    return origin
