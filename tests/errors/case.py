"""Cases: what provokes an error, and its text in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

Act = Callable[[Path, pytest.MonkeyPatch], object]


@dataclass(frozen=True)
class Case:
    """`act` must raise an InputError whose text matches."""

    name: str
    act: Act
    text: str
    """In full; TMP stands for the test's folder and * for what differs between versions."""


CASES: list[Case] = []


def case(where: str, expected: str, came: str, do: str) -> Callable[[Act], Act]:
    """Register a function as a case with the four parts of its text."""

    def register(act: Act) -> Act:
        text = f"{where}\n  expected: {expected}\n  came:     {came}\n  do:       {do}"
        CASES.append(Case(f"{act.__module__.rpartition('.')[2]}-{act.__name__}", act, text))
        return act

    return register
