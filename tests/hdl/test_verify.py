"""Regressions against what is known otherwise: the interpreter, exhaustive search, arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hdl.programs import program
from tests.hdl.verify_designs import Count, assuming, fifo, model, ring
from zhufeng.base import generator
from zhufeng.hdl import (
    Bits,
    Bool,
    Memory,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    as_uint,
    assert_,
    assume,
    cat,
    const,
    instance,
    ir,
    mem,
    module,
    mux,
    of,
    reg,
    streams,
    wrap,
)
from zhufeng.hdl.compile import harness
from zhufeng.hdl.interpret import anything, interpret
from zhufeng.hdl.reader import from_verilog
from zhufeng.hdl.verify import Bench, Coverage, Failure, Knob, Replay, Report, merge, regress
from zhufeng.hdl.verify._assumptions import with_stop
from zhufeng.hdl.verify._draw import Drawing
from zhufeng.hdl.verify._shrink import Shrinker
from zhufeng.hdl.verify._toggles import Watch, with_toggles
from zhufeng.hdl.verify._trials import Stimulus, Trials
from zhufeng.hdl.waves import signals

OVERFLOW = "it holds no more than it has cells"
ORDER = "items leave in the order in which they came"


def fails_in(whole: ir.Module, columns: dict[str, np.ndarray[Any, Any]], text: str) -> bool:
    """Whether any of some sequences, each after a cycle of reset, makes a claim fail."""
    inputs = {port: np.concatenate([one[:1] * 0, one]) for port, one in columns.items()}
    cycles = len(next(iter(inputs.values())))
    run = interpret(whole, inputs, reset=[1] + [0] * (cycles - 1))
    return any(one.text == text for one in run.failures)


def every(cycles: int, choices: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray[Any, Any]]:
    """Each input, [cycles, lanes]: a lane for every sequence there is."""
    rows = list(product(product(*choices.values()), repeat=cycles))
    table = np.array(rows).reshape(len(rows), cycles, len(choices))
    return {port: table[:, :, n].T for n, port in enumerate(choices)}


def only(report: Report, text: str) -> Failure:
    (found,) = [one for one in report.failures if one.claim.text == text]
    return found


@pytest.mark.parametrize("depth", [2, 4])
def test_a_queue_that_is_full_too_late_overflows_in_the_fewest_cycles(depth: int) -> None:
    broken = fifo(depth, late=1).ir
    report = regress(broken, seeds=1, lanes=32, cycles=200)
    assert not report.passed
    found = only(report, OVERFLOW)
    given = len(found) - 2  # without the reset
    choices = {"push": (0, 1), "pop": (0, 1), "data": (0,)}
    assert not fails_in(broken, every(given - 1, choices), OVERFLOW), "a shorter one would do"
    assert fails_in(broken, every(given, choices), OVERFLOW)
    # Of one cycle less than it takes there is none with fewer pushes, either: each is needed.
    assert found.inputs["push"].sum() == depth + 1 == given - 1
    assert not found.inputs["pop"].any()
    assert not found.inputs["data"].any()
    assert regress(fifo(depth).ir, seeds=1, lanes=32, cycles=200).passed


def test_a_lost_wrap_is_found_by_a_model_in_the_fewest_cycles() -> None:
    broken, right = fifo(3, wraps=False).ir, model(3).ir
    found = only(regress(broken, monitor=right, seeds=1, cycles=300), ORDER)
    given, whole = len(found) - 2, harness(broken, None, right)
    choices = {"push": (0, 1), "pop": (0, 1), "data": (0, 1)}
    assert not fails_in(whole, every(given - 1, choices), ORDER)
    # One item that is not 0 is lost, or one more that is comes twice.
    assert np.count_nonzero(found.inputs["data"]) == 1
    assert found.inputs["data"].max() == 1
    assert regress(fifo(3).ir, monitor=right, seeds=1, cycles=300).passed


@pytest.mark.parametrize(("late", "wraps"), [(1, True), (0, False)])
def test_nothing_can_be_left_out_of_a_failure_and_it_runs_again(
    late: int, wraps: bool, tmp_path: Path
) -> None:
    broken, right = fifo(3, late=late, wraps=wraps).ir, model(3).ir
    whole = harness(broken, None, right)
    report = regress(broken, monitor=right, seeds=2, cycles=150)
    assert report.failures
    for found in report.failures:
        columns = {port: values[2:, None] for port, values in found.inputs.items()}
        text = found.claim.text
        assert fails_in(whole, columns, text)
        for cycle in range(len(found) - 2):
            shorter = {port: np.delete(values, cycle, 0) for port, values in columns.items()}
            assert not fails_in(whole, shorter, text)
        for port, values in columns.items():
            for cycle in np.flatnonzero(values[:, 0]).tolist():
                changed = values.copy()
                changed[cycle] = 0
                assert not fails_in(whole, {**columns, port: changed}, text)
        path = tmp_path / "failure.npz"
        found.write(path)
        bench = Bench(broken, None, right, streams=None, toggles=False)
        again = Replay.read(path)
        assert again.run(bench).cycle(bench, again.claim) == len(found) - 1
        repaired = Bench(fifo(3).ir, None, right, streams=None, toggles=False)
        assert again.run(repaired).cycle(repaired, again.claim) is None
        found.write_vcd(tmp_path / "wave.vcd")
        head, *rows = found.table().splitlines()
        assert head.split() == ["cycle", *map(str, range(len(found)))]
        pushes = next(row.split()[1:] for row in rows if row.split()[0] == "push")
        assert list(map(int, pushes)) == found.inputs["push"].tolist()


# Assumptions.


def test_nothing_counts_from_the_cycle_of_a_broken_assumption_on() -> None:
    report = regress(assuming.ir, seeds=1, lanes=40, cycles=60, reset_again=False)
    assert report.passed
    points = {one.text: one.hits for one in report.coverage.points}
    assert points["a step that is assumed away"] == 0
    assert report.lost_lanes > 20
    assert "small steps" in "".join(report.warnings())
    # Without the assumptions it fails, and is covered.
    lets = assuming.ir
    bare = ir.Module(
        "bare",
        lets.inputs,
        lets.outputs,
        lets.lets,
        lets.registers,
        claims=tuple(one for one in lets.claims if one.kind != "assume"),
    )
    free = regress(bare, seeds=1, lanes=40, cycles=60)
    assert not free.passed
    assert {one.text: one.hits for one in free.coverage.points}["a step that is assumed away"]


def test_lanes_end_where_the_interpreter_sees_the_first_broken_assumption() -> None:
    draw = np.random.default_rng(1)
    steps = draw.choice([0, 1, 1, 2, 4], (40, 64), p=[0.2, 0.3, 0.3, 0.19, 0.01])
    inputs = {"on": draw.integers(0, 2, (40, 64)), "step": steps}
    whole, assumptions = with_stop(harness(assuming.ir))
    assert [one.text for one in assumptions] == ["small steps", "nothing beyond 12"]
    stopped, plain = interpret(whole, inputs), interpret(assuming.ir, inputs)
    first: dict[int, int] = {}
    for one in plain.failures:
        if one.kind == "assume":
            first.setdefault(one.lane, one.cycle)
    assert len(first) > 30
    found: dict[int, int] = {}
    for one in stopped.failures:
        assert one.kind == "assume"
        found.setdefault(one.lane, one.cycle)
    assert found == first
    n = plain.outputs["out"]
    hits = sum(int((n[: first.get(lane, 40), lane] == 12).sum()) for lane in range(64))
    assert sum(stopped.covered.values()) == hits > 0


class Pair(State):
    """Two counters, one of which stands still at times."""

    left: Count = instance(assuming)
    right: Count = instance(assuming)


@module(Pair, on=Bool, step=UInt(4))
def pair(s: Pair, on: Signal, step: Signal) -> tuple[Pair, Signal]:
    left, n = assuming(s.left, on, step)
    right, m = assuming.when(on)(s.right, on, wrap(step + 1, 4))
    return Pair(left=left, right=right), n == m


def test_assumptions_of_instances_hold_where_these_are_enabled() -> None:
    draw = np.random.default_rng(2)
    inputs = {"on": draw.integers(0, 2, (30, 64)), "step": draw.integers(0, 4, (30, 64))}
    whole, assumptions = with_stop(pair.ir)
    assert sorted(one.path for one in assumptions) == [".left", ".left", ".right", ".right"]
    first: dict[int, int] = {}
    for one in interpret(pair.ir, inputs).failures:
        first.setdefault(one.lane, one.cycle)
    found: dict[int, int] = {}
    for one in interpret(whole, inputs).failures:
        found.setdefault(one.lane, one.cycle)
    assert found == first
    report = regress(pair.ir, seeds=1, lanes=16, cycles=40)
    known = {(one.path, one.text) for one in report.claims if one.lanes}
    assert ("pair.right", "small steps") in known


# Coverage.


def held(module: ir.Module, path: str = "") -> dict[str, str]:
    """Every register, and the value that stands for it."""
    found = {}
    for name in module.registers:
        for value, let in module.lets.items():
            if (let.op, let.data) == ("register", (name,)):
                found[f"{path}{name}"] = f"{path}{value}"
    for part, one in module.instances.items():
        found |= held(one.module, f"{path}{part}.")
    return found


def seen(values: Any, form: ir.Form, first: int) -> tuple[Any, Any]:
    """The bits that rose, and those that fell, of [cycles, lanes, ...] from a cycle on."""
    bits = np.asarray(values[first:]).astype(object) & ((1 << form.width) - 1)
    before, after = bits[:-1], bits[1:]
    mask = (1 << form.width) - 1
    rose = np.bitwise_or.reduce(~before & after & mask, 0)
    return rose, np.bitwise_or.reduce(before & ~after & mask, 0)


@pytest.mark.parametrize("seed", range(6))
def test_toggles_are_those_of_the_registers_as_recorded(seed: int) -> None:
    case = program(seed).module
    reset, cycles, lanes = [0] * 20, 20, 5
    reset[7] = reset[0] = 1
    inputs = {
        port: anything(form, (cycles, lanes, *form.shape), generator(seed, port))
        for port, form in case.inputs.items()
    }
    values = held(case)
    watched, watches = with_toggles(case)
    plain = interpret(case, inputs, reset=reset, cycles=cycles, record=[*values.values()])
    names = [name for one in watches for name in (one.rose, one.fell)]
    run = interpret(watched, inputs, reset=reset, cycles=cycles, record=names)
    first = 8
    checked = 0
    for one in watches:
        if one.kind == "register" and one.name in values:
            rose, fell = seen(plain.recorded[values[one.name]], one.form, first)
            assert np.array_equal(run.recorded[one.rose][-1].astype(object), rose), one
            assert np.array_equal(run.recorded[one.fell][-1].astype(object), fell), one
            checked += 1
    assert checked >= len(values) > 0 or not values


def watch(watches: tuple[Watch, ...], name: str) -> Watch:
    return next(one for one in watches if one.name == name)


def test_ports_toggle_as_they_are_given() -> None:
    watched, watches = with_toggles(fifo(3).ir)
    draw = np.random.default_rng(3)
    inputs = {p: draw.integers(0, f.high + 1, (50, 4)) for p, f in watched.inputs.items()}
    names = [name for one in watches for name in (one.rose, one.fell)]
    run = interpret(watched, inputs, reset=[1] * 3 + [0] * 47, record=names)
    for port, values in {**inputs, **run.outputs}.items():
        one = watch(watches, port)
        # The last cycle of the reset is seen by it, the last one of all is not any more.
        rose, fell = seen(values[:-1], one.form, 2)
        assert np.array_equal(run.recorded[one.rose][-1].astype(object), rose), port
        assert np.array_equal(run.recorded[one.fell][-1].astype(object), fell), port


def test_bits_that_a_counter_never_reaches_are_named() -> None:
    report = regress(ring(5).ir, seeds=2, lanes=4, cycles=100)
    (n,) = [one for one in report.coverage.toggles if one.name == "n"]
    assert (n.covered, n.bits, list(n.missing())) == (3, 4, ["n[3] never moved"])
    assert n.where.startswith("verify_designs.py:")
    full = regress(ring(15).ir, seeds=1, lanes=4, cycles=100, reset_again=False)
    assert full.coverage.bits_covered == full.coverage.bits
    assert not regress(ring(5).ir, seeds=1, lanes=4, cycles=50, toggles=False).coverage.toggles


def test_coverage_of_several_runs_is_that_of_all_of_them(tmp_path: Path) -> None:
    def run(seeds: list[int]) -> Report:
        return regress(fifo(4).ir, seeds=seeds, lanes=2, cycles=12)

    whole = run([0, 1, 2]).coverage
    for number in range(3):
        run([number]).coverage.write(tmp_path / f"{number}.json")
    parts = [Coverage.read(tmp_path / f"{number}.json") for number in (2, 0, 1)]
    assert merge(parts) == whole
    assert merge(parts[:1]).bits_covered < whole.bits_covered
    hits = [one.points[0].hits + one.points[1].hits for one in parts]
    assert sum(hits) == sum(one.hits for one in whole.points)


# Stimulus.


class Up(Struct):
    up_ready: Signal = of(Bool)
    down: streams.Stream[Signal] = of(streams.stream(Bits(8)))


def test_streams_keep_their_rule_without_being_told() -> None:
    byte = streams.stream(Bits(8))
    items, watching = streams.fifo(byte, 3), streams.monitor(byte, assume)

    class Top(State):
        queue: State = instance(items)
        watch: State = instance(watching)

    @module(Top, up=byte, down_ready=Bool)
    def top(s: Top, up: streams.Stream[Signal], down_ready: Signal) -> tuple[Top, Up]:
        held, out = items(s.queue, up, down_ready)
        watch, _ = watching(s.watch, up, out.up_ready)
        return Top(queue=held, watch=watch), Up(out.up_ready, out.down)

    report = regress(top.ir, seeds=2, lanes=64, cycles=300)
    assert report.lost_lanes == 0
    assert not [one for one in report.coverage.points if not one.hits]
    assert {one.text for one in report.coverage.points} == {"a transfer", "an item waits"}
    assert regress(top.ir, seeds=1, cycles=300, streams={}).lost_lanes > 20, "without the rule"
    named = regress(top.ir, seeds=1, cycles=300, streams={"up_valid": "up_ready"})
    assert named.lost_lanes == 0


def test_a_failure_behind_a_stream_gives_what_was_offered() -> None:
    byte = streams.stream(UInt(8))

    class Out(Struct):
        up_ready: Signal = of(Bool)

    @module(Count, up=byte, go=Bool)
    def slow(s: Count, up: streams.Stream[Signal], go: Signal) -> tuple[Count, Out]:
        waits = up.valid & ~go
        assert_(s.n < 3, "nobody waits for three cycles")
        return Count(n=mux(waits, wrap(s.n + 1, 4), 0)), Out(go)

    report = regress(slow.ir, seeds=1, cycles=100)
    (found,) = report.failures
    assert found.inputs["up_valid"].tolist()[2:] == [1, 1, 1, 1]
    columns = {port: values[2:, None] for port, values in found.inputs.items()}
    assert fails_in(slow.ir, columns, found.claim.text), "on the design alone"


def test_a_deep_queue_is_full_and_empty_without_knobs() -> None:
    report = regress(fifo(32).ir, seeds=1, lanes=64, cycles=1000)
    assert {one.text: one.hits > 100 for one in report.coverage.points} == {
        "full": True,
        "one comes as one goes": True,
    }


def test_addresses_meet_and_ends_of_ranges_come() -> None:
    inputs = {"a": ir.Form(32), "b": ir.Form(32), "c": ir.Form(70, True), "on": ir.Form(1)}
    drawn = Drawing(inputs, {}, {}, 1).drawn(500, 64, 7, again=False)
    assert (drawn["a"] == drawn["b"]).sum() > 100
    for port, form in inputs.items():
        assert drawn[port].min() == form.low
        assert drawn[port].max() == form.high
        assert drawn[port].shape == (500, 64)
    held = (drawn["on"][1:] == drawn["on"][:-1]).mean()
    assert 0.6 < held < 0.95, "bits stay for a while"
    assert len({tuple(lane) for lane in drawn["a"].T}) == 64, "no two lanes are alike"


def test_knobs_bind() -> None:
    inputs = {"x": ir.Form(8), "on": ir.Form(1), "v": ir.Form(4, False, (3,))}
    knobs = {"x": Knob(values=(3, 200)), "on": Knob(ones=0.9, hold=0), "v": Knob(corners=1, hold=0)}
    drawn = Drawing(inputs, knobs, {}, 1).drawn(400, 32, 5, again=False)
    assert set(np.unique(drawn["x"])) == {3, 200}
    assert abs(drawn["on"].mean() - 0.9) < 0.02
    assert set(np.unique(drawn["v"])) == {0, 1, 14, 15}


def test_a_stimulus_module_gives_what_it_gives() -> None:
    @module(Count, random=UInt(4))
    def small(s: Count, random: Signal) -> tuple[Count, Steps]:
        on = s.n < 12
        return Count(n=wrap(s.n + as_uint(on), 4)), Steps(wrap(as_uint(random[0:1]), 4), on)

    report = regress(assuming.ir, stimulus=small.ir, seeds=1, lanes=16, cycles=10)
    assert report.lost_lanes == 0
    assert report.passed


class Steps(Struct):
    step: Signal = of(UInt(4))
    on: Signal = of(Bool)


class Two(State):
    once: Signal = reg(Bool, reset=0)
    kept: Signal = reg(UInt(8), reset=None)


def test_what_nothing_has_set_may_be_what_fails() -> None:
    @module(Two, x=UInt(8))
    def unset(s: Two, x: Signal) -> tuple[Two, Signal]:
        assert_(~s.once | (s.kept != 77), "it is never 77")
        return Two(once=const(Bool, 1), kept=s.kept), s.kept ^ x

    report = regress(unset.ir, seeds=16, lanes=64, cycles=20)
    (found,) = report.failures
    (kept,) = (one for one in found.waves.signals if one.name == "kept")
    assert set(kept.values) == {77}
    assert not found.inputs["x"].any()


# Verilog.

SV = """
module counter(input clk, input rst_n, input on, output reg [3:0] n);
  always @(posedge clk)
    if (!rst_n) n <= 0;
    else if (on) n <= n + 1;
  always @(posedge clk) if (rst_n) assert (n < 6);
endmodule
"""


def test_assertions_of_systemverilog_are_checked_after_its_own_reset(tmp_path: Path) -> None:
    path = tmp_path / "counter.sv"
    path.write_text(SV)
    report = regress(from_verilog(path, "counter"), seeds=2, lanes=32, cycles=200)
    (found,) = report.failures
    assert found.inputs["rst_n"].tolist() == [0, 0] + [1] * (len(found) - 2)
    assert found.inputs["on"].tolist() == [0, 0] + [1] * 6 + [0]


def test_the_same_seed_gives_the_same_and_a_ledger_is_not_run_again(tmp_path: Path) -> None:
    def run(ledger: Path | None, seeds: int = 3) -> Report:
        return regress(fifo(4, late=1).ir, seeds=seeds, lanes=8, cycles=60, ledger=ledger)

    first, again = run(None).told(), run(tmp_path).told()
    assert first == again
    path = tmp_path / "seed-1.json"
    before = path.read_bytes()
    (tmp_path / "seed-2.json").unlink()
    assert run(tmp_path).told() == first
    assert path.read_bytes() == before
    path.write_text(before.decode().replace('"lost_cycles": 0', '"lost_cycles": 5'))
    assert run(tmp_path).told().lost_cycles == 5, "read, not run"
    other = regress(fifo(4).ir, seeds=3, lanes=8, cycles=60, ledger=tmp_path)
    assert other.lost_cycles == 0, "of another design"


def test_signals_of_an_instance_have_their_names() -> None:
    report = regress(pair.ir, seeds=1, lanes=4, cycles=20)
    assert {one.name for one in report.coverage.toggles} >= {"left.n", "right.n", "on", "step"}
    assert "left.n" in signals(pair.ir)


class Survives(State):
    """What a reset leaves; so wide a counter is never by chance at 9 before the first."""

    since: Signal = reg(UInt(40), reset=0)
    cells: Memory = mem(UInt(70), 1, reads=("async",), initial=[0])


def test_a_failure_that_takes_a_reset_in_mid_run_keeps_it(tmp_path: Path) -> None:
    """A memory is not reset: what was written before a reset is there after it."""

    @module(Survives, write=Bool, data=UInt(70))
    def keeps(s: Survives, write: Signal, data: Signal) -> tuple[Survives, Signal]:
        cells, now = s.cells.read(const(UInt(0), 0))
        early = write & (s.since == 9)
        assert_((s.since > 3) | (now < 1 << 69), "a reset has forgotten all large numbers")
        since = mux(s.since == 15, s.since, wrap(s.since + 1, 40))
        return Survives(since=since, cells=cells.write(const(UInt(0), 0), data, early)), s.since

    report = regress(keeps.ir, seeds=6, lanes=32, cycles=120)
    (found,) = report.failures
    assert found.reset[:2] == (1, 1)
    assert sum(found.reset) == 3, "one of the resets in mid run is left, of one cycle"
    # Nine cycles until it is at 9, the one that writes and resets, and the one in which it fails.
    assert len(found) == 2 + 9 + 1 + 1
    assert np.count_nonzero(found.inputs["data"]) == 1
    assert 1 << 69 <= max(found.inputs["data"]) < 1 << 70, "half of it is small"
    found.write(tmp_path / "failure.npz")
    again = Replay.read(tmp_path / "failure.npz")
    assert again.stimulus.inputs["data"].tolist() == found.inputs["data"].tolist()
    bench = Bench(keeps.ir, None, None, streams=None, toggles=False)
    assert again.run(bench).cycle(bench, again.claim) == len(found) - 1
    assert regress(keeps.ir, seeds=6, lanes=32, cycles=120, reset_again=False).passed


@module(Count, on=Bool, flag=Bool)
def even(s: Count, on: Signal, flag: Signal) -> tuple[Count, Signal]:
    """Must not be flagged while it has counted to an even number."""
    assert_(~flag | (s.n[0] == 1), "only odd")
    return Count(n=mux(on, wrap(s.n + 1, 4), s.n)), flag


def trials(text: str) -> tuple[Trials, Drawing]:
    bench = Bench(even.ir, None, None, streams=None, toggles=False)
    (claim,) = [one for one in bench.claims if one.text == text]
    start = bench.simulator.start(1, 0, reset=False)
    return Trials(bench, claim, start), Drawing(bench.inputs, {}, {}, 1)


def given(on: list[int], flag: list[int]) -> Stimulus:
    columns = {"on": np.array([0, *on]), "flag": np.array([0, *flag])}
    return Stimulus(columns, (1, *[0] * len(on)))


def test_a_sequence_fails_within_its_own_cycles_only() -> None:
    beside, _ = trials("only odd")
    short, long = given([1], [0]), given([1, 1, 0], [0, 0, 1])
    odd = given([1, 0], [0, 1])
    assert beside.failing([short, long, odd]) == [None, 3, None]
    # Zeros that fill it up beside a longer one are none of its cycles.
    held = ir.parse_ir(ir.print_ir(even.ir).replace("only odd", "low"))
    turned = ir.print_ir(held).replace("%flag = input", "%unflag = input")
    turned = turned.replace('%unflag = input["flag"] : u1', '%f = input["flag"] : u1', 1)
    turned = turned.replace("%f = ", "%flag = not(%f) : u1\n  %f = ", 1)
    bench = Bench(ir.parse_ir(turned), None, None, streams=None, toggles=False)
    (claim,) = bench.claims
    low = Trials(bench, claim, bench.simulator.start(1, 0, reset=False))
    assert low.failing([given([0], [1]), given([0, 0], [1, 0])]) == [None, 2]


def test_two_cycles_are_left_out_where_neither_can_be_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zhufeng.hdl.verify._shrink._RANDOM_TIMES", 0)
    beside, drawing = trials("only odd")
    least = Shrinker(beside, drawing).least(given([1, 1, 0], [0, 0, 1]))
    assert least is not None
    assert {port: one.tolist() for port, one in least.inputs.items()} == {
        "on": [0, 0],
        "flag": [0, 1],
    }


def test_a_bit_that_only_rises_is_not_covered() -> None:
    @module(Count)
    def stays(s: Count) -> tuple[Count, Signal]:
        return Count(n=mux(s.n == 3, s.n, wrap(s.n + 1, 4))), s.n == 9

    report = regress(stays.ir, seeds=1, lanes=2, cycles=40, reset_again=False)
    (n,) = [one for one in report.coverage.toggles if one.name == "n"]
    # 0, 1, 2, 3: the lowest bit falls on its way, the next one never does.
    assert (n.covered, list(n.missing())) == (1, ["n[3:2] never moved", "n[1] never fell"])


@module(Count, x=SInt(100))
def far(s: Count, x: Signal) -> tuple[Count, Signal]:
    assert_((x < 1 << 50) & (x > -3), "neither far nor low")
    return s, s.n


def test_a_number_that_fails_is_the_nearest_to_0_that_does() -> None:
    found = regress(far.ir, seeds=2, lanes=64, cycles=50)
    (failure,) = found.failures
    assert failure.inputs["x"].reshape(-1).tolist()[-1] in (1 << 50, -3)


HISTORY = 0b110100100010111


class Past(State):
    bits: Signal = reg(Bits(15), reset=0)


@module(Past, x=Bool)
def remembering(s: Past, x: Signal) -> tuple[Past, Signal]:
    after = cat(s.bits[:14], x)
    assert_(as_uint(after) != HISTORY, "not that history")
    return Past(bits=after), s.bits


def test_a_history_of_one_bit_is_met_as_by_even_draws() -> None:
    assert not regress(remembering.ir, seeds=8, lanes=64, cycles=1000, toggles=False).passed
