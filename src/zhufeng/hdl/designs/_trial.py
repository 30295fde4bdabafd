"""A design, what it is given, and what is said of what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from zhufeng.base import generator
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import Run, Values
from zhufeng.hdl.interpret._cell import anything
from zhufeng.report import Block, Table

_RESET = 2
_FAILURES = 10


@dataclass(frozen=True)
class Verdict:
    """What is said of a run."""

    summary: str
    figures: Mapping[str, int]
    """For the manifest."""
    shown: Mapping[str, str]
    """The same for the page: name to value."""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A design with a stimulus."""

    design: ir.Module
    inputs: Mapping[str, Values]
    """Each input, [cycles, 1, ...]."""
    reset: tuple[int, ...]
    """`rst` in each cycle."""
    judge: Callable[[Run], Verdict]
    watched: tuple[str, ...] = field(default=())
    """Full names of the signals to draw; the first few without."""
    told: str = ""
    """What they are, for whoever does not know the design."""
    first: int = 0
    """The cycle from which they are drawn."""


def random_trial(design: ir.Module, cycles: int, seed: int) -> Trial:
    """A design with random inputs, after two cycles of reset.

    Args:
        design: any.
        cycles: how many in all.
        seed: draws the inputs.
    """
    inputs = {
        port: anything(form, (cycles, 1, *form.shape), generator(seed, "input", port))
        for port, form in design.inputs.items()
    }
    reset = tuple(int(cycle < _RESET) for cycle in range(cycles))
    return Trial(design, inputs, reset, lambda run: _verdict(design, cycles, run))


def _verdict(design: ir.Module, cycles: int, run: Run) -> Verdict:
    claims = sum(len(one.claims) for one in ir.below(design))
    failed = len(run.failures)
    said = "it claims nothing of itself"
    if claims:
        said = f"its claims failed {failed} times" if failed else "every claim that it makes held"
    blocks: tuple[Block, ...] = ()
    if failed:
        blocks = (_failures(run),)
    return Verdict(
        f"{design.name}, described once as a Python function of one clock cycle, was simulated "
        f"for {cycles} cycles with random inputs and printed as Verilog; {said}.",
        {"claims_failed": failed},
        {"claims that failed": f"{failed:,}"} if claims else {},
        blocks,
    )


def _failures(run: Run) -> Table:
    return Table(
        columns=("cycle", "claim", "text", "in", "line"),
        rows=tuple(
            (one.cycle, one.kind, one.text, one.path, one.where) for one in run.failures[:_FAILURES]
        ),
        caption=f"The first of {len(run.failures)} claims that failed. Random inputs may break "
        "what a design assumes",
    )
