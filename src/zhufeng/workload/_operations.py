"""A recorded step as operations: what each reads, writes, computes, and which products it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch._ops import OpOverload
from torch.fx import Node

from zhufeng.records import Gemm, Operand, Operation, Phase, Role, Tensor
from zhufeng.workload._nodes import Nodes, base_name, is_operation, kind_name
from zhufeng.workload._products import Product, Products, Side, has_products, products_of
from zhufeng.workload._recorder import Form, origin_of

# Elementwise and reducing passes over the larger of operand and result that these consist of.
# Whatever else is elementwise counts 1 a result, whatever reduces 1 an element read.
_PASSES: Mapping[str, int] = {
    "_softmax": 5,  # largest, subtract, exp, sum, divide
    "_safe_softmax": 5,
    "_log_softmax": 5,
    "_softmax_backward_data": 4,
    "_log_softmax_backward_data": 4,
    "native_layer_norm": 8,  # mean 1, variance 3, normalise 2, scale and shift 2
    "native_layer_norm_backward": 14,
    "native_group_norm": 8,
    "native_group_norm_backward": 14,
    "native_batch_norm": 8,
    "_native_batch_norm_legit": 8,
    "_native_batch_norm_legit_no_training": 4,
    "native_batch_norm_backward": 14,
    "cudnn_batch_norm": 8,
    "cudnn_batch_norm_backward": 14,
    "cumsum": 1,
    "embedding_dense_backward": 1,
    "index_add": 1,
    "scatter_add": 1,
    "_index_put_impl_": 1,
    "avg_pool2d": 1,
    "max_pool2d_with_indices": 1,
    "native_dropout": 2,
    "sum": 1,
    "mean": 1,
    "var": 3,
    "var_mean": 3,
    "std": 3,
    "std_mean": 3,
    "linalg_vector_norm": 2,
    "norm": 2,
    "cumprod": 1,
    "logcumsumexp": 3,
    "nll_loss_forward": 1,
    "nll_loss_backward": 1,
    "nll_loss2d_forward": 1,
    "nll_loss2d_backward": 1,
    "avg_pool2d_backward": 1,
    "avg_pool3d": 1,
    "max_pool2d_with_indices_backward": 1,
    "max_pool3d_with_indices": 1,
    "_adaptive_avg_pool2d": 1,
    "_adaptive_avg_pool2d_backward": 1,
    "upsample_nearest2d": 1,
    "upsample_nearest2d_backward": 1,
    "upsample_bilinear2d": 4,
    "upsample_bilinear2d_backward": 4,
    "upsample_bicubic2d": 16,
    "upsample_bicubic2d_backward": 16,
    "_fused_rms_norm": 4,
    "_fused_rms_norm_backward": 8,
    "_fused_dropout": 2,
    "index_add_": 1,
    "scatter_add_": 1,
    "scatter_reduce": 1,
    "glu": 2,
    "floor_divide": 1,
    "histc": 1,
    "remainder": 1,
    "fmod": 1,
    "argmax": 1,
    "argmin": 1,
    "logsumexp": 4,
    "glu_backward": 4,
}
# Elementwise by torch's tags, but only moved or converted.
_MOVED = frozenset({"clone", "where", "masked_fill", "masked_fill_", "copy_", "_to_copy", "fill"})
# Operands of which only the chosen rows are read.
_GATHERS = frozenset({"embedding", "index", "index_select", "gather"})
# Results are written without reading the operand that they replace.
_OVERWRITES = frozenset({"fill_", "zero_", "copy_"})
_NO_TRAFFIC = frozenset({"empty", "new_empty", "empty_like", "new_empty_strided", "empty_strided"})
# Move, make, choose or order elements, and compute nothing with them; in place or not.
_MOVERS = frozenset(
    {
        "_index_put_impl", "_to_copy", "_unsafe_index", "_unsafe_index_put", "arange", "argsort",
        "as_strided_copy", "as_strided_scatter", "bernoulli", "bucketize", "cat", "clone", "col2im",
        "constant_pad_nd", "contiguous", "copy", "diag_embed", "diagonal_backward",
        "diagonal_scatter", "embedding", "empty", "empty_like", "empty_permuted", "empty_strided",
        "expand_copy", "exponential", "eye", "fill", "flip", "full", "full_like", "gather",
        "geometric", "im2col", "index", "index_copy", "index_fill", "index_put", "index_select",
        "linspace", "masked_fill", "masked_scatter", "masked_select", "max_unpool2d", "median",
        "multinomial", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros",
        "nonzero", "normal", "normal_functional", "one_hot", "ones", "ones_like", "pixel_shuffle",
        "pixel_unshuffle", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
        "random", "randperm", "reflection_pad1d", "reflection_pad1d_backward", "reflection_pad2d",
        "reflection_pad2d_backward", "repeat", "repeat_interleave", "replication_pad2d", "resize",
        "roll", "scalar_tensor", "scatter", "searchsorted", "select_backward", "select_scatter",
        "set", "slice_backward", "slice_scatter", "sort", "split_with_sizes_copy", "stack",
        "take", "topk", "tril", "tril_indices", "triu", "triu_indices", "unfold_backward",
        "uniform", "unique_consecutive", "unique_dim", "_unique2", "where", "zero", "zeros",
        "zeros_like",
    }
)  # fmt: skip


def make_operations(
    nodes: Nodes, products: Products, gemms: Mapping[Node, Sequence[Gemm]]
) -> tuple[Operation, ...]:
    """Every operation of the step in order; views are left out.

    Args:
        nodes: of the step.
        products: of `find_products`.
        gemms: the same as records, with what was seen of their operands.
    """
    return tuple(
        _operation(nodes, node, products.get(node, ()), tuple(gemms.get(node, ())))
        for node in _computing(nodes)
    )


def plain_gemms(nodes: Nodes, products: Products) -> dict[Node, list[Gemm]]:
    """The products as records, with nothing known of their operands' values."""

    def operand(side: Side) -> Operand:
        return Operand(tensor=nodes.names[side.node], kind=nodes.kinds[side.node])

    return {
        node: [make_gemm(nodes, node, p, (operand(p.left), operand(p.right))) for p in found]
        for node, found in products.items()
    }


def make_gemm(
    nodes: Nodes,
    node: Node,
    product: Product,
    operands: tuple[Operand, Operand],
    group_sizes: str | None = None,
) -> Gemm:
    """A product as a record; `operands` are left and right."""
    return Gemm(
        batch=product.batch,
        m=product.m,
        n=product.n,
        k=product.k,
        role=_role(nodes, node, product),
        left=operands[0],
        right=operands[1],
        groups=product.groups,
        group_axis=product.group_axis,
        group_sizes=group_sizes,
    )


def uncounted_kinds(nodes: Nodes) -> tuple[str, ...]:
    """Kinds of operations whose flops nobody has said."""
    return tuple(sorted({kind_name(node) for node in _computing(nodes) if _is_unknown(node)}))


def _computing(nodes: Nodes) -> Iterable[Node]:
    return filter(is_operation, nodes.step.graph.nodes)


def _is_unknown(node: Node) -> bool:
    """Whether nothing says how much an operation computes."""
    kind, base = kind_name(node), base_name(node)
    if has_products(kind):
        return False
    if not kind.startswith("aten."):
        return True
    assert isinstance(node.target, OpOverload)
    tags = node.target.tags
    counted = torch.Tag.pointwise in tags or torch.Tag.reduction in tags
    return not (counted or base in _PASSES or base.rstrip("_") in _MOVERS)


def _operation(
    nodes: Nodes, node: Node, products: Sequence[Product], gemms: tuple[Gemm, ...]
) -> Operation:
    origin = origin_of(node)
    operands = _operands(nodes, node)
    results = tuple(
        _tensor(nodes, node, form, i if len(origin.forms) > 1 else None)
        for i, form in enumerate(origin.forms)
        if form is not None
    )
    return Operation(
        name=node.name,
        phase=origin.phase,
        module=nodes.owners.get(node, origin.path),
        kind=kind_name(node),
        operands=operands,
        results=results,
        flops=sum(p.flops for p in products) if products else _flops(node),
        bytes=_bytes(node),
        gemms=gemms,
    )


def _operands(nodes: Nodes, node: Node) -> tuple[Tensor, ...]:
    return tuple(
        _tensor(nodes, one, form, None)
        for one in node.all_input_nodes
        if (form := origin_of(one).forms[0]) is not None
    )


def _tensor(nodes: Nodes, node: Node, form: Form, part: int | None) -> Tensor:
    name = nodes.names[node] if part is None else f"{nodes.names[node]}.{part}"
    dtype = str(form.dtype).removeprefix("torch.")
    return Tensor(name=name, shape=form.shape, dtype=dtype, kind=nodes.kinds[node])


def _role(nodes: Nodes, node: Node, product: Product) -> Role:
    """What a product computes.

    A backward product without a gradient among its operands is forward work done again
    (activation recomputation). Else it has one operand of a forward product and computes the
    gradient of that product's other one: of a weight, or of what comes from data. Where the
    forward product is unknown (an operator of someone's own), what becomes of it decides.
    """
    phase: Phase = origin_of(node).phase
    if phase != "backward":
        return "forward" if phase == "forward" else "update"
    if product.role is not None:
        return product.role
    sides = (product.left.node, product.right.node)
    if "gradient" not in {nodes.kinds[side] for side in sides}:
        return "forward"
    names = {nodes.names[side] for side in sides}
    for forward in nodes.forward.get(origin_of(node).number, ()):
        for one in products_of(forward):
            for own, other in ((one.left, one.right), (one.right, one.left)):
                if nodes.names[other.node] in names:
                    of_weight = nodes.kinds[own.node] == "parameter"
                    return "weight_gradient" if of_weight else "input_gradient"
    if "parameter" in {nodes.kinds[side] for side in sides}:
        return "input_gradient"
    return "weight_gradient" if node in nodes.weight_gradients else "input_gradient"


def _flops(node: Node) -> int:
    base = base_name(node)
    read = max((_elements(form) for form in _forms(node.all_input_nodes)), default=0)
    written = max((_elements(form) for form in origin_of(node).forms if form), default=0)
    if base in _PASSES:
        return _PASSES[base] * max(read, written)
    assert isinstance(node.target, OpOverload)
    if base in _MOVED:
        return 0
    if torch.Tag.pointwise in node.target.tags:
        return written
    return read if torch.Tag.reduction in node.target.tags else 0


def _bytes(node: Node) -> int:
    """Each operand read once and each result written once."""
    base = base_name(node)
    if base in _NO_TRAFFIC:
        return 0
    written = sum(_size(form) for form in origin_of(node).forms if form)
    read = [_size(form) for form in _forms(node.all_input_nodes)]
    if base in _OVERWRITES and node.all_input_nodes:
        read = read[1:]
    if base in _GATHERS and read:
        read[0] = min(read[0], written)
    return written + sum(read)


def _forms(nodes: Iterable[Node]) -> list[Form]:
    return [form for node in nodes if (form := origin_of(node).forms[0]) is not None]


def _elements(form: Form) -> int:
    return math.prod(form.shape)


def _size(form: Form) -> int:
    """Bytes of the distinct elements: what is only repeated (stride 0) lies there once."""
    distinct = (n for n, stride in zip(form.shape, form.strides, strict=True) if stride)
    return math.prod(distinct) * form.dtype.itemsize
