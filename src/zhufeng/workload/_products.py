"""Matrix products: which operations are made of them, their sizes, and their operands as matrices.

Every side of a product is shown as (batch, rows, k): the reduction axis comes last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.fx import Graph, Node
from torch.nn import functional

from zhufeng.base import InputError
from zhufeng.records import Role
from zhufeng.workload._folded import Folded
from zhufeng.workload._nodes import PRODUCT_KINDS, arguments, is_operation, kind_name
from zhufeng.workload._recorder import origin_of

View = Callable[[Tensor], Folded]


@dataclass(frozen=True)
class Side:
    """One operand of a product."""

    node: Node
    matrix: View
    """Shows the node's tensor, or one like it, as (batch, rows, k), copying nothing. Of a grouped
    product: as one matrix (1, rows, k) of which each group has its part, or as (groups, rows, k).
    """


@dataclass(frozen=True)
class Product:
    """One matrix product; see `zhufeng.records.Gemm`."""

    batch: int
    m: int
    n: int
    k: int
    left: Side
    right: Side
    groups: int = 1
    group_axis: Literal["m", "k"] = "m"
    ends: Node | None = None
    """Tensor (groups,): where each group ends along that axis."""
    role: Role | None = None
    """Of one of several products of a backward operation; found out for the others."""

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each of batch·m·n·k."""
        return 2 * self.batch * self.m * self.n * self.k


Extract = Callable[[Mapping[str, Any], Node], Sequence[Product]]
Products = Mapping[Node, Sequence[Product]]
_PRODUCTS: dict[str, Extract] = {}


def register_products(kind: str, extract: Extract) -> None:
    """Say which matrix products an operation consists of.

    Args:
        kind: the operation without overload: ``"aten.mm"``, ``"my_library.fused_mlp"``.
        extract: is given the arguments by name (tensors as graph nodes) and the node itself.
    """
    _PRODUCTS[kind] = extract
    PRODUCT_KINDS.add(kind)


def products_of(node: Node) -> Sequence[Product]:
    """The matrix products of an operation; none for most."""
    extract = _PRODUCTS.get(kind_name(node))
    return extract(arguments(node), node) if extract else ()


def find_products(graph: Graph) -> Products:
    """The matrix products of every operation that has some.

    Raises:
        InputError: one is of complex numbers.
    """
    found = {node: products_of(node) for node in graph.nodes if is_operation(node)}
    for node, products in found.items():
        form = origin_of(node).forms[0]
        if products and form is not None and form.dtype.is_complex:
            raise InputError(
                f"{kind_name(node)} multiplies complex numbers",
                expected="matrix products of real numbers",
                came=f"{str(form.dtype).removeprefix('torch.')} in '{origin_of(node).path}'",
                do="compute with real and imaginary parts apart, or leave that part out",
            )
    return {node: products for node, products in found.items() if products}


def has_products(kind: str) -> bool:
    """Whether an operation's matrix products are known."""
    return kind in _PRODUCTS


def shape_of(node: Node) -> tuple[int, ...]:
    """Of a node's (first) tensor."""
    form = origin_of(node).forms[0]
    assert form is not None
    return form.shape


def _one(x: Tensor) -> Folded:
    return Folded(x.unsqueeze(0))


def _one_turned(x: Tensor) -> Folded:
    return Folded(x.mT.unsqueeze(0))


def _same(x: Tensor) -> Folded:
    return Folded(x)


def _turned(x: Tensor) -> Folded:
    return Folded(x.mT)


def _row(x: Tensor) -> Folded:
    return Folded(x.view(1, 1, -1))


def _rows(x: Tensor) -> Folded:
    """All dimensions but the last are rows."""
    return Folded(x.unsqueeze(0), x.dim() - 1)


def _two_dimensional(left: str, right: str) -> Extract:
    def extract(named: Mapping[str, Any], _: Node) -> list[Product]:
        a, b = named[left], named[right]
        (m, k), n = shape_of(a), shape_of(b)[1]
        return [Product(1, m, n, k, Side(a, _one), Side(b, _one_turned))]

    return extract


def _batched(left: str, right: str) -> Extract:
    def extract(named: Mapping[str, Any], _: Node) -> list[Product]:
        a, b = named[left], named[right]
        (batch, m, k), n = shape_of(a), shape_of(b)[2]
        return [Product(batch, m, n, k, Side(a, _same), Side(b, _turned))]

    return extract


def _matrix_vector(matrix: str) -> Extract:
    def extract(named: Mapping[str, Any], _: Node) -> list[Product]:
        a, b = named[matrix], named["vec"]
        m, k = shape_of(a)
        return [Product(1, m, 1, k, Side(a, _one), Side(b, _row))]

    return extract


def _dot(named: Mapping[str, Any], _: Node) -> list[Product]:
    a, b = named["self"], named.get("tensor", named.get("other"))
    assert isinstance(b, Node)
    return [Product(1, 1, 1, shape_of(a)[0], Side(a, _row), Side(b, _row))]


def _linear(named: Mapping[str, Any], _: Node) -> list[Product]:
    a, b = named["input"], named["weight"]
    *rows, k = shape_of(a)
    return [Product(1, math.prod(rows), shape_of(b)[0], k, Side(a, _rows), Side(b, _one))]


# Grouped products (experts).


def _grouped(named: Mapping[str, Any], _: Node) -> list[Product]:
    a, b, ends = named["left"], named["right"], named["ends"]
    if len(shape_of(b)) == 3:
        return [_grouped_rows(a, b, ends, _turned)]
    return [_grouped_reduction(a, b, ends, _one, _one_turned)]


def _grouped_rows(a: Node, b: Node, ends: Node, matrix: View) -> Product:
    """Rows of (rows, k) divided among matrices which `matrix` shows as (groups, n, k)."""
    m, k = shape_of(a)
    groups, *sides = shape_of(b)
    n = math.prod(sides) // k
    return Product(1, m, n, k, Side(a, _one), Side(b, matrix), groups, "m", ends)


def _grouped_reduction(a: Node, b: Node, ends: Node, left: View, right: View) -> Product:
    """A weight gradient for each group: rows of both sides are the reduction."""
    groups = shape_of(ends)[0]
    k = shape_of(b)[0]
    m, n = math.prod(shape_of(a)) // k, shape_of(b)[1]
    return Product(1, m, n, k, Side(a, left), Side(b, right), groups, "k", ends)


def _hugging_face_forward(named: Mapping[str, Any], _: Node) -> list[Product]:
    return [_grouped_rows(named["input"], named["weight"], named["offs"], _turned)]


def _hugging_face_backward(named: Mapping[str, Any], _: Node) -> list[Product]:
    x, weight, ends, gradient = (named[n] for n in ("input", "weight", "offs", "grad_output"))
    return [
        replace(_grouped_rows(gradient, weight, ends, _same), role="input_gradient"),
        replace(
            _grouped_reduction(x, gradient, ends, _one_turned, _one_turned), role="weight_gradient"
        ),
    ]


# Convolutions, as the products that their patches make (im2col).


@dataclass(frozen=True)
class _Window:
    kernel: tuple[int, ...]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int
    places: tuple[int, ...]
    """Along each axis; the input may reach further (a transposed one's output padding)."""

    def patches(self, x: Tensor) -> Folded:
        """(images, channels, *size) as (groups, images · places, channels / groups · kernel)."""
        edges = [edge for p in reversed(self.padding) for edge in (p, p)]
        # Channel by channel, whatever the layout was: patches are read in runs then.
        x = functional.pad(x, edges).contiguous()
        rank = len(self.kernel)
        for axis, (size, step, spread) in enumerate(
            zip(self.kernel, self.stride, self.dilation, strict=True)
        ):
            x = x.unfold(2 + axis, (size - 1) * spread + 1, step)[..., ::spread]
            x = x.narrow(2 + axis, 0, self.places[axis])
        images, channels, *rest = x.shape
        x = x.reshape(images, self.groups, channels // self.groups, *rest)
        places = list(range(3, 3 + rank))
        kernel = list(range(3 + rank, 3 + 2 * rank))
        return Folded(x.permute(1, 0, *places, 2, *kernel), 1 + rank)

    def pixels(self, x: Tensor) -> Folded:
        """(images, channels, *size) as (groups, images · places, channels / groups)."""
        images, channels, *size = x.shape
        x = x.reshape(images, self.groups, channels // self.groups, *size)
        places = range(3, 3 + len(size))
        return Folded(x.permute(1, 0, *places, 2), 1 + len(size))

    def filters(self, weight: Tensor) -> Folded:
        """(channels, ...) as (groups, channels / groups, the rest)."""
        return Folded(weight.reshape(self.groups, weight.shape[0] // self.groups, -1))


def _window(named: Mapping[str, Any], weight: Node, small: Node) -> _Window:
    """`small` is the side with an element a place: what a plain convolution gives."""
    steps = (named["stride"], named["padding"], named["dilation"])
    return _Window(shape_of(weight)[2:], *steps, int(named["groups"]), shape_of(small)[2:])


def _turned_after(view: View) -> View:
    return lambda x: view(x).transposed


def _convolution(named: Mapping[str, Any], node: Node) -> list[Product]:
    x, weight = named["input"], named["weight"]
    small = x if named["transposed"] else node
    window = _window(named, weight, small)
    g, rows = window.groups, shape_of(weight)[0] // window.groups
    per_filter = math.prod(shape_of(weight)[1:])
    places = shape_of(small)[0] * math.prod(shape_of(small)[2:])
    if named["transposed"]:
        left, right = Side(x, window.pixels), Side(weight, _turned_after(window.filters))
        return [Product(g, places, per_filter, rows, left, right)]
    left, right = Side(x, window.patches), Side(weight, window.filters)
    return [Product(g, places, rows, per_filter, left, right)]


def _convolution_backward(named: Mapping[str, Any], _: Node) -> list[Product]:
    gradient, x, weight = named["grad_output"], named["input"], named["weight"]
    transposed = bool(named["transposed"])
    small, large = (x, gradient) if transposed else (gradient, x)
    window = _window(named, weight, small)
    g, rows = window.groups, shape_of(weight)[0] // window.groups
    per_filter = math.prod(shape_of(weight)[1:])
    places = shape_of(small)[0] * math.prod(shape_of(small)[2:])
    wants_input, wants_weight, *_rest = named["output_mask"]
    found = []
    if wants_input and transposed:
        left, right = Side(gradient, window.patches), Side(weight, window.filters)
        found.append(Product(g, places, rows, per_filter, left, right, role="input_gradient"))
    elif wants_input:
        left = Side(gradient, window.pixels)
        right = Side(weight, _turned_after(window.filters))
        found.append(Product(g, places, per_filter, rows, left, right, role="input_gradient"))
    if wants_weight:
        left = Side(small, _turned_after(window.pixels))
        right = Side(large, _turned_after(window.patches))
        found.append(Product(g, rows, per_filter, places, left, right, role="weight_gradient"))
    return found


for _kind, _extract in {
    "aten.addmm_": _two_dimensional("mat1", "mat2"),
    "aten.baddbmm_": _batched("batch1", "batch2"),
    "aten.addbmm_": _batched("batch1", "batch2"),
    "aten.addmv_": _matrix_vector("mat"),
    "aten.mm": _two_dimensional("self", "mat2"),
    "aten.addmm": _two_dimensional("mat1", "mat2"),
    "aten._addmm_activation": _two_dimensional("mat1", "mat2"),
    "aten._int_mm": _two_dimensional("self", "mat2"),
    "aten._scaled_mm": _two_dimensional("self", "mat2"),
    "aten.bmm": _batched("self", "mat2"),
    "aten.baddbmm": _batched("batch1", "batch2"),
    "aten.addbmm": _batched("batch1", "batch2"),
    "aten.mv": _matrix_vector("self"),
    "aten.addmv": _matrix_vector("mat"),
    "aten.dot": _dot,
    "aten.vdot": _dot,
    "aten.linear": _linear,
    "aten.convolution": _convolution,
    "aten.convolution_backward": _convolution_backward,
    "zhufeng.grouped_mm": _grouped,
    "transformers.grouped_mm_fallback": _hugging_face_forward,
    "transformers.grouped_mm_fallback_backward": _hugging_face_backward,
}.items():
    register_products(_kind, _extract)


def group_lengths(product: Product, ends: Tensor | None) -> list[int]:
    """How long each group of a grouped product is; divided evenly where that is not known."""
    total = product.m if product.group_axis == "m" else product.k
    if ends is None:
        each, rest = divmod(total, product.groups)
        return [each + (i < rest) for i in range(product.groups)]
    return torch.diff(ends.cpu(), prepend=torch.zeros(1, dtype=ends.dtype)).tolist()
