"""What bench/formats.py compares agrees, and it notices where something does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from formats_tiles.campaign import Plan, Task, judged, run, tasks
from formats_tiles.draw import tiles
from formats_tiles.opinions import Opinion, by_golden, by_host
from formats_tiles.played import Players, interpreted, simulated
from formats_tiles.ways import MODES, PARTS, PLAIN_PARTS, Mode, Way, way
from simulation.verilator_rival import Workshop, verilators
from tests.formats import golden
from zhufeng.hdl.oracle import has_verilator

NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")
PLANES = Mode(6, stochastic=True, two=True)
Arrays = dict[str, NDArray[Any]]


def seen(count: int) -> tuple[Way, NDArray[np.uint32], Opinion]:
    """Some tiles, and what the golden model says of them."""
    rng = np.random.default_rng(1)
    how, (a, b) = way(PLANES, 0, rng), tiles(rng, count)
    return how, np.stack([a, b]), by_golden(a, b, how)


def flipped(opinion: Opinion, name: str, place: tuple[int, ...]) -> Arrays:
    """The same with the lowest bit of one number turned."""
    other = {key: one.copy() for key, one in opinion.items()}
    other[name][place] ^= 1
    return other


def test_golden_and_compiled_functions_agree() -> None:
    for number, mode in enumerate(mode for mode in MODES if mode.bits in {6, 8}):
        for part in (0, 4, PLAIN_PARTS + number % 2):
            done = run(Task(mode, part, (2, number, part), 9))
            assert (done.tiles, done.different, done.told) == (9, 0, ())


def test_operands_of_different_bits_agree() -> None:
    done = run(Task(PLANES, PARTS - 2, (3,), 7))
    assert (done.tiles, done.different, done.told) == (7, 0, ())


@pytest.mark.parametrize("part", [0, 4])
def test_the_interpreter_agrees(part: int) -> None:
    done = run(Task(PLANES, part, (4,), 3, interpreted=1))
    assert (done.tiles, done.different, done.interpreted, done.simulated) == (3, 0, 1, 0)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("out", (5, 15, 0)),
        ("a codes", (5, 3, 1, 0)),
        ("a elements", (5, 0, 0, 1, 15)),
        ("b codes", (5, 15, 0, 1)),
        ("b elements", (5, 9, 1, 0, 7)),
    ],
)
def test_a_planted_difference_is_found(name: str, place: tuple[int, ...]) -> None:
    how, (a, b), truth = seen(8)
    compiled = by_host(a, b, how)
    assert judged(truth, {"nobody": compiled})[0].sum() == 0
    wrong, lines = judged(truth, {"someone": flipped(compiled, name, place)})
    assert np.flatnonzero(wrong).tolist() == [5]
    expected = f"the golden model and someone: tile 5: {name}{list(place[1:])} is "
    assert [line.startswith(expected) for line in lines] == [True]
    # Two that are wrong about one tile, one of which has seen the first tiles alone.
    few = {key: one[:6] for key, one in flipped(truth, name, place).items()}
    wrong, lines = judged(truth, {"someone": flipped(compiled, name, place), "other": few})
    assert (wrong.sum(), len(lines)) == (1, 2)


def test_a_wrong_simulator_is_found() -> None:
    how, given, truth = seen(2)
    right = interpreted(how.a.bits)

    def wrong_dot(inputs: Any, reset: Any) -> Any:
        outputs = {port: one.copy() for port, one in right.dot(inputs, reset).items()}
        outputs["out"][-1, 300] ^= 1  # row 2, column 12 of the second tile
        return outputs

    simulator = Players(right.quantiser, wrong_dot)
    task = Task(PLANES, 0, (1,), 2, simulated=2, simulator=simulator, recorded=given)
    done = run(task)
    assert (done.different, done.simulated, done.recorded) == (1, 2, True)
    assert "and Verilator: tile 1: out[2, 12] is " in done.told[0]
    assert judged(truth, {"it": right(given[0], given[1], how)})[0].sum() == 0


def test_shares_are_fair() -> None:
    recorded = np.zeros((2, 1000, 16, 32), np.uint32)
    players = interpreted(4)
    every = list(tasks(Plan(), recorded, dict.fromkeys((4, 5, 6, 8), players), 0))
    for mode in MODES:
        own = [task for task in every if task.mode == mode]
        drawn = [task for task in own if task.recorded is None]
        assert sum(task.count for task in drawn) * len(MODES) == 1_000_000
        assert sum(task.count for task in own) - sum(task.count for task in drawn) == 1000
        assert sum(task.simulated for task in own) * len(MODES) == 10_000
        assert sum(task.interpreted for task in own) * len(MODES) == 256
        # Who plays modules knows plain ways alone.
        assert all(task.part < PLAIN_PARTS for task in own if task.simulated or task.interpreted)
        ways = [way(mode, task.part, np.random.default_rng(0)) for task in drawn]
        assert {(one.a.planes, one.b.planes) for one in ways} == (
            {(2, 2), (2, 1), (1, 2)} if mode.two else {(1, 1)}
        )
        assert [part for part in range(PARTS) if ways[part].steps == 6] == [4, 16]
        assert len({task.seed for task in own}) == len(own) == PARTS + 1


def test_hard_numbers_are_drawn() -> None:
    bits = tiles(np.random.default_rng(0), 500)
    field, fraction = bits >> 23 & 255, bits & 0x7FFFFF
    shares = {
        "zeros": (bits << 1 == 0).mean(),
        "subnormal": ((field == 0) & (fraction > 0)).mean(),
        "infinities": ((field == 255) & (fraction == 0)).mean(),
        "not numbers": ((field == 255) & (fraction > 0)).mean(),
        "few bits": (fraction % 2**20 == 0).mean(),
    }
    assert 0.05 < shares["zeros"] < 0.15
    assert 0.01 < shares["subnormal"] < 0.15
    assert 1e-5 < shares["infinities"] < 1e-3
    assert 1e-5 < shares["not numbers"] < 1e-3
    assert 0.3 < shares["few bits"] < 0.7
    assert len(np.unique(field)) == 256
    assert 0.45 < (bits >> 31).mean() < 0.55
    assert 0.1 < (field == field[..., :1]).all((-1, -2)).mean() < 0.2  # alike in a row
    # Results at every magnitude, and beyond.
    nearest = way(Mode(6, stochastic=False, two=False), 0, np.random.default_rng(0))
    out = by_golden(bits[0], bits[1], nearest)["out"]
    assert len(np.unique(out >> 23 & 255)) == 256
    assert np.isin([0, 0x7F800000, 0xFF800000, 0x7FC00000], out).all()


def test_sums_run_out_of_bits() -> None:
    """Without rule 4.5 an accumulator of 32 bits would overflow."""
    bits = tiles(np.random.default_rng(0), 300, 6)
    field = bits >> 23 & 255
    alike = (field == field[..., :1]).all((0, -2, -1))
    first, second = golden.quantise_many(bits[:, alike].reshape(2, -1, 16, 12, 16), 8).elements
    sums = np.einsum("tmbk,tnbk->tmn", first.astype(np.int64), second)
    assert alike.any()
    assert sums.max() << golden.GUARD > 2**31
    assert sums.min() << golden.GUARD < -(2**31)


@NEEDS_VERILATOR
@pytest.mark.soak
def test_verilator_agrees(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, optimise=False)
    players = simulated(5, workshop, verilators()[0])
    for number, mode in enumerate(mode for mode in MODES if mode.bits == 5):
        task = Task(mode, 4 - number, (5, number), 10, simulated=10, simulator=players)
        done = run(task)
        assert (done.tiles, done.different, done.simulated) == (10, 0, 10)


@pytest.mark.soak
def test_tiles_of_a_training_step_are_recorded() -> None:
    from formats_tiles.recorded import recorded

    pairs = recorded(1000, 0)
    assert pairs.shape == (2, 1000, 16, 32)
    x = pairs.view(np.float32)
    assert np.isfinite(x).all()
    bf16 = (pairs & 0xFFFF == 0).all((0, 2, 3))
    assert 300 < bf16.sum() < 700
    assert 1e-6 < np.abs(x[x != 0]).mean() < 10
    done = run(Task(PLANES, 0, (6,), 1000, recorded=pairs))
    assert (done.tiles, done.different) == (1000, 0)
