"""What docs/hdl-simulation.md shows: typed strictly, run, and its commands after it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.hdl.tutorials import blocks, problems
from zhufeng.cli import main
from zhufeng.hdl.oracle import has_verilator

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hdl-simulation.md").read_text()


def program() -> str:
    return "\n".join(blocks("hdl-simulation.md"))


def test_it_is_typed_strictly_and_ignores_nothing(tmp_path: Path) -> None:
    assert not problems("hdl-simulation.md", tmp_path)


def test_its_commands_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the folder that its programs have written; a build of Verilator's at no level."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zhufeng.hdl.simulation._verilator._OPTIMISED", ("-O0",))
    (tmp_path / "program.py").write_text(program())
    subprocess.run([sys.executable, "program.py"], check=True)
    commands = re.findall(r"^    \$ zhufeng (.*)$", TEXT, re.MULTILINE)
    assert len(commands) > 4
    for command in commands:
        if "verilator" not in command or has_verilator():
            assert main(shlex.split(command)) == 0, command
            said = capsys.readouterr().out
            assert ("Verilator gives the same" in said) == ("--against" in command)
    with np.load(tmp_path / "out.npz") as out, np.load(tmp_path / "given.npz") as given:
        # Counted by hand: the ones so far, of a counter that the first cycle resets.
        ones = np.cumsum(given["en"].astype(int) * given["rst_n"], 0)
        assert np.array_equal(out["n"][1:], ones[:-1] & 255)
    assert "n [7:0]" in (tmp_path / "wave.vcd").read_text()
