"""`Workload`: a training step (or a prefill or decode step) as what it asks of hardware."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, brief, record, shown, write_durable
from zhufeng.records._forms import Form

Mode = Literal["train", "prefill", "decode"]
Phase = Literal["forward", "backward", "update"]
Role = Literal["forward", "input_gradient", "weight_gradient", "update"]
"""What a matrix product computes; "update" where an optimizer multiplies matrices (Muon)."""
TensorKind = Literal["parameter", "state", "input", "activation", "gradient"]
"""A weight; the optimizer's or the model's own state; data; what follows from data; what
follows from the loss going back."""
Arrays = Mapping[str, NDArray[Any]]

# Side of the tiles that bitmaps and samples are made of, and length of a block of elements.
TILE = 16


@record
class Tensor:
    """An operand or a result."""

    name: str
    """Of what made it: an operation's result or, before the first, a parameter or an input."""
    shape: tuple[int, ...]
    dtype: str
    """As PyTorch names it: ``"bfloat16"``."""
    kind: TensorKind = "activation"


@record
class Operand:
    """One side of a matrix product, with statistics where it was executed.

    The operand is seen as a matrix (batch, rows, k) with the reduction axis last: rows = m on the
    left, n on the right. Blocks are 16 elements along k, tiles 16 rows by 16 along k; what sticks
    out at the end counts as it is, without padding. Arrays (bitmaps, histograms, tiles) lie in
    ``operands.safetensors`` under the names given. Infinities and NaNs enter no range statistics.
    """

    tensor: str
    kind: TensorKind = "activation"
    zeros: float | None = None
    """Share of exact zeros, over all elements."""
    zero_blocks: float | None = None
    """Share of all-zero blocks, over all blocks."""
    zero_tiles: str | None = None
    """Array: run lengths of the complete bitmap of all-zero tiles, the first run zero-free; the
    bitmap goes over points, groups, batch, rows / 16, k / 16, row-major: see `zero_tile_grids`."""
    exponents: str | None = None
    """Array of 256: share of elements by biased fp32 exponent (0: subnormal), of a sample of the
    finite ones that are not zero."""
    bits_needed: Mapping[str, float] = field(default_factory=dict)
    """Relative error of a block (root of mean square, ``"0.01"``) to the mean width in bits that
    its shared-exponent form needs to stay within it; of the sampled tiles."""
    tiles: str | None = None
    """Array (tiles, 16, 16): a seeded sample of tiles as the elements' raw bits in unsigned
    integers of their width, zero-padded."""


@record
class Gemm:
    """A matrix product: (m, k) times (k, n), `batch` times.

    A grouped product (experts) is one of these whose rows, or whose reduction in a weight
    gradient, are divided among `groups` products: m, or k, counts all of them together.
    """

    batch: int
    m: int
    n: int
    k: int
    role: Role
    left: Operand
    right: Operand
    groups: int = 1
    group_axis: Literal["m", "k"] = "m"
    """What is divided among the groups."""
    group_sizes: str | None = None
    """Array (points, groups): the length of each group along that axis, as executed."""

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each of batch·m·n·k."""
        return 2 * self.batch * self.m * self.n * self.k


@record
class Operation:
    """One operation of the step, in the order of execution. Views are not operations."""

    name: str
    phase: Phase
    module: str
    """Path of the module that it comes from: ``"layers.3.attention"``."""
    kind: str
    """What it does: ``"aten.mm"``."""
    operands: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    flops: int
    bytes: int
    """Read and written, were nothing kept on the chip."""
    gemms: tuple[Gemm, ...] = ()


@record
class Point:
    """A moment of the training at which statistics were gathered."""

    name: str
    """``"step 500"``."""
    weight: float = 1.0
    """Its share in joined statistics; all sum to 1."""


@record
class _Table:
    """What of a workload stands in ``workload.json``."""

    model: str
    mode: Mode
    batch: int
    sequence: int | None
    """Tokens a sequence; None where the model has none."""
    parameters: int
    gradients: Literal["checked", "checked_small", "none"]
    """Whether they were compared with eager: of this step, of a small model of the same class
    (where this one fits no machine), or not at all (no backward pass)."""
    operations: tuple[Operation, ...]
    optimizer: str | None = None
    """Its class, where the step has an update."""
    gradient_error: float | None = None
    """The worst parameter's relative error in that check."""
    points: tuple[Point, ...] = ()
    """Where statistics come from; none on the meta device."""
    uncounted: tuple[str, ...] = ()
    """Kinds of operations of other packages whose flops nobody has said: they count as 0."""


@dataclass(frozen=True, kw_only=True)
class Workload(_Table):
    """A whole step."""

    arrays: Arrays = field(default_factory=dict, compare=False, repr=False)
    """Bitmaps, histograms and tiles, by the names that the operands give."""

    def __post_init__(self) -> None:
        """Refuse names without an array."""
        if missing := _arrays_named(self) - set(self.arrays):
            raise ValueError(f"the workload names arrays that are not given: {min(missing)}")

    @property
    def flops(self) -> int:
        """Of all operations."""
        return sum(operation.flops for operation in self.operations)

    @property
    def gemms(self) -> tuple[Gemm, ...]:
        """All matrix products, in order."""
        return tuple(gemm for operation in self.operations for gemm in operation.gemms)


def _as_it_was(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 2 only added fields that have defaults."""
    return fields


WORKLOAD = Form("workload", _Table, version=2, upgrades={1: _as_it_was})
_JSON, _ARRAYS = "workload.json", "operands.safetensors"


def write_workload(folder: Path, workload: Workload) -> None:
    """Write ``workload.json`` and ``operands.safetensors`` into `folder`."""
    from safetensors.numpy import save  # noqa: PLC0415 (only here)

    arrays = {name: np.ascontiguousarray(array) for name, array in workload.arrays.items()}
    write_durable(folder / _ARRAYS, save(arrays))
    write_durable(folder / _JSON, _line_an_operation(workload))


def read_workload(folder: Path) -> Workload:
    """The workload in `folder`.

    Raises:
        InputError: there is none, it is damaged or of a newer version, or an array is missing.
    """
    table = WORKLOAD.read_json(folder / _JSON)
    arrays = _read_arrays(folder / _ARRAYS)
    if missing := _arrays_named(table) - set(arrays):
        raise InputError(
            f"{folder / _ARRAYS} lacks arrays",
            expected=f"every array that {_JSON} names",
            came=f"none called {shown(min(missing))}",
            do="restore both files from one copy, or capture the workload again",
        )
    return Workload(**{f.name: getattr(table, f.name) for f in fields(table)}, arrays=arrays)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError  # noqa: PLC0415 (only here)
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="the arrays of a workload, as safetensors",
            came=brief(error),
            do="restore the file from a copy, or capture the workload again",
        ) from None


def _line_an_operation(workload: Workload) -> bytes:
    """JSON of which a line is an operation: large steps have tens of thousands."""
    own = {f.name: getattr(workload, f.name) for f in fields(_Table)}
    table = WORKLOAD.pack(_Table(**own))
    operations = table.pop("operations")
    head = json.dumps(table, ensure_ascii=False, indent=1).removesuffix("\n}")
    separators = (",", ":")
    rows = [json.dumps(row, ensure_ascii=False, separators=separators) for row in operations]
    return (head + ',\n "operations": [\n' + ",\n".join(rows) + "\n ]\n}\n").encode()


def _arrays_named(workload: _Table) -> set[str]:
    names = {
        name
        for operation in workload.operations
        for gemm in operation.gemms
        for name in (gemm.group_sizes, *_of(gemm.left), *_of(gemm.right))
    }
    return {name for name in names if name is not None}


def _of(operand: Operand) -> tuple[str | None, ...]:
    return operand.zero_tiles, operand.exponents, operand.tiles
