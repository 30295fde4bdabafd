"""What the nodes of a recorded step are: views, inputs, what they depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Node
from torch.utils import _pytree

from zhufeng.records import TensorKind
from zhufeng.workload._recorder import origin_of
from zhufeng.workload._trace import Step, StepOutput

# What moves nothing although torch's schema does not call it a view, by base name.
_LIKE_VIEWS = frozenset({"_unsafe_view", "alias", "detach", "lift_fresh", "lift", "getitem"})
# Through these a gradient passes on its way from a matrix product to the parameter's gradient:
# moved, added to others, scaled or converted, but neither summed over rows (a bias is no operand)
# nor multiplied with other data.
_CARRIERS = frozenset(
    {
        "add", "add_", "clone", "_to_copy", "copy_", "cat", "stack", "constant_pad_nd",
        "slice_backward", "select_backward", "slice_scatter", "select_scatter", "index",
        "index_put", "index_put_", "_index_put_impl_", "neg", "contiguous",
    }
)  # fmt: skip


# Kinds of operations whose matrix products are known; `_products` fills it.
PRODUCT_KINDS: set[str] = set()
_CHOICES = frozenset({"index", "index_select", "gather"})


def base_name(node: Node) -> str:
    """An operation's name without namespace and overload: ``"mm"``."""
    target = node.target
    if isinstance(target, OpOverload):
        return target._schema.name.split("::")[-1]
    return getattr(target, "__name__", str(target))


def kind_name(node: Node) -> str:
    """An operation's name without its overload: ``"aten.mm"``."""
    target = node.target
    assert isinstance(target, OpOverload)
    return f"{target.namespace}.{base_name(node)}"


def is_view(node: Node) -> bool:
    """Whether nothing is computed or moved."""
    if node.op != "call_function" or base_name(node) in _LIKE_VIEWS:
        return node.op == "call_function"
    return isinstance(node.target, OpOverload) and bool(node.target.is_view)


def is_operation(node: Node) -> bool:
    """Whether something is computed or moved."""
    return node.op == "call_function" and not is_view(node)


def arguments(node: Node) -> dict[str, Any]:
    """An operation's arguments by the names of its schema, defaults filled in."""
    assert isinstance(node.target, OpOverload)
    bound: dict[str, Any] = {}
    for index, argument in enumerate(node.target._schema.arguments):
        if index < len(node.args):
            bound[argument.name] = node.args[index]
        else:
            default = argument.default_value if argument.has_default_value() else None
            bound[argument.name] = node.kwargs.get(argument.name, default)
    return bound


@dataclass
class Nodes:
    """A step's nodes and what is known of each."""

    step: Step
    names: dict[Node, str] = field(default_factory=dict)
    """Of the input or operation that made the tensor; views have that of what they show."""
    kinds: dict[Node, TensorKind] = field(default_factory=dict)
    owners: dict[Node, str] = field(default_factory=dict)
    """In the update: path of the module whose parameter a tensor belongs to."""
    forward: dict[int, list[Node]] = field(default_factory=dict)
    """Forward operations by autograd's number."""
    weight_gradients: set[Node] = field(default_factory=set)
    """Operations whose result becomes a parameter's gradient."""

    def __post_init__(self) -> None:
        inputs = iter(self.step.inputs)
        for node in self.step.graph.nodes:
            if node.op == "placeholder":
                self._input(node, *next(inputs))
            elif node.op == "get_attr":
                self.names[node], self.kinds[node] = str(node.target), "state"
            elif node.op == "call_function":
                self._operation(node)
        self._find_weight_gradients()

    def _input(self, node: Node, name: str, kind: TensorKind) -> None:
        self.names[node], self.kinds[node] = name, kind
        trained = self.step.function.trained
        owner = next((p for p in (name, name.rpartition(".")[0]) if p in trained), None)
        if owner is not None:
            self.owners[node] = owner.rpartition(".")[0]

    def _operation(self, node: Node) -> None:
        read = node.all_input_nodes
        self.names[node] = self.names[read[0]] if is_view(node) and read else node.name
        self.kinds[node] = self._kind(node, [self.kinds[one] for one in read])
        if origin_of(node).phase == "forward":
            self.forward.setdefault(origin_of(node).number, []).append(node)
        owners = [self.owners[one] for one in read if one in self.owners]
        if owners and origin_of(node).phase == "update":
            self.owners[node] = owners[0]

    def _kind(self, node: Node, read: list[TensorKind]) -> TensorKind:
        phase = origin_of(node).phase
        if phase == "update" and read:
            return read[0]
        seed = phase == "backward" and self._is_seed(node)
        return "gradient" if seed or "gradient" in read else self._forward_kind(node, read)

    @staticmethod
    def _forward_kind(node: Node, read: list[TensorKind]) -> TensorKind:
        if base_name(node) in _CHOICES and read[0] == "parameter":
            return "parameter"  # an expert's weights, chosen by data
        if "activation" in read or "input" in read or _draws(node):
            return "activation"
        # What is computed from weights alone is a weight still (normalised, cast, masked); but a
        # product of weights, or a looked-up embedding, is what the model computes with.
        computes = kind_name(node) in PRODUCT_KINDS or base_name(node) == "embedding"
        if "parameter" in read:
            return "activation" if computes else "parameter"
        return "state"

    def _is_seed(self, node: Node) -> bool:
        """The loss's gradient by itself, 1: from it all gradients follow."""
        return base_name(node) == "ones_like" and "gradient" not in self.kinds.values()

    def _find_weight_gradients(self) -> None:
        output = next(iter(reversed(self.step.graph.nodes)))
        made: StepOutput = _pytree.tree_unflatten(output.args[0], self.step.nested)
        # Where a run has tensors, the graph has the nodes that make them.
        gradients: list[Any] = list(made.gradients)
        waiting = [node for node in gradients if isinstance(node, Node)]
        while waiting:
            node = waiting.pop()
            if node in self.weight_gradients or node.op != "call_function":
                continue
            self.weight_gradients.add(node)
            if is_view(node) or base_name(node) in _CARRIERS or _scales(node):
                waiting += node.all_input_nodes


def _draws(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and (
        torch.Tag.nondeterministic_seeded in node.target.tags
    )


def _scales(node: Node) -> bool:
    """Multiplies by a number."""
    return base_name(node) in {"mul", "div", "mul_", "div_"} and len(node.all_input_nodes) == 1
