"""A workload on the run's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zhufeng.records import Role, Workload
from zhufeng.report import Block, Figures, Plot, Section, Table, bars, plot, si
from zhufeng.workload._summary import (
    ERRORS,
    OperandSummary,
    operands_by_role,
    products_flops,
    work_by_family,
    work_by_kind,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = 12
_BIAS = 127
# Exponents rarer than this everywhere are left off the plot.
_SHOWN = 5e-4
_CHECKS = {
    "checked": "gradients equal to eager's",
    "checked_small": "gradients checked at a small size",
    "none": "gradients not checked",
}
Operands = dict[tuple[Role, str], OperandSummary]


def workload_section(workload: Workload) -> Section:
    """Where the step's work lies, and what its operands look like."""
    flops, traffic = workload.flops, sum(o.bytes for o in workload.operations)
    share = products_flops(workload) / max(flops, 1)
    tokens = f", {workload.sequence:,} tokens each" if workload.sequence else ""
    blocks: list[Block] = [
        Figures(
            figures={
                "parameters": f"{workload.parameters:,}",
                "operations": f"{len(workload.operations):,}",
                "flops": si(flops),
                "in matrix products": f"{share:.1%}",
                "bytes": si(traffic),
                "flops a byte": f"{flops / max(traffic, 1):.1f}",
            }
        ),
        _families(workload),
        _kinds(workload),
    ]
    operands = operands_by_role(workload)
    if operands:
        blocks += [_operands(operands), _exponents(operands), _zeros(operands)]
    points = f" at {len(workload.points)} points of the training" if workload.points[1:] else ""
    error = "" if workload.gradient_error is None else f" (worst {workload.gradient_error:.1e})"
    return Section(
        title="Workload",
        summary=f"One {workload.mode} step of {workload.model}, batch of {workload.batch}{tokens}"
        f"{points}: "
        f"{si(flops)}flops, {share:.0%} in {len(workload.gemms):,} matrix products; "
        f"{_CHECKS[workload.gradients]}{error}.",
        blocks=tuple(blocks),
    )


def _families(workload: Workload) -> Table:
    work = work_by_family(workload)
    flops, traffic = workload.flops, sum(one.bytes for one in work.values())
    return Table(
        columns=("work", "operations", "flops", "of all", "bytes", "of all ", "flops a byte"),
        rows=tuple(
            (
                name,
                one.operations,
                si(one.flops),
                f"{one.flops / max(flops, 1):.1%}",
                si(one.bytes),
                f"{one.bytes / max(traffic, 1):.1%}",
                f"{one.flops / max(one.bytes, 1):.1f}",
            )
            for name, one in work.items()
        ),
        caption="Where the work lies; bytes as if nothing were kept on the chip",
    )


def _kinds(workload: Workload) -> Plot:
    work = {kind: one for kind, one in work_by_kind(workload).items() if one.flops}
    scale, prefix = _scale(max((one.flops for one in work.values()), default=1))
    return bars(
        {kind: round(one.flops / scale, 3) for kind, one in list(work.items())[:_KINDS]},
        unit=f"{prefix}flops",
        alt="Flops by kind of operation",
        caption="Flops by kind of operation",
    )


def _scale(most: float) -> tuple[float, str]:
    """What values up to `most` are divided by, and the prefix that stands for it."""
    power = max(0, int(np.log10(max(most, 1)) // 3))
    return 1e3**power, si(1e3**power)[2:] if power else ""


def _operands(operands: Operands) -> Table:
    return Table(
        columns=(
            *("role", "side", "zeros", "zero blocks", "tile pairs to skip"),
            *(f"bits for {float(error):.1%}" for error in ERRORS),
        ),
        rows=tuple(
            (
                role.replace("_", " "),
                side,
                f"{one.zeros:.1%}",
                f"{one.zero_blocks:.1%}",
                f"{one.skippable:.1%}",
                *(f"{one.bits_needed.get(error, 0.0):.1f}" for error in ERRORS),
            )
            for (role, side), one in operands.items()
        ),
        caption="Operands of matrix products, by flops: exact zeros, all-zero blocks of 16, pairs "
        "of 16x16 tiles of which one is zero, and the mean width that blocks of 16 with a shared "
        "exponent need for a relative error",
    )


def _exponents(operands: Operands) -> Plot:
    def draw(axes: Axes) -> None:
        most = np.max([one.exponents for one in operands.values()], axis=0)
        seen = np.flatnonzero(most > _SHOWN)
        low, high = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 1)
        x = np.arange(low, high) - _BIAS
        for (role, side), one in operands.items():
            label = f"{role.replace('_', ' ')}, {side}"
            style = "-" if side == "left" else "--"
            axes.plot(x, 100 * one.exponents[low:high], style, label=label, linewidth=1.3)
        axes.set_xlabel("exponent (power of two)")
        axes.set_ylabel("% of elements")
        axes.legend(fontsize=8)

    return plot(
        draw,
        alt="Share of elements by exponent, for each role and side of the matrix products",
        caption="Exponents of operands that are not zero, by role",
    )


def _zeros(operands: Operands) -> Plot:
    names = {key: f"{key[0].replace('_', ' ')}, {key[1]}" for key in operands}
    return bars(
        {names[key]: round(100 * one.zeros, 2) for key, one in operands.items()},
        unit="% of elements that are exactly zero",
        alt="Exact zeros by role and side",
        caption="Exact zeros of operands, by role",
    )
