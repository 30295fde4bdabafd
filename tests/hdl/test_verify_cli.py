"""`zhufeng hdl verify`, as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer
from tests.hdl.test_verify import SV
from tests.hdl.test_waves import PERIOD, Dump
from zhufeng.base import files_below

Call = Callable[..., Answer]
DESIGNS = str(Path(__file__).with_name("verify_designs.py"))
QUEUE = f"{DESIGNS}:fifo"
SMALL = ("--seeds", "2", "--lanes", "16", "--cycles", "80")


def test_a_design_that_holds_what_it_claims(zhufeng: Call) -> None:
    answer = zhufeng("hdl", "verify", QUEUE, "depth=3", *SMALL)
    assert answer.code == 0, answer.err
    assert "fifo: 32 runs of 80 cycles; 1 of 1 assertions held; 2 of 2 cover points" in answer.out
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["head", "register"] in [line[:2] for line in lines]


def test_one_that_does_not_is_a_finding_with_its_least_sequence(
    zhufeng: Call, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    answer = zhufeng("hdl", "verify", QUEUE, "depth=3", "late=1", *SMALL, "-o", out)
    assert answer.code == 1
    assert "the least sequence has 7 cycles" in answer.out
    assert "0 of 1 assertions held" in answer.out
    table = (out / "failure-1.txt").read_text()
    assert table in answer.out
    dump = Dump(out / "failure-1.vcd")
    pushes = [dump.at("fifo.push", cycle * PERIOD + 1) for cycle in range(7)]
    row = next(line.split() for line in table.splitlines() if line.startswith("push "))
    assert pushes == list(map(int, row[1:]))
    assert sum(pushes) == 4, "one more than it has cells for"
    before = {name: (out / name).read_bytes() for name in files_below(out)}
    again = zhufeng("hdl", "verify", QUEUE, "depth=3", "late=1", *SMALL, "-o", out)
    assert (again.code, again.out) == (1, answer.out), "read, not run"
    assert before == {name: (out / name).read_bytes() for name in files_below(out)}
    other = zhufeng("hdl", "verify", QUEUE, "depth=4", "late=1", *SMALL, "-o", out)
    assert other.code == 2
    assert "stands already" in other.err


def test_a_failure_runs_again_from_its_file(zhufeng: Call, tmp_path: Path) -> None:
    given = ("hdl", "verify", QUEUE, "depth=3")
    zhufeng(*given, "late=1", *SMALL, "-o", tmp_path / "out")
    path = tmp_path / "out" / "failure-1.npz"
    answer = zhufeng(*given, "late=1", "--replay", path)
    assert answer.code == 1
    assert "fails in cycle 6" in answer.out
    mended = zhufeng(*given, "--replay", path, "--json")
    assert mended.code == 0
    told = json.loads(mended.out)
    assert (told["fails_in_cycle"], told["design_unchanged"]) == (None, False)


def test_json_tells_all(zhufeng: Call) -> None:
    answer = zhufeng("hdl", "verify", QUEUE, "late=1", *SMALL, "--json")
    assert answer.code == 1
    told: dict[str, Any] = json.loads(answer.out)
    assert (told["passed"], told["lanes"], told["seeds"]) == (False, 16, [0, 1])
    assert told["failures"][0]["cycles"] == 8
    assert {one["name"] for one in told["coverage"]["toggles"]} >= {"head", "tail", "level"}


def test_a_monitor_knobs_and_no_toggles(zhufeng: Call) -> None:
    given = ("hdl", "verify", QUEUE, "depth=4", *SMALL, "--no-toggles", "--json")
    told = json.loads(zhufeng(*given, "--monitor", f"{DESIGNS}:model").out)
    assert {one["path"] for one in told["claims"]} == {"fifo", "model"}
    assert not told["coverage"]["toggles"]
    still = json.loads(zhufeng(*given, "--knob", "push.ones=0").out)
    assert [one["hits"] for one in still["coverage"]["points"]] == [0, 0]
    assert "never true" in still["warnings"][0]


def test_verilog_with_assertions(zhufeng: Call, tmp_path: Path) -> None:
    path = tmp_path / "counter.sv"
    path.write_text(SV)
    answer = zhufeng("hdl", "verify", path, "--top", "counter", *SMALL)
    assert answer.code == 1, answer.err
    assert "the least sequence has 9 cycles" in answer.out
    path.write_text(SV.replace("n < 6", "n <= 15"))
    assert zhufeng("hdl", "verify", path, "--top", "counter", *SMALL).code == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nothing.v", "--top", "t"], "no file of that name"),
        (["nothing.v"], "--top MODULE"),
        ([QUEUE, "more.sv"], "name Verilog files alone"),
        ([QUEUE, "--knob", "push=1"], "PORT.ones=P"),
        ([QUEUE, "--knob", "nowhere.ones=1"], "an input: push, data, pop"),
        ([QUEUE, "--reset", "push"], "NAME=1"),
        ([QUEUE, "--stream", "push=nothing"], "write valid: ready"),
        ([QUEUE, "--cycles", "2"], "more cycles than that"),
        ([QUEUE, "--seeds", "0"], "one or more"),
        ([QUEUE, "--replay", DESIGNS], "something else"),
        ([QUEUE, "--monitor", f"{DESIGNS}:assuming"], "ports named as"),
    ],
)
def test_bad_input_is_refused_in_one_message(zhufeng: Call, given: list[str], told: str) -> None:
    answer = zhufeng("hdl", "verify", *given)
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        given = ["hdl", "verify", QUEUE, "late=1", "--seeds", "4", "--lanes", "64", "--cycles"]
        return [sys.executable, "-m", "zhufeng", *given, "800", "-o", str(out)]

    whole, killed = tmp_path / "whole", tmp_path / "a" / "killed"
    assert subprocess.run(command(whole), capture_output=True, check=False).returncode == 1
    with subprocess.Popen(
        command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 60
        while not list(killed.parent.glob(".*/seeds/seed-1.json")):
            assert time.monotonic() < until
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert not killed.exists()
    assert subprocess.run(command(killed), capture_output=True, check=False).returncode == 1
    first, again = (
        {name: (one / name).read_bytes() for name in files_below(one)} for one in (whole, killed)
    )
    assert first == again
