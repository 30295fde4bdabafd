"""A design between a stimulus and a monitor: against NumPy and the parts run one after another."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tests.hdl.sim_designs import bank, counter
from zhufeng.hdl import (
    Bits,
    Bool,
    Signal,
    State,
    Struct,
    UInt,
    as_bits,
    as_uint,
    assert_,
    fold,
    function,
    module,
    mux,
    of,
    reg,
    unpack,
    wrap,
)
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.compile import harness
from zhufeng.hdl.interpret import Values, interpret

CYCLES, LANES = 50, 5


class Drawn(Struct):
    """What a generator drives."""

    on: Signal = of(Bool)
    at: Signal = of(UInt(4))


class Shift(State):
    """A generator of Galois: x^16 + x^14 + x^13 + x^11 + 1."""

    x: Signal = reg(Bits(16), reset=1)


@module(Shift, seed=Bits(16))
def generator(s: Shift, seed: Signal) -> tuple[Shift, Drawn]:
    """Ones and addresses from a shift register that `seed` stirs."""
    shifted = mux(s.x[0], (s.x >> 1) ^ 0xB400, s.x >> 1)
    return Shift(x=shifted ^ seed), Drawn(on=s.x[3], at=as_uint(s.x[4:8]))


def drawn(seed: Values) -> dict[str, Values]:
    """The same in NumPy, [cycles, lanes]."""
    x, on, at = np.ones(seed.shape[1], np.int64), [], []
    for row in seed:
        on.append(x >> 3 & 1)
        at.append(x >> 4 & 15)
        x = np.where(x & 1, (x >> 1) ^ 0xB400, x >> 1) ^ row
    return {"on": np.stack(on), "at": np.stack(at)}


class Crc(State):
    """The checksum of zlib."""

    left: Signal = reg(Bits(32), reset=0xFFFF_FFFF)


@module(Crc, read=UInt(8), on=Bool)
def checksum(s: Crc, read: Signal, on: Signal) -> tuple[Crc, Signal]:
    """Of what is read while the design is on: an output and an input of it."""

    def step(left: Signal, bit: Signal) -> tuple[Signal, None]:
        shifted = left >> 1
        return mux(left[0] ^ bit, shifted ^ 0xEDB8_8320, shifted), None

    left, _ = fold(step, s.left, unpack(Bool.array(8), as_bits(read)))
    return Crc(left=mux(on, left, s.left)), ~s.left


def seeds() -> Values:
    return np.random.default_rng(1).integers(0, 1 << 16, (CYCLES, LANES))


def xs() -> Values:
    return np.random.default_rng(2).integers(0, 256, (CYCLES, LANES, 3))


@pytest.mark.parametrize("width", [1, 8])
def test_the_whole_is_its_parts_one_after_another(width: int) -> None:
    """The generator in NumPy, the design in the interpreter, the checksum in zlib."""
    whole = harness(bank.ir, generator.ir, checksum.ir)
    assert list(whole.inputs) == ["seed", "x"]
    names = ["stimulus.x", "design.on", "design.at", "design.sums", "design.read"]
    run = compiled(whole, width, record=names).run({"seed": seeds(), "x": xs()}, seed=7)
    given = drawn(seeds())
    alone = interpret(bank.ir, {"x": xs(), **given}, seed=7)
    assert np.array_equal(run.recorded["stimulus.x"] >> 4 & 15, given["at"])
    assert np.array_equal(run.recorded["design.on"], given["on"])
    assert np.array_equal(run.recorded["design.sums"], alone.outputs["sums"])
    reads = run.recorded["design.read"].astype(np.uint8)
    for lane in range(LANES):
        read = reads[:-1, lane][given["on"][:-1, lane] == 1]
        assert run.outputs["out"][-1, lane] == zlib.crc32(read.tobytes())
    known = {(one.cycle, one.lane) for one in alone.failures}
    assert {(one.cycle, one.lane) for one in run.failures} <= known
    assert {one.path for one in run.failures} == {"bank_harness.design.cells"}


def test_only_the_last_cycle_of_a_checksum_is_kept() -> None:
    whole = harness(bank.ir, generator.ir, checksum.ir)
    inputs = {"seed": seeds(), "x": xs()}
    every = interpret(whole, inputs, seed=7)
    run = compiled(whole, 8).run(inputs, seed=7, outputs=["out"], last=True)
    assert np.array_equal(run.outputs["out"], every.outputs["out"][-1:])
    # The stimulus alone may go on for longer than what it is given.
    long = {port: np.concatenate([one] * 4) for port, one in inputs.items()}
    ring = compiled(whole, 8).run(inputs, 4 * CYCLES, seed=7, last=True)
    assert np.array_equal(ring.outputs["out"], interpret(whole, long, seed=7).outputs["out"][-1:])


class Expecting(State):
    """What a counter should have."""

    n: Signal = reg(UInt(8), reset=0)


@module(Expecting, on=Bool, extra=UInt(8), out=UInt(8))
def model(s: Expecting, on: Signal, extra: Signal, out: Signal) -> tuple[Expecting, Signal]:
    """Claims that the output is the number of ones so far, and something that nobody drives."""
    assert_(out == wrap(s.n + extra, 8), "as many as there were")
    return Expecting(n=wrap(s.n + as_uint(on), 8)), s.n


class Both(Struct):
    """What a stimulus drives, and what it knows beside."""

    on: Signal = of(Bool)
    extra: Signal = of(UInt(8))


@function(on=Bool)
def knowing(on: Signal) -> Both:
    """Passes on what it is given, and 0 to the monitor."""
    return Both(on=on, extra=wrap(as_uint(on) * 0, 8))


def test_a_model_with_assertions_judges_the_design() -> None:
    """A counter that counts right and one that counts double, told by a stimulus what to expect."""
    on = np.random.default_rng(4).integers(0, 2, (40, 6))
    for step in (1, 2):
        run = compiled(harness(counter(step).ir, knowing.ir, model.ir), 8).run({"on": on})
        seen = {one.lane: one.cycle for one in run.failures}
        first = {lane: int(on[:, lane].argmax()) + 1 for lane in range(6)} if step == 2 else {}
        assert seen == first


def test_without_a_stimulus_or_a_monitor() -> None:
    on = np.ones((9, 1), int)
    run = compiled(harness(counter(1).ir), 1).run({"on": on})
    assert run.outputs["out"][:, 0].tolist() == list(range(9))
    watched = harness(bank.ir, monitor=checksum.ir)
    assert list(watched.inputs) == ["x", "on", "at"]
    assert list(watched.outputs) == ["out"]
