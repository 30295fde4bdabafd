"""`zhufeng hdl`, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answer

from zhufeng.base import files_below, read_manifest
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.passes import simplify
from zhufeng.hdl.verilog import to_verilog

Call = Callable[..., Answer]
EXAMPLE = "zhufeng.hdl.examples:systolic"
CODE = """
from zhufeng.hdl import Memory, Signal, State, UInt, function, mem, module

class Store(State):
    cells: Memory = mem(UInt(8), 4, reads=("async",), initial=[1, 2, 3])

@module(Store, at=UInt(2), to=UInt(8))
def store(s, at, to):
    cells, now = s.cells.read(at)
    return Store(cells=cells.write(at, to)), now

@function(x=UInt(4))
def twice(x):
    return x + x

ir_of_store = store.ir

def chosen(name="twice", loud=False):
    assert isinstance(loud, bool)
    return {"twice": twice, "store": store}[name]
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    # A name that Python's own modules have, too.
    path = tmp_path / "queue.py"
    path.write_text(CODE)
    return path


def test_a_design_is_written_with_its_parameters(zhufeng: Call, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "rtl"
    answer = zhufeng("hdl", "verilog", EXAMPLE, "n=3", "acc_bits=20", "-o", out)
    assert answer.code == 0, answer.err
    files = dict(to_verilog(simplify(systolic(3, acc_bits=20).ir)).files)
    assert {name: (out / name).read_text() for name in files} == files
    assert set(files_below(out)) == {*files, "manifest.json"}
    spec = read_manifest(out / "manifest.json").spec
    assert spec.configuration == {"top": "array", "parameters": {"n": 3, "acc_bits": 20}}
    table = [line.split() for line in answer.out.splitlines()]
    lines = {name: str(text.count("\n")) for name, text in files.items()}
    assert ["array", "1", lines["array.sv"], "0", "0"] in table
    assert ["pe", "9", lines["pe.sv"], str(8 + 8 + 20), "0"] in table
    assert ["in", "all", str(sum(map(int, lines.values()))), str(9 * 36), "0"] in table


def test_the_same_again_does_nothing_and_another_is_refused(zhufeng: Call, tmp_path: Path) -> None:
    def call(*more: str) -> Answer:
        return zhufeng("hdl", "verilog", EXAMPLE, "-o", tmp_path / "rtl", "--json", *more)

    assert json.loads(call("n=2").out)["did"] == "made"
    before = {name: (tmp_path / "rtl" / name).stat() for name in files_below(tmp_path / "rtl")}
    assert json.loads(call("n=2").out)["did"] == "nothing"
    after = {name: (tmp_path / "rtl" / name).stat() for name in files_below(tmp_path / "rtl")}
    assert before == after
    answer = call("n=4")
    assert answer.code == 2
    assert "rtl stands already" in answer.err
    assert "input array.sv has other content" in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rtl"], "nothing else is left"


def test_it_is_known_by_what_is_printed(zhufeng: Call, tmp_path: Path, code: Path) -> None:
    def call(name: Any) -> Any:
        return json.loads(zhufeng("hdl", "verilog", name, "-o", tmp_path / "rtl", "--json").out)

    assert call(f"{code}:twice")["did"] == "made"
    assert call(f"{code}:chosen")["did"] == "nothing", "the same by another way"
    code.write_text(CODE.replace("x + x", "x + x + x"))
    assert zhufeng("hdl", "verilog", f"{code}:twice", "-o", tmp_path / "rtl").code == 2


def test_everything_that_is_hardware_may_be_named(
    zhufeng: Call, tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tops = []
    for number, given in enumerate(
        (
            ["queue.py:store"],
            [f"{code}:ir_of_store"],
            ["queue.py:twice"],
            ["queue.py:chosen", "name=store", "loud=true"],
        )
    ):
        answer = zhufeng("hdl", "verilog", *given, "-o", f"rtl{number}", "--json")
        assert answer.code == 0, answer.err
        tops.append(json.loads(answer.out)["top"])
    assert tops == ["store", "store", "twice", "store"]
    told = json.loads(zhufeng("hdl", "verilog", "queue.py:store", "-o", "rtl0", "--json").out)
    (part,) = told["modules"]
    assert (part["register_bits"], part["memory_bits"]) == (0, 32)
    memory = next(name for name in told["files"] if not name.endswith(".sv"))
    text = (tmp_path / "rtl0" / memory).read_text()
    assert [int(word, 16) for word in text.split()] == [1, 2, 3, 0]
    import queue

    assert hasattr(queue, "SimpleQueue"), "Python's own is untouched"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere:x"], "there is no module nowhere"),
        (["counter"], "expected: package.module:name, or file.py:name"),
        (["zhufeng.hdl.examples:nothing"], "cannot be found"),
        (["math:pi"], "math:pi is no hardware"),
        (["BAD:counts"], "a register of UInt(4)"),
        (["BAD:breaks"], "ZeroDivisionError"),
        (["BAD:leaves"], "SystemExit: 7"),
        (["BAD"], "no name behind a colon"),
        (["BAD:number"], "came:     int"),
        ([EXAMPLE, "m=3"], "got an unexpected keyword argument 'm'"),
        ([EXAMPLE, "3"], "write for instance n=64"),
        ([EXAMPLE, "n=0"], "expected"),
    ],
)
def test_what_is_no_design_is_told_in_one_message(
    zhufeng: Call, tmp_path: Path, arguments: list[str], told: str
) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from zhufeng.hdl import UInt, reg\n"
        "def counts():\n    reg(UInt(4), reset=16)\n"
        "def breaks():\n    1 / 0\n"
        "def leaves():\n    raise SystemExit(7)\n"
        "number = 3\n"
    )
    given = [one.replace("BAD", str(bad)) for one in arguments]
    answer = zhufeng("hdl", "verilog", *given, "-o", tmp_path / "rtl")
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "rtl").exists()


def test_a_faulty_line_of_the_users_is_named(zhufeng: Call, tmp_path: Path) -> None:
    code = tmp_path / "faulty.py"
    code.write_text(
        "from zhufeng.hdl import UInt, function\n\n"
        "@function(x=UInt(4))\ndef f(x):\n    return x if x else x\n"
    )
    answer = zhufeng("hdl", "verilog", f"{code}:f", "-o", tmp_path / "rtl")
    assert answer.code == 2
    assert f"{code}:5" in answer.err


@pytest.mark.parametrize("arguments", [["hdl", "--help"], ["hdl", "verilog", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from zhufeng.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        "assert not {'numpy', 'zhufeng.hdl', 'zhufeng.route'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
