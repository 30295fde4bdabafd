"""Errors of zhufeng.hdl."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.errors.case import case
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret

Patch = pytest.MonkeyPatch
MODULE = """
module m {
  input a : u4
  input b : s4[2]
  %a = input["a"] : u4
  output o = %a
}
"""


def run(**inputs: object) -> None:
    interpret(ir.parse_ir(MODULE), {port: np.asarray(one) for port, one in inputs.items()})


@case("the inputs of m", "a, b", "a", "give an array for each")
def input_missing(_: Path, __: Patch) -> None:
    run(a=np.zeros((3, 1), int))


@case(
    "input a of m", "integers [cycles, lanes] from 0 to 15", "int64 [3, 1]", "reshape or convert it"
)
def input_too_large(_: Path, __: Patch) -> None:
    run(a=np.full((3, 1), 16), b=np.zeros((3, 1, 2), int))


@case(
    "the inputs of m",
    "arrays of as many cycles and lanes",
    "(3, 1), (4, 1)",
    "repeat the shorter ones",
)
def inputs_unlike(_: Path, __: Patch) -> None:
    run(a=np.zeros((3, 1), int), b=np.zeros((4, 1, 2), int))
