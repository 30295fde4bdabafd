"""Errors of the compiled simulator, and of what drives it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.errors.case import case
from zhufeng.hdl.compile import Grid, State, compile_function, compile_grid, harness
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.ir import Module, parse_ir

Patch = pytest.MonkeyPatch
COUNTER = """
module counter {
  input on : u1
  input by : u4[2]
  reg n : u8 = [0] <- %n
  %on = input["on"] : u1
  %by = input["by"] : u4[2]
  %n = register["n"] : u8
  output o = %n
}
"""
NAND = """
module nand {
  input a : u4
  input b : u4[2]
  %a = input["a"] : u4
  %b = input["b"] : u4[2]
  %c = const[9] : u4
  %ok = lt(%a, %c) : u1
  assert %ok "less than 9" @"nand.py:3"
  output o = %a
}
"""


def counter() -> Module:
    return parse_ir(COUNTER)


def given(cycles: int = 3, lanes: int = 2) -> dict[str, Any]:
    return {"on": np.zeros((cycles, lanes), int), "by": np.zeros((cycles, lanes, 2), int)}


# Runs.


@case("the lanes of counter", "a number from 1", "0", "write for instance lanes=16")
def lanes_none(_: Path, __: Patch) -> None:
    compiled(counter(), 0)


@case("the lanes of counter", "2, as the inputs have", "3", "leave lanes out")
def lanes_unlike_inputs(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run(given(), lanes=3)


@case("the lanes of counter", "5, as the state to start from has", "2", "leave lanes out")
def lanes_unlike_state(_: Path, __: Patch) -> None:
    simulator = compiled(counter(), 1)
    simulator.run(given(), start=simulator.start(5))


CYCLES = "leave cycles out for as many as the inputs have"


@case("the cycles of counter", "a number of at least 0", "-1", CYCLES)
def cycles_negative(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run(given(), -1)


@case("the cycles of counter", "0, for its inputs have no cycle", "4", CYCLES)
def cycles_of_no_inputs(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run(given(0), 4)


OUTPUTS = "give a list of names; values inside are recorded: compile(..., record=[name])"


@case("outputs of counter", "of o", "n, q", OUTPUTS)
def outputs_unknown(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run(given(), outputs=["n", "o", "q"])


@case("outputs of counter", "of o", "'o'", OUTPUTS)
def outputs_as_text(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run(given(), outputs="o")


@case(
    "input by of counter",
    "integers [cycles, lanes, 2] from 0 to 15",
    "uint8 [3, 2, 2] from 16 to 16",
    "reshape or convert it",
)
def run_input_too_large(_: Path, __: Patch) -> None:
    compiled(counter(), 1).run({**given(), "by": np.full((3, 2, 2), 16, np.uint8)})


# Sessions.


@case("an input of counter", "on, by", "'off'", "name an input")
def session_input_unknown(_: Path, __: Patch) -> None:
    compiled(counter(), 1).session().set("off", 1)


GIVE = "give one for all lanes, or one for each"


@case("input on of counter", "integers [] or [3] from 0 to 1", "2", GIVE)
def session_input_too_large(_: Path, __: Patch) -> None:
    compiled(counter(), 8).session(3).step({"on": 2})


@case("input by of counter", "integers [2] or [3, 2] from 0 to 15", "[1, 2, 3]", GIVE)
def session_input_of_another_shape(_: Path, __: Patch) -> None:
    compiled(counter(), 8).session(3).set("by", [1, 2, 3])


@case(
    "a value of counter",
    "o, by",
    "'n'",
    "name an output, or a value that is recorded: compile(..., record=[name])",
)
def session_value_unknown(_: Path, __: Patch) -> None:
    compiled(counter(), 1, record=["by"]).session().get("n")


# States.


@case("a state of counter", "a lane from 0 to 3", "4", "name a lane that it has")
def lane_of_a_state(_: Path, __: Patch) -> None:
    compiled(counter(), 1).start(4).lane(4)


@case(
    "a state to start counter from",
    "one of this counter, *",
    "one of counter, *",
    "start from a state of the same design, unchanged",
)
def state_of_another_design(_: Path, __: Patch) -> None:
    other = parse_ir(COUNTER.replace("[0] <-", "[1] <-"))
    compiled(counter(), 1).session(start=compiled(other, 1).start(1))


STATE = "a file that State.write has written"
ANEW = "save a state anew: run.end.write(path)"


@case("TMP/nowhere.npz", STATE, "No such file or directory", ANEW)
def state_not_there(tmp: Path, _: Patch) -> None:
    State.read(tmp / "nowhere.npz")


@case("TMP/text.npz", STATE, "something else", ANEW)
def state_that_is_text(tmp: Path, _: Patch) -> None:
    (tmp / "text.npz").write_text("no state at all")
    State.read(tmp / "text.npz")


@case("TMP/other.npz", STATE, "something else", ANEW)
def state_of_other_arrays(tmp: Path, _: Patch) -> None:
    np.savez(tmp / "other.npz", a=np.zeros(3))
    State.read(tmp / "other.npz")


@case("TMP/later.npz", STATE, "zhufeng hdl state, version 2", ANEW)
def state_of_a_later_version(tmp: Path, patch: Patch) -> None:
    patch.setattr(
        "zhufeng.hdl.compile._parts._FORMAT", {"format": "zhufeng hdl state", "version": 2}
    )
    compiled(counter(), 1).start(1).write(tmp / "later.npz")
    patch.undo()
    State.read(tmp / "later.npz")


# Functions over arrays.


def call(**inputs: object) -> None:
    f = compile_function(parse_ir(NAND), 8)
    f(**{"a": 0, "b": [0, 0], **cast("dict[str, Any]", inputs)})


@case(
    "a host function of counter",
    "a module without state",
    "registers or memories in it, or in what is inside it",
    "simulate it with zhufeng.hdl.compile.compile",
)
def function_with_state(_: Path, __: Patch) -> None:
    compile_function(counter())


@case("the inputs of nand", "a, b", "a, b, c", "give an array for each, by its name")
def function_input_unknown(_: Path, __: Patch) -> None:
    call(c=3)


@case("the threads of nand", "a number from 1", "0", "write for instance threads=*")
def function_threads(_: Path, __: Patch) -> None:
    call(threads=0)


@case(
    "the inputs of nand",
    "arrays whose axes before those of the ports can be broadcast",
    "(3,), (4,)",
    "give arrays of one shape, or of axes of 1 in between",
)
def function_inputs_unlike(_: Path, __: Patch) -> None:
    call(a=np.zeros(3, int), b=np.zeros((4, 2), int))


FIT = "reshape or convert it"


@case("input b of nand", "integers [..., 2] from 0 to 15", "int64 [4, 3] from 0 to 0", FIT)
def function_input_of_another_shape(_: Path, __: Patch) -> None:
    call(b=np.zeros((4, 3), int))


@case("input a of nand", "integers [...] from 0 to 15", "int64 [2] from 3 to 16", FIT)
def function_input_too_large(_: Path, __: Patch) -> None:
    call(a=np.array([3, 16]))


@case("input a of nand", "integers [...] from 0 to 15", "float64 []", FIT)
def function_input_of_no_integers(_: Path, __: Patch) -> None:
    call(a=1.5)


@case(
    "element [2] of what nand was given",
    "assert 'less than 9' of nand (nand.py:3) to hold",
    "a=9, b=[0, 0]",
    "give what the function is meant for, or mend it",
)
def function_claim(_: Path, __: Patch) -> None:
    call(a=np.array([3, 8, 9, 10]))


# Rows against columns.

DOT = """
module dot {
  input a : u4
  input b : u4[2]
  reg sum : u12 = [0] <- %next
  %a = input["a"] : u4
  %b = input["b"] : u4[2]
  %sum = register["sum"] : u12
  %part = slice[0, 0, 1](%b) : u4[1]
  %first = reshape(%part) : u4
  %product = mul(%a, %first) : u8
  %total = add(%sum, %product) : u13
  %next = wrap(%total) : u12
  output o = %sum
}
"""


@cache
def compiled_grid() -> Grid:
    return compile_grid(parse_ir(DOT), ["a"], ["b"])


def grid(**inputs: Any) -> None:
    compiled_grid()(**{"a": np.zeros((3, 5), int), "b": np.zeros((4, 5, 2), int), **inputs})


SIDES = "name every input once, on either side at least one"


@case("the rows and columns of dot", "each of a, b on one side", "rows a; columns a", SIDES)
def grid_input_on_both_sides(_: Path, __: Patch) -> None:
    compile_grid(parse_ir(DOT), ["a"], ["a"])


@case("the rows and columns of dot", "each of a, b on one side", "rows a, b; columns none", SIDES)
def grid_without_columns(_: Path, __: Patch) -> None:
    compile_grid(parse_ir(DOT), ["a", "b"], [])


ALONE = (
    "registers with resets and outputs that follow from them alone, no memories or claims, "
    "numbers of at most 64 bits, and no element chosen by a signal"
)
SIMULATE = "simulate it with zhufeng.hdl.compile.compile"


@case("counter for rows and columns", ALONE, "the register n without a reset", SIMULATE)
def grid_of_what_nothing_has_set(_: Path, __: Patch) -> None:
    compile_grid(parse_ir(COUNTER.replace(" = [0] <-", " <-")), ["on"], ["by"])


@case("nand for rows and columns", ALONE, "the claim 'less than 9'", SIMULATE)
def grid_of_a_claim(_: Path, __: Patch) -> None:
    compile_grid(parse_ir(NAND), ["a"], ["b"])


@case("dot for rows and columns", ALONE, "the output o that follows from inputs", SIMULATE)
def grid_of_an_output_at_once(_: Path, __: Patch) -> None:
    compile_grid(parse_ir(DOT.replace("output o = %sum", "output o = %total")), ["a"], ["b"])


@case("the inputs of dot", "a, b", "a, b, c", "give an array for each, by its name")
def grid_input_unknown(_: Path, __: Patch) -> None:
    grid(c=3)


AXES = "give an array with these axes last"


@case("the input a of dot", "an array [..., rows or columns, cycles]", "the shape [5]", AXES)
def grid_input_of_few_axes(_: Path, __: Patch) -> None:
    grid(a=np.zeros(5, int))


@case(
    "the input b of dot",
    "an array [..., rows or columns, cycles, 2]",
    "the shape [4, 5, 3]",
    AXES,
)
def grid_input_of_another_shape(_: Path, __: Patch) -> None:
    grid(b=np.zeros((4, 5, 3), int))


@case(
    "the inputs of dot",
    "one number of rows, of columns, of cycles, and one batch",
    "a [3, 6], b [4, 5]",
    "give arrays [..., rows or columns, cycles, ...]",
)
def grid_inputs_of_unlike_cycles(_: Path, __: Patch) -> None:
    grid(a=np.zeros((3, 6), int))


WIDTH = "give integers of that width"


@case("the input a of dot", "integers that fit u4", "int64 from 3 to 16", WIDTH)
def grid_input_too_large(_: Path, __: Patch) -> None:
    grid(a=np.array([[3, 4, 5, 6, 16]]))


@case("the input b of dot", "integers that fit u4[2]", "float64", WIDTH)
def grid_input_of_no_integers(_: Path, __: Patch) -> None:
    grid(b=np.ones((4, 5, 2)))


@case("the threads of dot", "a number from 1", "0", "write for instance threads=*")
def grid_without_threads(_: Path, __: Patch) -> None:
    grid(threads=0)


# Harnesses.

DRIVER = "module driver {\n%o = const[1] : u1\noutput on = %o\noutput off = %o\n}"
CLASH = (
    'module clash {\ninput by : u3\n%b = input["by"] : u3\n%o = bits[0](%b) : u1\noutput on = %o\n}'
)


@case(
    "a harness of counter with driver",
    "ports named as the inputs of counter: on, by",
    "off",
    "rename them",
)
def harness_port_unknown(_: Path, __: Patch) -> None:
    harness(counter(), parse_ir(DRIVER))


@case(
    "port by of counter",
    "u4[2], as it takes",
    "u3, as it is given",
    "convert the value in the module that gives it",
)
def harness_of_two_types(_: Path, __: Patch) -> None:
    harness(counter(), parse_ir(CLASH))
