"""The compiled simulator as it is used: sessions, states, rings, waves; beside the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.hdl.programs import program, stimulus
from tests.hdl.sim_designs import bank, counter, ring
from zhufeng.base import InputError
from zhufeng.hdl import interpret
from zhufeng.hdl.compile import Simulator, State
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.interpret import Values
from zhufeng.hdl.waves import signals, waves_of, write_vcd

CYCLES, LANES = 60, 21
RESET = [1, 1, *[0] * (CYCLES - 2)]


def given(lanes: int = LANES, seed: int = 0) -> dict[str, Values]:
    draw = np.random.default_rng(seed)
    return {
        "x": draw.integers(0, 256, (CYCLES, lanes, 3)) * draw.integers(0, 2, (CYCLES, lanes, 1)),
        "on": draw.integers(0, 2, (CYCLES, lanes)),
        "at": draw.integers(0, 16, (CYCLES, lanes)),
    }


def record() -> list[str]:
    """Values inside, by the names that the module has them under."""
    names = signals(bank.ir)
    return [name for name in names if "loose" in name or name == "tail"]


def truth() -> interpret.Run:
    return interpret.interpret(bank.ir, given(), reset=RESET, seed=5, record=record())


def same(found: Mapping[str, Values], known: Mapping[str, Values], *where: int | slice) -> bool:
    return list(found) == list(known) and all(
        np.array_equal(found[port], known[port][where]) for port in known
    )


def part(inputs: Mapping[str, Values], *where: int | slice) -> dict[str, Values]:
    return {port: values[where] for port, values in inputs.items()}


# A cycle at a time.


@pytest.mark.parametrize("width", [1, 8, 16])
def test_a_session_goes_as_the_interpreter(width: int) -> None:
    """More lanes than run side by side; every output, recorded value, failure and cover point."""
    known, inputs = truth(), given()
    simulator = compiled(bank.ir, width, record=record())
    session = simulator.session(start=simulator.start(LANES, 5, reset=False))
    for cycle in range(CYCLES):
        assert session.cycle == cycle
        outputs = session.step(part(inputs, cycle), reset=RESET[cycle])
        assert same(outputs, known.outputs, cycle)
        assert same({name: session.get(name) for name in record()}, known.recorded, cycle)
    run = simulator.run(inputs, reset=RESET, seed=5)
    assert session.failures == run.failures
    assert session.covered == known.covered
    assert len(run.failures) > 0


def test_random_programs_step_as_they_run() -> None:
    for seed in range(8):
        one = program(seed)
        inputs = {port: values[:, None] for port, values in stimulus(one, 12).items()}
        simulator = compiled(one.module, (1, 8)[seed % 2])
        run = simulator.run(inputs, None if inputs else 12, seed=seed)
        session = simulator.session(seed=seed)
        for cycle in range(12):
            assert same(session.step(part(inputs, cycle)), run.outputs, cycle), seed
        assert session.failures == run.failures


def test_inputs_stay_until_they_are_set_again() -> None:
    session = compiled(counter(3).ir, 1).session()
    assert session.step()["out"].tolist() == [0]
    session.set("on", 1)
    assert [int(session.step()["out"][0]) for _ in range(4)] == [0, 3, 6, 9]
    assert session.get("out").tolist() == [9]
    session.set("on", np.array([0]))
    assert [int(session.step()["out"][0]) for _ in range(2)] == [12, 12]


def test_each_lane_may_be_given_its_own() -> None:
    session = compiled(counter(1).ir, 8).session(3)
    session.set("on", [1, 0, 1])
    assert [session.step()["out"].tolist() for _ in range(3)] == [[0, 0, 0], [1, 0, 1], [2, 0, 2]]
    session.set("on", True)
    session.step()
    assert session.step()["out"].tolist() == [4, 1, 4]


def test_settled_outputs_are_those_of_the_step_and_change_nothing() -> None:
    inputs = given()
    simulator = compiled(bank.ir, 8)
    session, other = simulator.session(LANES), simulator.session(LANES)
    for cycle in range(20):
        session.settled(part(inputs, (cycle + 7) % CYCLES))
        looked = session.settled(part(inputs, cycle))
        assert session.cycle == cycle
        assert same(looked, other.step(part(inputs, cycle)))
        session.step()
    assert session.failures == other.failures
    assert session.covered == other.covered


def test_what_a_session_gives_stays() -> None:
    session = compiled(counter(1).ir, 1).session()
    first = session.step({"on": 1})["out"]
    session.step()
    assert first.tolist() == [0]


# What is held.


def test_a_state_goes_on_in_code_for_any_lanes(tmp_path: Path) -> None:
    """Saved from 16 lanes side by side after an odd cycle, gone on from in 1, 8 and 64."""
    known, inputs = truth(), given()
    path = tmp_path / "state.npz"
    first = compiled(bank.ir, 16).run(part(inputs, slice(31)), reset=RESET[:31], seed=5)
    first.end.write(path)
    for width in (1, 8, 64):
        state = State.read(path)
        assert (state.lanes, state.cycle) == (LANES, 31)
        for start in (state, first.end):
            run = compiled(bank.ir, width).run(part(inputs, slice(31, None)), start=start)
            assert same(run.outputs, known.outputs, slice(31, None))
            assert all(one.cycle >= 31 for one in run.failures)
    again = tmp_path / "again.npz"
    State.read(path).write(again)
    assert again.read_bytes() == path.read_bytes()


def test_random_programs_are_kept_whole_in_a_file(tmp_path: Path) -> None:
    for seed in range(6):
        one = program(seed)
        inputs = {port: np.repeat(v[:, None], 3, 1) for port, v in stimulus(one, 10).items()}
        whole = compiled(one.module, 8).run(inputs, None if inputs else 10, lanes=3, seed=seed)
        cycles = (None, None) if inputs else (5, 5)
        begin = compiled(one.module, 8).run(part(inputs, slice(5)), cycles[0], lanes=3, seed=seed)
        begin.end.write(tmp_path / "state.npz")
        state = State.read(tmp_path / "state.npz")
        for lane in (0, 2):
            run = compiled(one.module, 1).run(
                part(inputs, slice(5, None), slice(lane, lane + 1)),
                cycles[1],
                start=state.lane(lane),
            )
            assert same(run.outputs, whole.outputs, slice(5, None), slice(lane, lane + 1)), seed


def test_a_failing_lane_is_run_again_with_waves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a state that was saved before; every signal of the drawn lane is the interpreter's."""
    inputs, names = given(seed=3), record()
    known = interpret.interpret(bank.ir, inputs, seed=1, record=names)
    fast, slow = compiled(bank.ir, 32), compiled(bank.ir, 1, record=names)
    saved = fast.run(part(inputs, slice(40)), seed=1).end
    lane = fast.run(part(inputs, slice(40, None)), start=saved).failures[0].lane
    rest = part(inputs, slice(40, None), slice(lane, lane + 1))
    run = slow.run(rest, start=saved.lane(lane))
    assert run.failures[0].lane == 0
    # Nothing that the first run showed depended on it.
    assert "bank does not have register bank.cells.loose: it starts" in caplog.text
    waves = waves_of(bank.ir, rest, run)
    assert waves["tail"].values == tuple(known.recorded["tail"][40:, lane].tolist())
    write_vcd(tmp_path / "wave.vcd", waves)
    assert "cells[2]" in (tmp_path / "wave.vcd").read_text()


def held(state: State) -> dict[str, list[object]]:
    return {name: one.values.tolist() for name, one in state.parts.items()}


def test_no_run_and_no_session_changes_the_state_it_starts_from() -> None:
    inputs = given()
    simulator = compiled(bank.ir, 8)
    state = simulator.run(inputs, seed=2).end
    before = [batch.copy() for batch in state.batches]
    first = simulator.run(inputs, start=state)
    session = simulator.session(start=state)
    for cycle in range(5):
        session.step(part(inputs, cycle))
    kept = session.state
    known = held(kept)
    session.step()
    assert all(np.array_equal(a, b) for a, b in zip(before, state.batches, strict=True))
    again = simulator.run(inputs, start=state)
    assert same(again.outputs, first.outputs)
    assert held(kept) == known


def test_the_state_names_what_is_held() -> None:
    """By instance and name, whatever the code makes of them; unset parts 0 if that is asked for."""
    state = compiled(bank.ir, 8).start(2, None, reset=True)
    parts = {name: one.values for name, one in state.parts.items()}
    assert parts["register bank.cells.sum"].tolist() == [[3, 3, 3]] * 2
    assert not parts["register bank.tail"].any()
    assert parts["memory bank.table"].shape == (2, 16)


def test_what_stands_in_memory_twice_is_kept_too(tmp_path: Path) -> None:
    """A ring in which every cell looks at both neighbours: against NumPy, over odd cycles."""
    push = np.random.default_rng(6).integers(0, 128, (30, 9, 40))
    known = [np.zeros((9, 40), np.int64)]
    for one in push:
        x = known[-1]
        known.append((np.roll(x, 1, 1) + np.roll(x, -1, 1) + x + one) & 127)
    assert compiled(ring.ir, 8).kernel.places.doubled > 0
    for width, other in ((8, 1), (1, 16), (16, 8)):
        simulator = compiled(ring.ir, width)
        state = simulator.run({"push": push[:11]}).end
        parts = {name: one.values for name, one in state.parts.items()}
        assert np.array_equal(parts["register ring.x"], known[11])
        state.write(tmp_path / "ring.npz")
        for start in (state, State.read(tmp_path / "ring.npz")):
            run = compiled(ring.ir, other).run({"push": push[11:]}, start=start)
            assert np.array_equal(run.outputs["out"], known[11:-1])
        session = simulator.session(start=state)
        for cycle in range(11, 16):
            assert np.array_equal(session.step({"push": push[cycle]})["out"], known[cycle])


def test_what_stands_in_wider_containers_is_kept_as_it_is() -> None:
    """Weights that are kept as products need them, in the state as the interpreter records them."""
    module = systolic(4).ir
    draw = np.random.default_rng(8)
    inputs: dict[str, Values] = {
        port: draw.integers(form.low, form.high + 1, (9, 8, *form.shape))
        for port, form in module.inputs.items()
    }
    simulator = compiled(module, 8)
    assert simulator.kernel.places.registers["pes_w"].bits > 8
    parts = simulator.run(part(inputs, slice(8))).end.parts
    known = interpret.interpret(module, inputs, record=["pes.w_reg", "pes.p_reg"]).recorded
    for name in ("w", "p"):
        held_last = parts[f"register array.pes.{name}"].values
        assert np.array_equal(held_last, known[f"pes.{name}_reg"][8])


# Runs.


def test_inputs_begin_again_where_they_are_shorter() -> None:
    inputs = given()
    ring = part(inputs, slice(7))
    run = compiled(bank.ir, 8).run(ring, 60, seed=4)
    whole = {port: np.tile(v, (9, *[1] * (v.ndim - 1)))[:60] for port, v in ring.items()}
    assert same(run.outputs, interpret.interpret(bank.ir, whole, seed=4).outputs)


def test_last_and_chosen_outputs() -> None:
    known = interpret.interpret(bank.ir, given(), seed=4)
    simulator = compiled(bank.ir, 16)
    run = simulator.run(given(), seed=4, outputs=["wide", "read"], last=True)
    assert list(run.outputs) == ["wide", "read"]
    assert np.array_equal(run.outputs["wide"], known.outputs["wide"][-1:])
    assert simulator.run(given(), seed=4, outputs=[]).outputs == {}


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64, object])
def test_inputs_of_any_integers(kind: type) -> None:
    inputs: dict[str, Values] = {port: values.astype(kind) for port, values in given().items()}
    copies = {port: values.copy() for port, values in inputs.items()}
    run = compiled(bank.ir, 8).run(inputs, seed=4)
    assert same(run.outputs, interpret.interpret(bank.ir, given(), seed=4).outputs)
    assert all(np.array_equal(inputs[port], copies[port]) for port in inputs)


def test_a_run_longer_than_a_block_of_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    known = interpret.interpret(bank.ir, given(), reset=RESET, seed=4)
    monkeypatch.setattr("zhufeng.hdl.compile._simulator._BLOCK", 500)
    run = compiled(bank.ir, 8).run(given(), reset=RESET, seed=4)
    assert same(run.outputs, known.outputs)
    assert run.covered == known.covered


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda s, st: s.run(given(4), start=st), "the state to start from has"),
        (lambda s, st: s.run(given(4), lanes=3), "4, as the inputs have"),
        (lambda s, st: s.session(3, start=st), "the state has"),
        (lambda s, st: compiled(counter(1).ir, 1).run(start=st), "the inputs of counting"),
        (lambda s, st: compiled(counter(1).ir, 1).session(start=st), "one of this counting"),
        (lambda s, st: st.lane(LANES), "a lane from 0 to 20"),
    ],
)
def test_what_does_not_fit_is_refused(act: Callable[[Simulator, State], object], told: str) -> None:
    simulator = compiled(bank.ir, 8)
    with pytest.raises(InputError, match=told):
        act(simulator, simulator.start(LANES))


def test_only_the_same_design_goes_on_from_a_state() -> None:
    """Another constant makes another design; another line in the file does not."""
    state = compiled(counter(1).ir, 1).run({"on": np.ones((5, 1), int)}).end
    with pytest.raises(InputError, match="one of this counting"):
        compiled(counter(2).ir, 1).session(start=state)
    assert compiled(counter(1).ir, 8).session(start=state).step()["out"].tolist() == [5]
