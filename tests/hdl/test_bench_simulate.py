"""What bench/simulate.py measures computes what it should, and the bench notices where not."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from simulation.amaranth_array import run as in_amaranth
from simulation.catalogue import NAMES, design
from simulation.contest import Contest, Rate, in_turns, need_same, need_toggling
from simulation.edit import times, verify
from simulation.figure import figure
from simulation.others import cxxrtl, icarus
from simulation.ours import Compiled, Ours, WithArrays, module_of
from simulation.rows import Row
from simulation.stimulus import Drive, checksums, inputs_of, seeds_of
from simulation.verilator_rival import (
    Built,
    Verilator,
    Workshop,
    simulate,
    verilators,
)
from zhufeng.hdl import Bool
from zhufeng.hdl.examples import systolic
from zhufeng.hdl.interpret import interpret
from zhufeng.hdl.oracle import has_verilator

NEEDS_VERILATOR = pytest.mark.skipif(not has_verilator(), reason="needs Verilator")


# Ours.


@pytest.mark.parametrize("name", ["sa8", "dot16"])
def test_lanes_have_the_checksums_of_the_interpreter(name: str) -> None:
    which, lanes, cycles = design(name), 8, 120
    seeds = seeds_of(which.drives, lanes, 7)
    truth = checksums(interpret(module_of(which), inputs_of(which.drives, seeds, cycles)).outputs)
    for count in (lanes, 1):
        fast = Ours(which, count, seeds)
        for _ in range(2):  # each run begins at the start
            fast.cpu_s(cycles)
            assert np.array_equal(fast.sums, truth[:count])
    _, sums = WithArrays(which, seeds).cpu_s(cycles)
    assert np.array_equal(sums, truth)


# What else simulates.


@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
@pytest.mark.parametrize("name", ["sa8", "dot16"])
def test_icarus_has_the_checksums_of_the_interpreter(name: str, tmp_path: Path) -> None:
    which, cycles = design(name), 60
    seeds = seeds_of(which.drives, 1)
    found = icarus(which, seeds[0], cycles, tmp_path)
    assert not isinstance(found, str)
    run = interpret(module_of(which), inputs_of(which.drives, seeds, cycles))
    assert np.array_equal(found[1], checksums(run.outputs)[0])


def test_amaranths_array_is_the_same() -> None:
    n, cycles = 4, 60
    number = systolic(n, 8, acc_bits=32).ir.inputs
    draw = np.random.default_rng(3)
    a, w = draw.integers(-128, 128, (2, cycles, n))
    load = draw.integers(0, 4, cycles) == 0
    inputs = {"a": a, "w": w, "load": load.astype(np.int64)}
    assert number.keys() == inputs.keys()
    each = {port: values[:, None] for port, values in inputs.items()}
    truth = interpret(systolic(n, 8, acc_bits=32).ir, each).outputs["out"][:, 0]
    found = in_amaranth(n, {port: values.tolist() for port, values in inputs.items()})
    assert found == truth.tolist()


@NEEDS_VERILATOR
@pytest.mark.soak
@pytest.mark.parametrize("name", ["dot16", "cpu"])
def test_cxxrtl_has_the_checksums_of_verilator(name: str, tmp_path: Path) -> None:
    which, cycles = design(name), 500
    seeds = seeds_of(which.drives, 1)
    (tmp_path / "cxxrtl").mkdir()
    (tmp_path / "verilator").mkdir()
    found = cxxrtl(which, seeds[0], cycles, tmp_path / "cxxrtl")
    assert not isinstance(found, str)
    workshop = Workshop(tmp_path / "verilator", optimise=False)
    built = workshop.build(which, "hand-written", verilators()[0])
    assert np.array_equal(found[1], simulate(built, seeds, cycles).sums[0])


# From an edit to a verified array.


def _tiles(words: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """What the generators of a vector give, in integers: [PERIOD, N] for each tile."""
    x, numbers = list(words), np.zeros((verify.CYCLES, verify.N), np.int64)
    for cycle in range(verify.CYCLES):
        for g, word in enumerate(x):
            for byte in range(4):
                numbers[cycle, 4 * byte + g] = (word >> 8 * byte & 0xFF ^ 0x80) - 0x80
            for by in verify.SHIFTS:
                word ^= word << by if by > 0 else word >> -by  # noqa: PLW2901 (three in a row)
                word &= 0xFFFF_FFFF  # noqa: PLW2901
            x[g] = word
    yield from numbers.reshape(verify.TILES, verify.PERIOD, verify.N)


def _sums(words: Sequence[int]) -> list[int]:
    """Every product of a vector in full, and the sums of what leaves, in integers."""
    sums = [0] * verify.N
    for numbers in _tiles(words):
        for row in _tile(numbers).tolist():
            sums = [(s * verify.FACTOR + one) % 2**32 for s, one in zip(sums, row, strict=True)]
    return sums


def _tile(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """What leaves in each cycle, of rows that went in askew."""
    n, period = verify.N, len(numbers)
    weights = numbers[:n][::-1]
    given = numbers.copy()
    given[:n] = given[verify.FED :] = 0
    out = np.zeros((period, n), np.int64)
    for first in range(period - 2 * n + 1):
        row = given[first + np.arange(n), np.arange(n)] @ weights
        out[first + n + np.arange(n), np.arange(n)] = row
    return out


def test_the_model_has_every_product_in_its_sums() -> None:
    seeds = verify.seeds_of(3, 11)
    assert len(np.unique(seeds)) == seeds.size
    truth = [_sums(words) for words in seeds.tolist()]
    assert verify.modelled(seeds).tolist() == truth
    array = systolic(verify.N, verify.BITS, acc_bits=verify.ACC_BITS)
    assert verify.simulated(array, seeds, 8).tolist() == truth


def test_an_edit_is_verified(tmp_path: Path) -> None:
    found = times.ours(tmp_path, 8, 1, vectors=20).found
    assert (found.vectors, found.right, found.all_right) == (20, 20, True)


def test_a_wrong_edit_is_found(tmp_path: Path) -> None:
    found = times.ours(tmp_path, 8, 1, (times.OURS[0], "product = a * w"), 20).found
    assert found.right == 0


def test_a_product_wrong_once_in_a_while_is_found_wherever_it_is(tmp_path: Path) -> None:
    wrong = "product = mux((a == 77) & (s.w == -5), wrap(a, 16), a * s.w)"
    found = times.ours(tmp_path, 8, 1, (times.OURS[0], wrong), 20).found

    def meets(numbers: NDArray[np.int64]) -> bool:
        weights, given = numbers[: verify.N][::-1], numbers[verify.N : verify.FED]
        return bool(((weights == -5).any(1) & (given == 77).any(0)).any())

    vectors = verify.seeds_of(20, 1).tolist()
    right = sum(not any(meets(numbers) for numbers in _tiles(words)) for words in vectors)
    assert 0 < right < 20
    assert found.right == right


@NEEDS_VERILATOR
@pytest.mark.soak
def test_an_edit_is_verified_in_the_same_way_with_verilator(tmp_path: Path) -> None:
    workshop, tool = Workshop(tmp_path, optimise=False), verilators()[0]
    found = times.verilators(workshop, tool, 1, loops=True, vectors=20).found
    assert found == times.ours(tmp_path, 8, 1, vectors=20).found
    assert found.all_right
    wrong = (times.THEIRS[0], "a_q[j][i] * w[j]")
    assert times.verilators(workshop, tool, 1, loops=True, edit=wrong, vectors=20).found.right == 0


# How it is judged.


def test_the_bench_stops_where_something_differs() -> None:
    sums = np.arange(4, dtype=np.uint32)
    need_same("x", [sums, sums.copy()], sums)
    with pytest.raises(RuntimeError, match="x: checksums differ"):
        need_same("x", [sums, sums ^ (sums == 2).astype(np.uint32)], sums)
    which = design("cpu")
    seeds = seeds_of(which.drives, 8)
    need_toggling(which, seeds)
    with pytest.raises(RuntimeError, match="two lanes are alike"):
        need_toggling(which, seeds[[0, 1, 1]])
    still = replace(which, drives=(Drive("en", Bool, 0, "some"),))
    with pytest.raises(RuntimeError, match="en stands still"):
        need_toggling(still, seeds)


def test_ratios_are_of_medians_and_runs_take_turns() -> None:
    order: list[str] = []

    def run(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    rates = in_turns({"x": (100, lambda: run("x", 2)), "y": (30, lambda: run("y", 3))}, 3)
    assert order == ["x", "y"] * 3
    assert rates["x"].each == (50, 50, 50)
    assert Rate((10, 20, 60)).over(Rate((5, 5, 10))) == (4, 2, 6)


def test_what_a_compilation_costs_is_paid_by_what_cycles_save() -> None:
    which = design("sa8")
    tool = Verilator("V", Path(), Path())
    slow, fast = (
        Built(which, "hand-written", tool, loops, Path(), 0.5, 1.0 + loops)
        for loops in (False, True)
    )
    found = Contest(
        which,
        seeds_of(which.drives, 1),
        Rate((100.0,)),
        Rate((10.0,)),
        {
            (slow, "eval"): Rate((10.0,)),
            (fast, "eval"): Rate((20.0,)),
            (slow, "inner"): Rate((99.0,)),
        },
        Rate((1.0,)),
        {"lanes": [Compiled(32, 1, 3, 9)], "single": [Compiled(1, 0, 1, 9)]},
    )
    assert found.best("eval") == (fast, Rate((20.0,)))
    assert found.fastest_build_s == 1.5
    assert found.build_s("lanes") == 4
    assert math.isclose(found.pays_after("lanes", against_build=False), 4 / (1 / 20 - 1 / 100))
    assert math.isclose(found.pays_after("lanes", against_build=True), 1.5 / (1 / 20 - 1 / 100))
    assert math.isinf(found.pays_after("single", against_build=False))


def test_the_figure_has_every_row() -> None:
    rows = [
        Row("sa8", "ours, 32 lanes", 4e8, 3e8, 5e8),
        Row("sa8", "Verilator 5, printed, eval", 1e7, 1e7, 1e7),
        Row("cpu", "Amaranth", 2e3, 2e3, 2e3),
    ]
    text = figure(rows)
    for row in rows:
        assert f"{row.design}: {row.what}" in text
    for value in ("400", "10", "0.002"):
        assert f">{value}<" in text


# What is told of it.


def test_the_page_tells_what_was_measured() -> None:
    root = Path(__file__).parents[2]
    found = json.loads((root / "bench/results/simulate.json").read_text())["figures"]
    page = (root / "docs/hdl-simulation.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    told = {name.strip("`"): [float(one) for one in ratios] for name, *ratios in rows}
    assert told == {
        name: [round(found[f"{which}_{name}"], 1) for which in ("lanes", "single")]
        for name in NAMES
    }
    for name in ("build_ratio_worst", "edit_to_verified"):
        assert f"{found[name]:.2f}" in page
