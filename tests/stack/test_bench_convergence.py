"""What bench/convergence.py makes of trainings: intervals, what steps are worth, what is needed."""

from __future__ import annotations

import json
import math
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from convergence_runs import compare, identity, store, training
from convergence_runs.needed import needed
from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    BY_COST,
    CHOSEN_ON,
    IN_TURN,
    JUDGED_ON,
    PLACEBO,
    SMALL,
    Run,
    every_run,
    runs_of,
    shorter_runs,
)
from convergence_runs.training import Result
from zhufeng.stack import POLICIES


def result(loss: float, own: str = "") -> Result:
    return {
        "final_loss": loss,
        "losses": [],
        "batch_losses": [],
        "targets": 2100,
        "parameters": 100,
        "cpu_s": 1.0,
        "identity": own,
        "machine": "",
        "torch": "",
        "date": "",
    }


def loss(run: Run, worse: float = 0.0) -> float:
    """Of trainings whose loss falls with the logarithm of the steps, from seed to seed another."""
    basin = 1 + 0.02 * np.sin(17.0 * run.seed + len(run.reference))
    return float(basin * (1 - 0.05 * math.log(run.share)) * (1 + worse))


def made(
    worse: dict[str, float], since: float = 0.0, seeds: range = range(10)
) -> dict[Run, Result]:
    """Trainings of policies worse than bf16 by some share, a little more or less by seed."""
    found = {run: result(loss(run)) for run in (*runs_of(BASELINE, range(10)), *shorter_runs())}
    for policy, share in worse.items():
        for run in runs_of(policy, seeds, since):
            spread = 0.001 * ((run.seed * 7) % 5 - 2)
            found[run] = result(loss(run, share + spread))
    return found


def test_intervals_are_students() -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(0)
    for count in range(2, 11):
        values = draw.standard_normal(count).tolist()
        found = compare.interval(values)
        assert found is not None
        right = stats.t.interval(0.95, count - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx(right, rel=1e-3)
    assert compare.interval([]) is None
    alone = compare.interval([1.0])
    assert alone is not None
    assert (alone.value, alone.low, alone.high) == (1.0, None, None)


def test_changes_are_those_of_the_same_seed() -> None:
    results = made({"block6": 0.01})
    for reference in SMALL:
        found = compare.loss_changes_pct(results, reference, "block6", JUDGED_ON)
        assert found is not None
        assert found.value == pytest.approx(1.0, abs=1e-9)
        assert found.high == pytest.approx(1.0 + 2.776 * 0.1 * math.sqrt(2.5 / 5), rel=1e-6)
    assert compare.loss_changes_pct(results, "cnn-small", "block6", JUDGED_ON, BRANCH) is None
    del results[Run("cnn-small", "block6", 3)]
    assert compare.upper_pct(results, "block6", CHOSEN_ON) is None
    assert compare.upper_pct(results, "block6", JUDGED_ON) is not None


def test_a_loss_that_more_steps_make_up_for() -> None:
    """1% more, where twice the steps are worth 5% ln 2: e^(0.01 / 0.05) times the steps."""
    results = made({"block5": 0.01})
    found = compare.extra_steps_pct(results, "block5")
    assert found is not None
    assert found.value == pytest.approx(100 * (math.exp(0.2) - 1), rel=0.02)
    assert 0 < (found.low or 0) < 100 * (math.exp(0.2) - 1) < (found.high or 0)
    branches = {**results, **made({"block5": 0.0}, BRANCH)}
    half = compare.extra_steps_pct(branches, "block5", BRANCH)
    assert half is not None
    assert half.value == pytest.approx(0, abs=0.5)
    assert compare.extra_steps_pct({}, "block5") is None
    # Where it is not certain that more steps help, nothing is told.
    for run in shorter_runs():
        results[run] = result(loss(Run(run.reference, BASELINE, run.seed), 0.01 * (run.seed - 7)))
    assert compare.extra_steps_pct(results, "block5") is None


def test_seeds_that_a_narrow_interval_takes() -> None:
    found = compare.seeds_needed(made({"block6": 0.0}), "block6")
    spread = np.std([0.1 * ((seed * 7) % 5 - 2) for seed in range(10)], ddof=1)
    assert found == math.ceil((1.96 * spread / 0.5) ** 2)


def test_the_cheapest_that_holds_the_bound_is_recommended() -> None:
    worse = {"block4": 0.03, "block4-late": 0.02, "block5": 0.003, "block6": 0.0}
    assert compare.recommended(made(worse, BRANCH)) == "block5"
    assert compare.recommended(made({**worse, "block4-late": 0.001}, BRANCH)) == "block4-late"
    # On other seeds it is judged.
    later = {run: one for run, one in made({"block5": 0.1}, BRANCH).items() if run.seed > 4}
    assert compare.recommended({**made(worse, BRANCH), **later}) == "block5"
    # The mean is below the bound, and the interval's end is not.
    assert compare.recommended(made({**worse, "block5": 0.0045}, BRANCH)) is None
    del worse["block4-late"]
    assert compare.recommended(made(worse, BRANCH)) is None
    assert compare.recommended(made(worse)) is None


def test_what_is_needed_is_what_is_missing_and_ends() -> None:
    every = set(every_run())
    results: dict[Run, Result] = {}
    first = needed(results)
    assert [run.policy for run in first[:8]] == [BASELINE] * 4 + [PLACEBO] * 4
    assert [run.since for run in first[:8]] == [0.0] * 4 + [BRANCH] * 4
    rounds = 0
    while left := needed(results):
        rounds += 1
        assert len(set(left)) == len(left)
        assert set(left) <= every
        assert not set(left) & set(results)
        results |= {run: result(loss(run, 0.0005 * len(run.policy))) for run in left}
    assert 1 <= rounds < 5
    trained = {(run.policy, run.reference) for run in results}
    assert trained >= {(p, r) for p in POLICIES if p != "fp32" for r in SMALL}
    assert set(BY_COST) == set(IN_TURN) < set(POLICIES)


def test_a_result_of_other_code_or_formats_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results.json")
    run, other = Run("mlp-small", "block6", 3), Run("mlp-small", "bf16", 3)
    own = identity.identity(run.reference, run.formats)
    store.add(run, result(1.5, own))
    store.add(other, result(1.4, own))
    found = store.standing_results([run, other, Run("mlp-small", "block5", 3)])
    assert found == {run: result(1.5, own)}
    assert set(json.loads(store.RESULTS.read_text())) == {run.key, other.key}


def test_every_policy_and_reference_has_an_identity_of_its_own() -> None:
    runs = [run for policy in POLICIES for run in runs_of(policy, range(1), BRANCH)]
    runs += [run for policy in POLICIES for run in runs_of(policy, range(1))]
    told = [identity.identity(run.reference, run.formats) for run in runs]
    assert len(set(told)) == len(told)


def test_the_page_has_the_standing_results() -> None:
    made = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_precision.py"))
    assert made["page"](store.standing_results(every_run())) == made["PAGE"].read_text()


def test_a_branch_goes_on_from_the_trunk_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "cache_folder", lambda name: tmp_path)
    run, other = (Run("mlp-small", "block5", seed, share=0.01, since=BRANCH) for seed in (0, 1))
    whole = training.trained(run)
    (trunk,) = tmp_path.iterdir()
    again = training.trained(run)
    assert {**again, "cpu_s": 0} == {**whole, "cpu_s": 0}
    narrow = replace(run, policy="block4")
    found = training.trained(narrow)["final_loss"]
    shutil.rmtree(trunk)
    assert training.trained(narrow)["final_loss"] == found != whole["final_loss"]
    # The trunk is what it goes on from: with that of another seed it ends elsewhere.
    training.trained(other)
    (foreign,) = set(tmp_path.iterdir()) - {trunk}
    shutil.rmtree(trunk)
    foreign.rename(trunk)
    assert training.trained(run)["final_loss"] != whole["final_loss"]


def test_a_branch_is_the_baseline_until_it_begins() -> None:
    branch = Run("mlp-small", "block5-late", 0, since=BRANCH).formats
    wide, narrow, planes = (branch.rule("linear", "head", at) for at in (0.49, 0.5, 0.9))
    assert wide is not None
    assert wide.weight.format == "bf16"
    assert narrow is not None
    assert (narrow.weight.format, narrow.weight.planes) == ("block5", 1)
    assert planes is not None
    assert planes.weight.planes == 2
