"""What a design of the bench is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.stimulus import Drive
from zhufeng.hdl import Module, Type

VERILOG = Path(__file__).parent / "verilog"


@dataclass(frozen=True, eq=False)
class Design:
    """A design, ours and the hand-written one.

    Its outputs depend on its registers alone, so that what is seen of them before a clock's edge
    does not depend on when the inputs of that cycle are put on.
    """

    name: str
    drives: Sequence[Drive]
    """How each of its inputs is driven."""
    outputs: Mapping[str, Type]
    """Each output: a single element or of one axis, of at most 32 bits."""
    traced: Module[Any, ..., Any] | None
    """Ours; None where it is to be read from the hand-written one."""
    top: str
    """The hand-written one's top module; it has the ports `clk` and `rst` beside."""
    files: Sequence[Path]
    """The hand-written one, in SystemVerilog."""
    parameters: Mapping[str, int] = field(default_factory=dict)
    """Of the hand-written one's top."""
