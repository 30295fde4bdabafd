"""Errors of zhufeng.hdl: the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.errors.case import case
from zhufeng.hdl import ir
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.verilog import to_verilog

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
    "input a of m",
    "integers [cycles, lanes] from 0 to 15",
    "int64 [3, 1] from 16 to 16",
    "reshape or convert it",
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


@case(
    "hardware to simulate, rewrite or print",
    "a module of the IR",
    "str",
    "give f.ir of what @module or @function has made",
)
def no_module(_: Path, __: Patch) -> None:
    interpret(cast("ir.Module", MODULE), {})


@case(
    "hardware to simulate, rewrite or print",
    "a module of the IR",
    "NoneType",
    "give f.ir of what @module or @function has made",
)
def no_module_to_print(_: Path, __: Patch) -> None:
    to_verilog(cast("ir.Module", None))


@case("the cycles of m", "a number, for it has no inputs to tell", "none", "write cycles=100")
def cycles_missing(_: Path, __: Patch) -> None:
    interpret(ir.parse_ir("module m {\n}"), {})


@case(
    "the reset of m",
    "rst in each of 3 cycles: 0 or 1",
    "int64 [1] from 1 to 1",
    "give 0 for the cycles without reset; it is the same in all lanes",
)
def reset_too_short(_: Path, __: Patch) -> None:
    interpret(ir.parse_ir("module m {\n}"), {}, cycles=3, reset=[1])


RESET = "give 0 for the cycles without reset; it is the same in all lanes"


def reset_as(reset: object) -> None:
    interpret(ir.parse_ir("module m {\n}"), {}, cycles=3, reset=cast("list[int]", reset))


@case("the reset of m", "rst in each of 3 cycles: 0 or 1", "int64 [9] from 0 to 0", RESET)
def reset_too_long(_: Path, __: Patch) -> None:
    reset_as([0] * 9)


@case("the reset of m", "rst in each of 3 cycles: 0 or 1", "int64 [3] from 0 to 2", RESET)
def reset_of_2(_: Path, __: Patch) -> None:
    reset_as([2, 0, 1])


@case("the reset of m", "rst in each of 3 cycles: 0 or 1", "float64 [3, 2]", RESET)
def reset_of_each_lane(_: Path, __: Patch) -> None:
    reset_as(np.zeros((3, 2)))


@case(
    "the reset of m",
    "an array",
    "lists of different lengths",
    "give as many lanes in every cycle, and as many elements in every lane",
)
def reset_ragged(_: Path, __: Patch) -> None:
    reset_as([[0], [0, 1], 0])


@case(
    "input a of m",
    "an array",
    "lists of different lengths",
    "give as many lanes in every cycle, and as many elements in every lane",
)
def input_ragged(_: Path, __: Patch) -> None:
    ragged = cast("np.ndarray[tuple[int, ...], np.dtype[np.int64]]", [[1], [1, 2], [3]])
    interpret(ir.parse_ir(MODULE), {"a": ragged, "b": np.zeros((3, 1, 2), int)})


def cycles_beside_inputs(cycles: int) -> None:
    inputs = {"a": np.zeros((3, 1), int), "b": np.zeros((3, 1, 2), int)}
    interpret(ir.parse_ir(MODULE), inputs, cycles=cycles)


FEWER = "leave cycles out, and cut or lengthen the inputs"


@case("the cycles of m", "3, as the inputs have", "2", FEWER)
def cycles_fewer_than_inputs(_: Path, __: Patch) -> None:
    cycles_beside_inputs(2)


@case("the cycles of m", "3, as the inputs have", "9", FEWER)
def cycles_more_than_inputs(_: Path, __: Patch) -> None:
    cycles_beside_inputs(9)


@case("the cycles of m", "a number of at least 0", "-1", "write cycles=100")
def cycles_negative(_: Path, __: Patch) -> None:
    interpret(ir.parse_ir("module m {\n}"), {}, cycles=-1)


@case(
    "a value to record in m",
    "a",
    "c",
    "name a value, or a value of an instance as instance.value",
)
def recorded_unknown(_: Path, __: Patch) -> None:
    inputs = {"a": np.zeros((1, 1), int), "b": np.zeros((1, 1, 2), int)}
    interpret(ir.parse_ir(MODULE), inputs, record=["c"])


@case(
    "a value to record in m",
    "an instance, of which there is none",
    "a.c",
    "name a value, or a value of an instance as instance.value",
)
def recorded_in_no_instance(_: Path, __: Patch) -> None:
    inputs = {"a": np.zeros((1, 1), int), "b": np.zeros((1, 1, 2), int)}
    interpret(ir.parse_ir(MODULE), inputs, record=["a.c"])
