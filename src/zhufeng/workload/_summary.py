"""A workload in a few rows: where its flops, bytes, zeros and needed bits lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zhufeng.records import Gemm, Operand, Operation, Role, Workload, skippable_share

Family = Literal[
    "linear", "attention", "experts", "convolution", "softmax and norms", "elementwise",
    "movement", "update",
]  # fmt: skip
FAMILIES: tuple[Family, ...] = Family.__args__  # type: ignore[attr-defined]
ROLES: tuple[Role, ...] = ("forward", "input_gradient", "weight_gradient")
SIDES = ("left", "right")
# Relative errors (root of mean square over a block) at which the bits needed are told.
ERRORS = ("0.1", "0.03", "0.01", "0.003")
_NORMS = ("softmax", "norm", "nll_loss")


@dataclass
class Work:
    """Sums over operations."""

    flops: int = 0
    bytes: int = 0
    operations: int = 0

    def add(self, operation: Operation) -> None:
        """Count one more."""
        self.flops += operation.flops
        self.bytes += operation.bytes
        self.operations += 1


@dataclass
class OperandSummary:
    """Statistics of the operands of one role and side, each by its product's flops."""

    flops: int = 0
    zeros: float = 0.0
    zero_blocks: float = 0.0
    skippable: float = 0.0
    """Share of tile pairs that need no work; the same on both sides."""
    bits_needed: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    exponents: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))


def family(operation: Operation) -> Family:
    """What sort of work an operation is."""
    if operation.phase == "update":
        return "update"
    if operation.gemms:
        return _product_family(operation)
    base = operation.kind.rpartition(".")[2]
    if any(part in base for part in _NORMS):
        return "softmax and norms"
    return "elementwise" if operation.flops else "movement"


def _product_family(operation: Operation) -> Family:
    if "convolution" in operation.kind:
        return "convolution"
    gemm = operation.gemms[0]
    if gemm.groups > 1:
        return "experts"
    kinds = {gemm.left.kind, gemm.right.kind}
    weighty = gemm.role == "weight_gradient" or kinds & {"parameter", "state"}
    return "linear" if weighty else "attention"


def work_by_family(workload: Workload) -> dict[Family, Work]:
    """Work of each family, in the order of `FAMILIES`; those without any are left out."""
    found: dict[Family, Work] = {name: Work() for name in FAMILIES}
    for operation in workload.operations:
        found[family(operation)].add(operation)
    return {name: work for name, work in found.items() if work.operations}


def work_by_kind(workload: Workload) -> dict[str, Work]:
    """Work by kind of operation, the most flops first."""
    found: dict[str, Work] = defaultdict(Work)
    for operation in workload.operations:
        found[operation.kind].add(operation)
    return dict(sorted(found.items(), key=lambda item: -item[1].flops))


def products_flops(workload: Workload) -> int:
    """Of all matrix products."""
    return sum(gemm.flops for gemm in workload.gemms)


def operands_by_role(workload: Workload) -> dict[tuple[Role, str], OperandSummary]:
    """Statistics by role and side ("left", "right"), each operand by its product's flops.

    Empty where the workload was not executed.
    """
    sums: dict[tuple[Role, str], OperandSummary] = defaultdict(OperandSummary)
    for gemm, side, operand in _observed(workload.gemms):
        one = sums[gemm.role, side]
        one.flops += gemm.flops
        one.zeros += gemm.flops * (operand.zeros or 0.0)
        one.zero_blocks += gemm.flops * (operand.zero_blocks or 0.0)
        one.skippable += gemm.flops * skippable_share(workload, gemm)
        for error, bits in operand.bits_needed.items():
            one.bits_needed[error] += gemm.flops * bits
        if operand.exponents is not None:
            one.exponents += gemm.flops * workload.arrays[operand.exponents].astype(np.float64)
    return {key: _mean(sums[key]) for key in sorted(sums, key=_place)}


def _observed(gemms: Iterable[Gemm]) -> Iterator[tuple[Gemm, str, Operand]]:
    for gemm in gemms:
        for side, operand in zip(SIDES, (gemm.left, gemm.right), strict=True):
            if operand.zeros is not None and gemm.flops:
                yield gemm, side, operand


def _mean(total: OperandSummary) -> OperandSummary:
    n = total.flops
    return OperandSummary(
        flops=n,
        zeros=total.zeros / n,
        zero_blocks=total.zero_blocks / n,
        skippable=total.skippable / n,
        bits_needed={error: bits / n for error, bits in total.bits_needed.items()},
        exponents=total.exponents / n,
    )


def _place(key: tuple[Role, str]) -> tuple[int, int]:
    role, side = key
    return (ROLES.index(role) if role in ROLES else len(ROLES), SIDES.index(side))
