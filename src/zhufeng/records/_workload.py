"""`Workload`: a training step (or a prefill or decode step) as what it asks of hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, brief, record, write_durable
from zhufeng.records._forms import Form

Mode = Literal["train", "prefill", "decode"]
Phase = Literal["forward", "backward", "update"]
Role = Literal["forward", "input_gradient", "weight_gradient"]
Arrays = Mapping[str, NDArray[Any]]


@record
class Tensor:
    """An operand or a result."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As PyTorch names it: ``"bfloat16"``."""


@record
class Operand:
    """One side of a matrix product, with statistics where it was executed.

    Arrays (bitmaps, histograms, tiles) lie in ``operands.safetensors`` under the names given.
    """

    tensor: str
    zeros: float | None = None
    """Share of exact zeros."""
    zero_blocks: float | None = None
    """Share of all-zero blocks of 16 along the reduction axis."""
    zero_tiles: str | None = None
    """Array: run lengths of the bitmap of all-zero 16x16 tiles, row-major, first run zero-free."""
    exponents: str | None = None
    """Array: histogram of the elements' exponents."""
    bits_needed: Mapping[str, float] = field(default_factory=dict)
    """Error level to mean bits per element of a block of 16."""
    tiles: str | None = None
    """Array: a seeded sample of 16x16 tiles as raw bits, shape (tiles, 16, 16)."""


@record
class Gemm:
    """A matrix product: (m, k) times (k, n), `batch` times."""

    batch: int
    m: int
    n: int
    k: int
    role: Role
    left: Operand
    right: Operand

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each of batch·m·n·k."""
        return 2 * self.batch * self.m * self.n * self.k


@record
class Operation:
    """One operation of the step, in the order of execution."""

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
class Workload:
    """A whole step."""

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

    @property
    def flops(self) -> int:
        """Of all operations."""
        return sum(operation.flops for operation in self.operations)


WORKLOAD = Form("workload", Workload)
_JSON, _ARRAYS = "workload.json", "operands.safetensors"


def write_workload(folder: Path, workload: Workload, arrays: Arrays) -> None:
    """Write ``workload.json`` and ``operands.safetensors`` into `folder`.

    Raises:
        ValueError: an operand names an array that is not among `arrays`.
    """
    from safetensors.numpy import save  # noqa: PLC0415 (only here)

    missing = _arrays_named(workload) - set(arrays)
    if missing:
        raise ValueError(f"the workload names arrays that are not given: {sorted(missing)[:3]}")
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_durable(folder / _ARRAYS, data)
    WORKLOAD.write_json(folder / _JSON, workload)


def read_workload(folder: Path) -> Workload:
    """The workload in `folder`, without its arrays.

    Raises:
        InputError: there is none, or it is damaged or of a newer version.
    """
    return WORKLOAD.read_json(folder / _JSON)


def read_operands(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the workload in `folder`.

    Raises:
        InputError: there are none, or the file is damaged.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 (only here)
    from safetensors.numpy import load_file  # noqa: PLC0415

    path = folder / _ARRAYS
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="the arrays of a workload, as safetensors",
            came=brief(error),
            do="restore the file from a copy, or capture the workload again",
        ) from None


def _arrays_named(workload: Workload) -> set[str]:
    names = {
        name
        for operation in workload.operations
        for gemm in operation.gemms
        for operand in (gemm.left, gemm.right)
        for name in (operand.zero_tiles, operand.exponents, operand.tiles)
    }
    return {name for name in names if name is not None}
