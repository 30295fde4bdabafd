"""Cases of the language: their errors name the line of the program, which stands in the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.errors.case import case

Program = Callable[[], object]
TESTS = Path(__file__).parents[1]


def says(
    where: str, expected: str, came: str, do: str, *, line: bool = True
) -> Callable[[Program], Program]:
    """Register a program as a case.

    Args:
        where: what stands behind its file and line; with `line` False the whole place.
        expected: and the parts below, as the error has them.
        came: likewise.
        do: likewise.
        line: whether the error begins with the file and line of a test.
    """

    def register(program: Program) -> Program:
        def act(_: Path, __: pytest.MonkeyPatch) -> None:
            program()

        act.__name__, act.__module__ = program.__name__, program.__module__
        case(f"{TESTS}/*.py:*: {where}" if line else where, expected, came, do)(act)
        return program

    return register
