"""Errors of verification: regressions, coverage, failures in files, tests as coroutines."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.cli.hdl_verify import verify
from zhufeng.hdl import ir
from zhufeng.hdl.verify import Coverage, Dut, Knob, Replay, coroutine_test, merge, regress

Patch = pytest.MonkeyPatch
MODULE = ir.parse_ir(
    "module m {\n"
    "  input x : u1\n  input up_valid : u1\n  input n : u4\n"
    '  %x = input["x"] : u1\n  %up_valid = input["up_valid"] : u1\n  %n = input["n"] : u4\n'
    "  output y = %x\n  output up_ready = %x\n  output z = %n\n}"
)
PORTS = "there are x, up_valid, n, and y, up_ready, z"


@case(
    "the streams of m",
    f"an input of one bit for each valid, and an output of its type as ready; {PORTS}",
    "up_valid: z",
    "write valid: ready, such as up_valid: up_ready",
)
def stream_with_a_wide_ready(_: Path, __: Patch) -> None:
    regress(MODULE, streams={"up_valid": "z"})


@case(
    "a knob of q",
    "an input: x, up_valid, n",
    "q",
    "name an input of the stimulus, or one of the design that it leaves",
)
def knob_of_nothing(_: Path, __: Patch) -> None:
    regress(MODULE, knobs={"q": Knob(hold=0.5)})


@case(
    "the knob of n",
    "ones (of one bit), hold and corners from 0 to 1; values that are u4",
    "Knob(ones=None, hold=None, corners=None, values=(16,))",
    "change it, or leave it out",
)
def knob_out_of_range(_: Path, __: Patch) -> None:
    regress(MODULE, knobs={"n": Knob(values=(16,))})


@case(
    "the reset n",
    "an input of one bit, and 0 or 1 as what resets",
    "u4, 1",
    "name another input, or leave it out",
)
def wide_reset(_: Path, __: Patch) -> None:
    regress(MODULE, resets={"n": 1})


@case(
    "the size of a regression",
    "a lane or more, a cycle of reset or more, and more cycles than that",
    "0 lanes, 2 cycles of reset, 1000 cycles",
    "write lanes=64, cycles=1000, reset_cycles=2",
)
def no_lanes(_: Path, __: Patch) -> None:
    regress(MODULE, lanes=0)


@case("the seeds of a regression", "one or more", "0", "write seeds=8, or --seeds 8")
def no_seeds(_: Path, __: Patch) -> None:
    regress(MODULE, seeds=0)


@case("coverage to merge", "one or more", "none", "name the files")
def nothing_to_merge(_: Path, __: Patch) -> None:
    merge([])


@case(
    "coverage to merge",
    "that of one design, of one set of cover points and registers: a",
    "b, with others",
    "merge what comes from the same design, unchanged and watched alike",
)
def coverage_of_two_designs(_: Path, __: Patch) -> None:
    merge([Coverage(design=name, points=(), toggles=()) for name in "ab"])


AGAIN = "name a failure.npz from the folder of a regression"
FILE = "a file of a failure that zhufeng hdl verify has written"


@case("TMP/no.npz", FILE, "No such file or directory", AGAIN)
def failure_that_is_not_there(tmp: Path, _: Patch) -> None:
    Replay.read(tmp / "no.npz")


@case("TMP/text.npz", FILE, "something else", AGAIN)
def failure_that_is_none(tmp: Path, _: Patch) -> None:
    (tmp / "text.npz").write_text("cycle 5")
    Replay.read(tmp / "text.npz")


@case(
    "the value of y of m",
    "a cycle that has settled",
    "none yet",
    "await dut.settled, or dut.clock, before anything is read",
)
def value_before_the_first_cycle(_: Path, __: Patch) -> None:
    @coroutine_test(MODULE)
    async def early(dut: Dut) -> None:
        assert dut.y.value

    early()


@case(
    "input x of m",
    "inputs that are set before the cycle settles",
    "one that is set after await dut.settled",
    "await dut.clock first",
)
def input_after_the_cycle_has_settled(_: Path, __: Patch) -> None:
    @coroutine_test(MODULE)
    async def late(dut: Dut) -> None:
        await dut.settled
        dut.x.value = 1

    late()


class Elsewhere:
    """Something of another loop."""

    def __await__(self) -> Generator[str]:
        yield "elsewhere"


@case(
    "what a coroutine awaits",
    "dut.clock, dut.clock.cycles(n), dut.settled, or what start_soon gave",
    "'elsewhere'",
    "await nothing of asyncio: the simulation is its own loop",
)
def awaiting_something_else(_: Path, __: Patch) -> None:
    @coroutine_test(MODULE)
    async def lost(_: Dut) -> None:
        await Elsewhere()

    lost()


@case(
    "a.py:f with b.v",
    "package.module:name, file.py:name, or Verilog files",
    "both",
    "name Verilog files alone with --top, or a design of Python without",
)
def python_and_verilog(_: Path, __: Patch) -> None:
    verify("a.py:f", "b.v")


@case("the design in a.v", "the module to verify", "no --top", "name it: --top MODULE")
def verilog_without_a_top(_: Path, __: Patch) -> None:
    verify("a.v")


@case(
    "a knob is not usable",
    "PORT.ones=P, PORT.hold=P or PORT.corners=P with P from 0 to 1",
    "push.ones=2",
    "write for instance push.ones=0.9",
)
def knob_of_more_than_all(_: Path, __: Patch) -> None:
    verify("zhufeng.hdl.examples:systolic", knob=("push.ones=2",))


@case(
    "a reset is not usable",
    "NAME=1, or NAME=0 where 0 resets",
    "rst_n",
    "write for instance rst_n=0",
)
def reset_without_its_bit(_: Path, __: Patch) -> None:
    verify("zhufeng.hdl.examples:systolic", reset=("rst_n",))


@case(
    "a stream is not usable",
    "VALID=READY, two ports",
    "tx_valid",
    "write for instance in_valid=in_ready",
)
def stream_without_its_ready(_: Path, __: Patch) -> None:
    verify("zhufeng.hdl.examples:systolic", stream=("tx_valid",))
