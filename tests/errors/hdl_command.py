"""Errors of what is made of designs: the command, the stage, waves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.errors.case import case
from zhufeng.base import code_of
from zhufeng.cli.hdl import split_parameter
from zhufeng.hdl import ir
from zhufeng.hdl.designs import load_design
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.waves import waves_of

Patch = pytest.MonkeyPatch
EXAMPLE = "zhufeng.hdl.examples:systolic"
NEEDED = "a module or a function of zhufeng.hdl, or a function that returns one"


@case("a parameter is not usable", "NAME=VALUE", "64", "write for instance n=64")
def parameter_without_a_name(_: Path, __: Patch) -> None:
    split_parameter("64")


@case(
    "math:pi is no hardware",
    NEEDED,
    "a float",
    "decorate it with @module or @function, or name a function that returns such a one",
)
def no_hardware(_: Path, __: Patch) -> None:
    load_design("math:pi", None, {})


@case(
    "made takes no parameters",
    "none: it is a module already",
    "n",
    "leave them out, or name a function that returns the module",
)
def parameters_of_a_module(tmp: Path, _: Patch) -> None:
    code = tmp / "made_already.py"
    code.write_text("from zhufeng.hdl.examples import systolic\nmade = systolic(2)")
    load_design("made", code, {"n": 3})


@case(
    f"{EXAMPLE} does not take these parameters: got an unexpected keyword argument 'm'",
    "n, bits, acc_bits",
    "m=3",
    "give each parameter that has no value of its own, as NAME=VALUE",
)
def parameter_unknown(_: Path, __: Patch) -> None:
    load_design(EXAMPLE, None, {"m": 3})


@case(
    "divided has failed",
    NEEDED,
    "ZeroDivisionError: division by zero",
    "call it by itself in Python, and mend it",
)
def design_that_fails(tmp: Path, _: Patch) -> None:
    (tmp / "failing.py").write_text("def divided(): return 1 / 0")
    load_design("divided", tmp / "failing.py", {})


@case(
    "there is no module broken_around.inside",
    "a design",
    "ZeroDivisionError: division by zero",
    "check the name; a module is looked for where Python looks, PYTHONPATH among it",
)
def package_that_fails(tmp: Path, patch: Patch) -> None:
    (tmp / "broken_around").mkdir()
    (tmp / "broken_around" / "__init__.py").write_text("1 / 0")
    patch.syspath_prepend(tmp)
    code_of("broken_around.inside:x", expected="a design")


@case("the waves of m", "a lane from 0 to 1", "2", "name a lane of the run")
def lane_that_is_not_there(_: Path, __: Patch) -> None:
    module = ir.parse_ir('module m {\n  input x : u1\n  %x = input["x"] : u1\n  output y = %x\n}')
    inputs = {"x": np.zeros((3, 2), int)}
    waves_of(module, inputs, interpret(module, inputs), lane=2)
