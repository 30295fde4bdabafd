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
    "float",
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


@case(
    "d.py names nothing in a module",
    "a design",
    "no name behind a colon",
    "write the module or the file, a colon, and the name: file.py:name",
)
def file_without_a_name(_: Path, __: Patch) -> None:
    code_of("d.py", expected="a design")


@case(
    "TMP/typo.py:2: the code of f fails when it is imported",
    "code that Python can import",
    "SyntaxError: invalid syntax (typo.py, line 2)",
    "run the file by itself in Python, and mend it",
)
def code_that_is_no_python(tmp: Path, _: Patch) -> None:
    (tmp / "typo.py").write_text("x = 3\ndef f(:\n")
    load_design("f", tmp / "typo.py", {})


@case(
    "TMP/needy.py:2: the code of f fails when it is imported",
    "code that Python can import",
    "ModuleNotFoundError: No module named 'nowhere_at_all'",
    "install what it imports",
)
def code_that_imports_what_is_not_there(tmp: Path, _: Patch) -> None:
    (tmp / "needy.py").write_text("import json\nimport nowhere_at_all\nf = 3\n")
    load_design("f", tmp / "needy.py", {})


@case(
    "TMP/leaving.py:2: the code of f fails when it is imported",
    "code that Python can import",
    "SystemExit: 7",
    "run the file by itself in Python, and mend it",
)
def code_that_exits(tmp: Path, _: Patch) -> None:
    (tmp / "leaving.py").write_text("import sys\nsys.exit(7)\n")
    load_design("f", tmp / "leaving.py", {})


@case(
    "leaves has failed",
    NEEDED,
    "SystemExit: 7",
    "call it by itself in Python, and mend it",
)
def design_that_exits(tmp: Path, _: Patch) -> None:
    (tmp / "exits.py").write_text("import sys\ndef leaves(): sys.exit(7)")
    load_design("leaves", tmp / "exits.py", {})


def load_by_hand(tmp: Path, made: str) -> None:
    code = tmp / "by_hand.py"
    code.write_text(
        "from zhufeng.hdl import ir\n"
        "BIT = ir.Form(1, False)\n"
        "def turned(value): return ir.Let('not', BIT, (value,), (), 'by_hand.py:9')\n"
        f"made = {made}\n"
    )
    load_design("made", code, {})


SOUND = "what zhufeng.hdl.ir.check lets pass, and no value that follows from itself"
BY_HAND = "mend what makes it; @module and @function make none that is not"


@case("made is no module that could be hardware", SOUND, "m: no value nowhere", BY_HAND)
def module_by_hand_that_breaks_a_rule(tmp: Path, _: Patch) -> None:
    load_by_hand(tmp, "ir.Module('m', {}, {'o': 'nowhere'}, {})")


@case(
    "made is no module that could be hardware",
    SOUND,
    "a combinational cycle in m: a (by_hand.py:9) <- b (by_hand.py:9) <- a (by_hand.py:9)",
    BY_HAND,
)
def module_by_hand_with_a_cycle(tmp: Path, _: Patch) -> None:
    load_by_hand(tmp, "ir.Module('m', {}, {'o': 'a'}, {'a': turned('b'), 'b': turned('a')})")


@case(
    "made does nothing",
    "an output or a claim",
    "none",
    "return a signal, or a Struct with a field for each output",
)
def design_without_outputs(tmp: Path, _: Patch) -> None:
    load_by_hand(tmp, "ir.Module('m', {}, {}, {})")


@case("the waves of m", "a lane from 0 to 1", "2", "name a lane of the run")
def lane_that_is_not_there(_: Path, __: Patch) -> None:
    module = ir.parse_ir('module m {\n  input x : u1\n  %x = input["x"] : u1\n  output y = %x\n}')
    inputs = {"x": np.zeros((3, 2), int)}
    waves_of(module, inputs, interpret(module, inputs), lane=2)
