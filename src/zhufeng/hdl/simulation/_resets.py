"""Inputs that reset a design: known by their names, or told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from zhufeng.base import InputError, shown
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.ir import BIT, Module

HELD_CYCLES: Final = 4
"""How long a reset is held where nothing tells: synchronisers take two or three cycles."""
_NAME: Final = re.compile(
    r"(?:\w*?_)??(?P<before>n_?)?[aghs]?(?:p(?=resetn))?(?:rst|reset)(?P<low>_?[nbl])?(?:_?i|_in)?",
    re.IGNORECASE,
)
_GIVEN: Final = re.compile(r"(?P<port>\w+)(?:=(?P<cycles>\d+))?(?:,(?P<level>high|low))?")


@dataclass(frozen=True)
class Reset:
    """An input that is held first, and then let go for good."""

    port: str
    cycles: int = HELD_CYCLES
    """How long it is held."""
    low: bool = False
    """Whether it resets while it is 0."""

    def values(self, first: int, cycles: int, lanes: int) -> Values:
        """What it is, [cycles, lanes], from the cycle `first` on."""
        held = np.arange(first, first + cycles) < self.cycles
        return np.repeat((held != self.low)[:, None], lanes, 1)

    def __str__(self) -> str:
        if not self.cycles:
            return f"{self.port}: {int(self.low)} throughout"
        return f"{self.port}: {int(not self.low)} for {self.cycles} cycles, then {int(self.low)}"


def reset_inputs(module: Module) -> list[str]:
    """The inputs that could be a reset: those of one bit."""
    return [port for port, form in module.inputs.items() if form == BIT]


def resets_of(module: Module) -> Iterator[Reset]:
    """The inputs that are resets by their names; active low where those say so, as ``rst_n``."""
    for port in reset_inputs(module):
        if _NAME.fullmatch(port):
            yield Reset(port, low=_is_low(port))


def parse_reset(text: str, inputs: Sequence[str]) -> Reset:
    """A reset as the command line has it: ``rst``, ``rst=10``, ``clear=4,low``.

    Args:
        text: that.
        inputs: which it may be.

    Raises:
        InputError: it is none of them, or the text is no reset.
    """
    given = _GIVEN.fullmatch(text)
    if given is None or given["port"] not in inputs:
        raise InputError(
            "--reset is not usable",
            expected=f"NAME[=CYCLES][,high|,low], NAME of {', '.join(inputs) or 'no input'}",
            came=shown(text),
            do="name an input of one bit: --reset rst_n=10",
        )
    low = given["level"] == "low" if given["level"] else _is_low(given["port"])
    return Reset(given["port"], int(given["cycles"] or HELD_CYCLES), low)


def _is_low(port: str) -> bool:
    found = _NAME.fullmatch(port)
    return bool(found and (found["low"] or found["before"]))
