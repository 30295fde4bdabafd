"""Plans against arithmetic by hand, and their band against worlds whose cost is known."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Answer
from zhufeng.base import InputError
from zhufeng.corpus.planning import (
    COSTS_FILE,
    CorpusPlan,
    Costs,
    Wanted,
    plan,
    read_costs,
    spread,
    student,
    write_costs,
)

Call = Callable[..., Answer]
Drawn = tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]
# Four documents of 900 s at 100 ms a second: 360 s of CPU in 2 x 360 s of two workers' time.
EVEN = Costs(
    media_s=3600.0,
    documents=5,
    source_bytes=2_000_000,
    document_bytes=30_000,
    shard_bytes=4_000,
    tokens=1_500,
    wall_s=360.0,
    workers=2,
    load_ms=0.0,
    peak_gb=1.5,
    device="cpu",
    machine="a machine",
    cpu_ms={"speech": 300_000.0, "screen": 60_000.0},
    media_s_by_document=(900.0, 900.0, 900.0, 900.0),
    cpu_ms_by_document=(90_000.0, 90_000.0, 90_000.0, 90_000.0),
)


def expected(planned: CorpusPlan) -> dict[str, float]:
    return {name: figure.expected for name, figure in planned.figures.items()}


def sample_of(media_s: Any, cpu_ms: Any) -> Costs:
    return dataclasses.replace(
        EVEN,
        media_s=float(sum(media_s)),
        cpu_ms={"all": float(sum(cpu_ms))},
        media_s_by_document=tuple(map(float, media_s)),
        cpu_ms_by_document=tuple(map(float, cpu_ms)),
    )


def test_a_week_by_hand() -> None:
    # 16,800 h at 100 ms a second are 1,680 core-hours; cores were busy half of the time, so
    # 3,360 worker-hours, and a week has 168 hours.
    figures = expected(plan(EVEN, Wanted(hours=16_800)))
    assert figures["cpu_ms_per_media_s"] == pytest.approx(100)
    assert figures["core_hours"] == pytest.approx(1_680)
    assert figures["days"] == 7
    assert figures["cores"] == 20
    assert figures["source_bytes"] == pytest.approx(2_000_000 * 16_800)
    assert figures["document_bytes"] == pytest.approx(30_000 * 16_800)
    assert figures["shard_bytes"] == pytest.approx(4_000 * 16_800)
    assert figures["tokens"] == pytest.approx(1_500 * 16_800)
    assert figures["gb_per_worker"] == 1.5


def test_machines_by_hand() -> None:
    figures = expected(plan(EVEN, Wanted(hours=16_800, machine_gb=16)))
    assert figures["workers_per_machine"] == 10
    assert figures["machines"] == 2
    none = expected(plan(EVEN, Wanted(hours=16_800, machine_gb=1)))
    assert none["workers_per_machine"] == 0
    assert "machines" not in none


def test_the_loading_of_models_is_work_of_every_worker() -> None:
    loading = dataclasses.replace(EVEN, load_ms=36_000.0, wall_s=396.0 / 2)  # always busy
    figures = expected(plan(loading, Wanted(hours=100, cores=10)))
    assert figures["core_hours"] == pytest.approx(10 + 10 * 0.01)
    assert figures["days"] == pytest.approx((1 + 0.01) / 24)


@pytest.mark.parametrize("days", [0.5, 7, 30.5])
def test_the_cores_for_some_days_need_as_many_days_and_one_less_does_not_do(days: float) -> None:
    costs = dataclasses.replace(EVEN, load_ms=60_000.0)
    cores = expected(plan(costs, Wanted(hours=50_000, days=days)))["cores"]
    needed = expected(plan(costs, Wanted(hours=50_000, cores=int(cores))))["days"]
    fewer = expected(plan(costs, Wanted(hours=50_000, cores=int(cores) - 1)))["days"]
    assert needed <= days < fewer


def test_gpus_only_where_they_were_measured() -> None:
    on_cpu = plan(EVEN, Wanted(hours=16_800))
    assert "gpus" not in on_cpu.figures
    assert any("GPUs were not measured" in note for note in on_cpu.notes)
    cuda = dataclasses.replace(EVEN, device="cuda")
    on_cuda = plan(cuda, Wanted(hours=16_800))
    assert on_cuda.figures["gpus"].expected == 20 / 4
    assert not any("not measured" in note for note in on_cuda.notes)
    # Two cards hold eight workers; three cores are fewer.
    assert expected(plan(cuda, Wanted(hours=168, gpus=2)))["cores"] == 8
    assert expected(plan(cuda, Wanted(hours=168, gpus=2, cores=3)))["cores"] == 3


def test_shares_of_steps() -> None:
    steps = plan(EVEN, Wanted(hours=1)).steps
    assert list(steps) == ["speech", "screen"]
    assert steps["speech"] == pytest.approx(300_000 / 3600)
    assert sum(steps.values()) == pytest.approx(100)


def test_one_document_has_no_band_and_says_so() -> None:
    planned = plan(sample_of([600.0], [60_000.0]), Wanted(hours=100))
    assert all(figure.low is None for figure in planned.figures.values())
    assert any("1 document measured: too few for a band" in note for note in planned.notes)


def test_few_documents_are_told() -> None:
    few = plan(sample_of([600.0, 700.0], [60_000.0, 80_000.0]), Wanted(hours=100))
    many = plan(sample_of([600.0] * 10, [60_000.0, *[70_000.0] * 9]), Wanted(hours=100))
    assert any("Only 2 documents measured" in note for note in few.notes)
    assert not any("Only" in note for note in many.notes)


def test_what_failed_at_once_costs_but_is_no_document_of_the_band() -> None:
    costs = dataclasses.replace(
        sample_of([600.0, 0.0, 600.0], [60_000.0, 6_000.0, 60_000.0]), media_s=1200.0
    )
    rate = plan(costs, Wanted(hours=100)).figures["cpu_ms_per_media_s"]
    assert rate.expected == pytest.approx(105)
    assert rate.low == pytest.approx(105)  # the two documents cost alike
    assert plan(costs, Wanted(hours=100)).documents_measured == 2


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    # A printed table of Student's t, two-sided 5%.
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_student(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=6e-4)


def test_many_alike_documents_give_the_band_of_a_mean() -> None:
    """Of equal length the ratio is a mean, whose interval every book has."""
    costs = np.random.default_rng(3).normal(100, 10, 400)
    error = costs.std(ddof=1) / math.sqrt(costs.size) / costs.mean()
    factor = spread(np.ones(400), costs, planned=1e9)
    assert factor is not None
    assert math.log(factor) == pytest.approx(1.966 * error, rel=0.01)


def clips(draw: np.random.Generator, number: int) -> Drawn:
    """Short videos of much the same length."""
    media_s = draw.lognormal(4, 0.3, number)
    return media_s, media_s * 100 * draw.lognormal(0, 0.3, number)


def mixed(draw: np.random.Generator, number: int) -> Drawn:
    """Lengths from a minute to hours, long ones cheaper a second."""
    media_s = draw.lognormal(6, 1, number)
    return media_s, media_s**0.9 * 200 * draw.lognormal(0, 0.3, number)


@pytest.mark.parametrize(("number", "planned"), [(3, 500), (12, 500), (60, 500), (60, 60)])
@pytest.mark.parametrize("world", [clips, mixed])
def test_the_band_holds_the_truth_as_often_as_it_says(
    world: Callable[[np.random.Generator, int], Drawn], number: int, planned: int
) -> None:
    """Plan from a sample, then build what was planned in the same world, and count."""
    draw = np.random.default_rng([number, planned, world is clips])
    trials, held = 200, 0
    for _ in range(trials):
        media_s, cpu_ms = world(draw, planned)
        hours = media_s.sum() / 3600
        figure = plan(sample_of(*world(draw, number)), Wanted(hours=hours)).figures["core_hours"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= cpu_ms.sum() / 3.6e6 <= figure.high
    # Two standard errors of a share of 200 are 3%; lengths so unlike cost it a little.
    assert 0.90 <= held / trials <= 0.99


def test_costs_read_back(tmp_path: Path) -> None:
    write_costs(tmp_path, EVEN)
    assert read_costs(tmp_path, tmp_path) == EVEN


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 99},
        {"cpu_ms_by_document": [1.0]},
        {"wall_s": -1.0},
        {"workers": 0},
        {"tokens": None},
    ],
)
def test_damaged_costs_are_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    write_costs(tmp_path, EVEN)
    table = json.loads((tmp_path / COSTS_FILE).read_text()) | damage
    (tmp_path / COSTS_FILE).write_text(json.dumps(table))
    with pytest.raises(InputError, match=r"costs\.json"):
        read_costs(tmp_path, tmp_path)


def test_the_command(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "corpus.parts").mkdir()
    write_costs(tmp_path / "corpus.parts", EVEN)
    told = zhufeng("corpus", "plan", tmp_path, "--hours", "16800")
    assert told.code == 0
    assert "1,680" in told.out
    assert "must be like what is planned" in told.out
    assert "83.3%" in told.out  # speech's share
    table = json.loads(zhufeng("corpus", "plan", tmp_path, "--hours", "16800", "--json").out)
    assert table["figures"]["cores"]["expected"] == 20
    assert zhufeng("corpus", "plan", tmp_path, "--hours", "-1").code == 2
    assert (
        zhufeng("corpus", "plan", tmp_path, "--hours", "1", "--days", "1", "--cores", "2").code == 2
    )
