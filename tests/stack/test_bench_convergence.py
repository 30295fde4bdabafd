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
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from carry_over import carried
from convergence_runs import compare, identity, store, training
from convergence_runs.needed import needed
from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    BY_COST,
    CHOSEN_ON,
    JUDGED,
    JUDGED_ON,
    PLACEBO,
    SMALL,
    WHOLE,
    Run,
    every_run,
    runs_of,
    shorter_runs,
)
from convergence_runs.probe import Probe, short_training
from convergence_runs.training import Result
from zhufeng.models.reference import REFERENCES, load_reference
from zhufeng.stack import POLICIES
from zhufeng.training import ReferenceTask


def result(loss: float | None, own: str = "") -> Result:
    return {
        "final_loss": loss,
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
    worse: dict[str, float], since: float = WHOLE, seeds: range = range(10)
) -> dict[Run, Result]:
    """Trainings of policies worse than bf16 by some share, a little more or less by seed."""
    found = {run: result(loss(run)) for run in (*runs_of(BASELINE, range(10)), *shorter_runs())}
    for policy, share in worse.items():
        for run in runs_of(policy, seeds, since):
            spread = 0.001 * ((run.seed * 7) % 5 - 2)
            found[run] = result(loss(run, share + spread))
    return found


def seen(worse: dict[str, float]) -> dict[Run, Result]:
    """Branches, on all seeds."""
    return made(worse, BRANCH)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trainings of this test are kept; they are evaluated on few images."""
    monkeypatch.setattr(training, "cache_folder", lambda name: tmp_path)
    monkeypatch.setattr(training, "MORE_IMAGES", 64)
    return tmp_path


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


def test_branches_of_another_trunk_are_left_out() -> None:
    results = made({"block6": 0.01}, BRANCH)
    for run in list(results):
        results[run] = {**results[run], "batch_losses": [3.0] * 10 + [1.0 + len(run.policy)]}
    assert compare.upper_pct(results, "block6", JUDGED_ON, BRANCH) is not None
    other = Run("gpt-gelu-small", "block6", 7, since=BRANCH)
    results[other] = {**results[other], "batch_losses": [3.0, 3.00001, 1.0]}
    assert [run for run in results if compare.foreign(results, run)] == [other]
    assert compare.upper_pct(results, "block6", JUDGED_ON, BRANCH) is None
    branch = Run("mlp-small", PLACEBO, 0, since=BRANCH)
    pair = {Run("mlp-small", BASELINE, 0): result(1.0), branch: result(1.0)}
    assert branch not in needed(pair)
    pair[branch] = {**result(1.0), "batch_losses": [3.0, 2.0]}
    assert branch in needed(pair)
    # Whole trainings have nothing in common.
    whole = {**results, Run("mlp-small", "block6", 7): result(1.0)}
    assert not compare.foreign(whole, Run("mlp-small", "block6", 7))


def test_a_loss_that_more_steps_make_up_for() -> None:
    """1% more, where twice the steps are worth 5% ln 2: e^(0.01 / 0.05) times the steps."""
    results = made({"block5": 0.01})
    found = compare.extra_steps_pct(results, "block5", WHOLE)
    assert found is not None
    assert found.value == pytest.approx(100 * (math.exp(0.2) - 1), rel=0.02)
    assert 0 < (found.low or 0) < 100 * (math.exp(0.2) - 1) < (found.high or 0)
    branches = {**results, **made({"block5": 0.0}, BRANCH)}
    early = compare.extra_steps_pct(branches, "block5", BRANCH)
    assert early is not None
    assert early.value == pytest.approx(0, abs=0.5)
    assert compare.extra_steps_pct({}, "block5", WHOLE) is None
    # Steps that are worth more to one seed than to another leave their mark on the ends.
    unsure = dict(results)
    for run in shorter_runs():
        share = 0.75 if run.seed % 2 else 0.35
        unsure[run] = result(loss(Run(run.reference, BASELINE, run.seed, share)))
    wide = compare.extra_steps_pct(unsure, "block5", WHOLE)
    assert wide is not None
    assert (wide.high or 0) > 1.5 * (found.high or 0)
    # Where it is not certain that more steps help, nothing is told.
    for run in shorter_runs():
        results[run] = result(loss(Run(run.reference, BASELINE, run.seed), 0.01 * (run.seed - 7)))
    assert compare.extra_steps_pct(results, "block5", WHOLE) is None


def test_seeds_that_a_narrow_interval_takes() -> None:
    found = compare.seeds_needed(made({"block6": 0.0}), "block6")
    spread = np.std([0.1 * ((seed * 7) % 5 - 2) for seed in range(10)], ddof=1)
    assert found == math.ceil((1.96 * spread / 0.5) ** 2)


def test_the_cheapest_that_holds_the_bound_is_recommended() -> None:
    worse = {"block4": 0.03, "block4-late": 0.02, "block5": 0.003, "block5-late": 0.0}
    assert compare.recommended(seen(worse)) == "block5"
    assert compare.recommended(seen({**worse, "block4-late": 0.001})) == "block4-late"
    # On other seeds it is judged.
    later = {run: one for run, one in seen({"block5": 0.1}).items() if run.seed > 4}
    assert compare.recommended({**seen(worse), **later}) == "block5"
    # The mean is below the bound, and the interval's end is not.
    assert compare.recommended(seen({**worse, "block5": 0.0045})) == "block5-late"
    # Without branches of all references one is in contest and no more; of cheaper, none is.
    screened = made(worse, BRANCH, range(1))
    assert compare.in_contest(screened) == ("block5", False)
    assert compare.recommended(screened) is None
    # A mean that clearly is too much is enough, be it of one seed.
    few = {**screened, **made({"block5": 0.006}, BRANCH, range(1))}
    assert compare.in_contest(few) == ("block5", False)
    second = Run("mlp-small", "block5", 1, since=BRANCH)
    for over, left in ((0.0075, "block5"), (0.0085, "block5-late")):
        few[second] = result(loss(second, over))
        assert compare.in_contest(few)[0] == left
    few[Run("cnn-small", "block5", 0, since=BRANCH)] = result(9.0)
    assert compare.in_contest(few)[0] == "block5-late"
    # An interval of one reference that does not end below the bound is enough.
    own = {run: one for run, one in seen({"block5": 0.0045}).items() if run.seed in CHOSEN_ON}
    wide = {**screened, **{run: own[run] for run in own if run.reference == "mlp-small"}}
    assert compare.in_contest(wide) == ("block5-late", False)
    del worse["block4-late"]
    assert compare.in_contest(seen(worse)) == (None, False)
    assert compare.in_contest(made(worse)) == (None, False)


def test_what_diverges_is_out() -> None:
    results = seen({"block4": 0.001, "block4-late": 0.0})
    assert compare.recommended(results) == "block4"
    first, later = (Run("cnn-small", "block4", seed, since=BRANCH) for seed in (0, 3))
    for run in (first, later):
        assert compare.recommended({**results, run: result(None)}) == "block4-late"
    found = {**results, later: result(None)}
    assert compare.upper_pct(found, "block4", CHOSEN_ON, BRANCH) == math.inf
    nothing = {**results, Run("cnn-small", BASELINE, 3): result(None)}
    assert compare.recommended(nothing) is None
    whole = made({"block4": 0.0})
    whole[Run("cnn-small", "block4", 3)] = result(None)
    assert compare.seeds_needed(whole, "block4") is None


def test_a_little_more_than_the_bound_on_one_seed_is_not_out() -> None:
    results = made({"block4": 0.001}, BRANCH, range(1))
    for over, left in ((0.0055, "block4"), (0.0065, None)):
        run = Run("mlp-small", "block4", 0, since=BRANCH)
        assert compare.in_contest({**results, run: result(loss(run, over))}) == (left, False)


def test_what_is_needed_is_what_is_missing_and_ends() -> None:
    every = set(every_run())
    results: dict[Run, Result] = {}
    first = needed(results)
    assert [run.policy for run in first[:8]] == [BASELINE] * 4 + [PLACEBO] * 4
    assert first[:8] == [*runs_of(BASELINE, range(1)), *runs_of(PLACEBO, range(1), BRANCH)]
    # Block5 looks good on seed 0, block6 is.
    good = {BASELINE: 0.0, PLACEBO: 0.0, "block6": 0.001}
    while left := needed(results):
        assert len(set(left)) == len(left)
        assert set(left) <= every
        assert not set(left) & set(results)
        for run in left[:2]:
            lucky = run.policy == "block5" and run.seed == 0
            results[run] = result(loss(run, 0.001 if lucky else good.get(run.policy, 0.02)))
    assert compare.recommended(results) == "block6"
    judged = [run for p in ("block6", *JUDGED) for run in runs_of(p, JUDGED_ON, BRANCH)]
    chosen_on = [run for p in ("block6", PLACEBO) for run in runs_of(p, CHOSEN_ON, BRANCH)]
    screened = [run for p in POLICIES if p != BASELINE for run in runs_of(p, range(1), BRANCH)]
    assert set(results) >= {*judged, *chosen_on, *screened, *runs_of("block6", JUDGED_ON)}
    assert Run("mlp-small", "block5", 1, since=BRANCH) in results
    assert Run("mlp-small", "block5", 4, since=BRANCH) not in results
    assert Run("mlp-small", "block8", 1, since=BRANCH) not in results
    assert set(BY_COST) < set(POLICIES)


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
    # A branch that did not begin as its baseline: that is to be trained again.
    branch = Run("mlp-small", "block6", 3, since=BRANCH)
    store.add(branch, result(1.5, own))
    assert other.key in json.loads(store.RESULTS.read_text())
    store.add(branch, {**result(1.5, own), "batch_losses": [3.0]})
    assert set(json.loads(store.RESULTS.read_text())) == {run.key, branch.key}


def test_an_identity_is_of_code_and_of_no_comment() -> None:
    lines = [
        "def f(x: int) -> str:",
        '    """Docs."""',
        '    return f"{x}#" # why',
        '"""More',
        '."""',
    ]
    found = identity.plain("\n".join(lines))
    assert found == "\n".join((lines[0], '    return f"{x}#"'))
    assert identity.plain("\n".join(lines).replace("{x}", "{x + 1}")) != found


def test_results_are_carried_over_to_code_that_does_the_same() -> None:
    same, other, stale = (Run("mlp-small", policy, 0) for policy in ("bf16", "fp32", "block8"))
    results = {run.key: result(1.0, "old") for run in (same, other)}
    results[stale.key] = result(1.0, "older")
    runs = (same, other, stale)
    old, new = dict.fromkeys(results, "old"), dict.fromkeys(results, "new")
    policy = {"rules": [{"since": 0.9}]}
    told = {key: [{"steps": 4000}, policy] for key in results}
    more = {key: [{"steps": 4000, "new": None}, policy] for key in results}
    before = Probe({"mlp-small bf16": "1", "mlp-small fp32": "2"}, old, told)
    after = Probe({"mlp-small bf16": "1", "mlp-small fp32": "3"}, new, more)
    found = carried(results, before, after)
    assert [found[run.key]["identity"] for run in runs] == ["new", "old", "older"]
    assert found[same.key]["final_loss"] == 1.0
    unknown = replace(before, bits={})
    assert carried(results, unknown, replace(unknown, identities=new)) == results
    # What a few steps do not show.
    for settings, own in (({"steps": 4001}, policy), ({"steps": 4000}, {"rules": []})):
        later = replace(after, asked={key: [settings, own] for key in results})
        assert carried(results, before, later) == results


def test_a_short_training_sees_what_code_does(monkeypatch: pytest.MonkeyPatch) -> None:
    branch = Run("mlp-small", "fp32", 0)
    bits = short_training(branch)
    assert short_training(branch) == bits
    assert short_training(Run("mlp-small", "bf16", 0)) != bits
    made_norm = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        "zhufeng.training._loop.clip_grad_norm_", lambda p, clip: made_norm(p, clip * (1 - 1e-6))
    )
    assert short_training(branch) != bits


def test_a_held_out_loss_that_is_no_number_is_none() -> None:
    for last, right in ((1.5, 1.5), (None, None), (math.nan, None)):
        lines: list[dict[str, float | None]] = [{"held_out_loss": 3.0}, {"loss": 2.0}]
        assert training._last([*lines, {"held_out_loss": last}, {"loss": 1.0}]) == right


@pytest.mark.usefixtures("folder")
def test_a_training_that_diverges_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    run, draw = Run("mlp-small", "block4", 0, share=0.01), ReferenceTask.batch

    def broken(self: ReferenceTask, step: int, micro: int) -> tuple[torch.Tensor, torch.Tensor]:
        images, classes = draw(self, step, micro)
        return images.float() * (math.nan if step == 30 else 1.0), classes

    with monkeypatch.context() as patched:
        patched.setattr(ReferenceTask, "batch", broken)
        found = training.trained(run)
    assert found["final_loss"] is None
    assert len(found["batch_losses"]) == 15
    assert found["parameters"] == training.trained(run)["parameters"]


def test_a_killed_training_is_counted_and_told_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, draw = Run("mlp-small", "block4", 0, share=0.01), ReferenceTask.batch
    right = training.trained(run)

    def killed(self: ReferenceTask, step: int, micro: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == 30:
            raise KeyboardInterrupt
        return draw(self, step, micro)

    with monkeypatch.context() as patched:
        patched.setattr(ReferenceTask, "batch", killed)
        with pytest.raises(KeyboardInterrupt):
            training.trained(run)
    (left,) = folder.iterdir()
    (left / "cpu_s").write_text("1000")
    found = training.trained(run)
    assert found["cpu_s"] > 1000
    assert {**found, "cpu_s": 0} == {**right, "cpu_s": 0}


def test_every_policy_and_reference_has_an_identity_of_its_own() -> None:
    every = [(policy, since) for policy in POLICIES for since in (WHOLE, BRANCH)]
    runs = {run for policy, since in every for run in runs_of(policy, range(1), since)}
    told = [identity.identity(run.reference, run.formats) for run in runs]
    assert len(set(told)) == len(told)


def test_the_page_has_the_standing_results() -> None:
    made = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_precision.py"))
    assert made["page"](store.standing_results(every_run())) == made["PAGE"].read_text()


@pytest.mark.parametrize("since", [0.1, BRANCH])
def test_a_branch_goes_on_from_the_trunk_and_ends_the_same(folder: Path, since: float) -> None:
    run, other = (Run("mlp-small", "block5", seed, share=0.01, since=since) for seed in (0, 1))
    whole = training.trained(run)
    (trunk,) = folder.iterdir()
    again = training.trained(run)
    assert {**again, "cpu_s": 0} == {**whole, "cpu_s": 0}
    narrow = replace(run, policy="block4")
    found = training.trained(narrow)["final_loss"]
    shutil.rmtree(trunk)
    assert training.trained(narrow)["final_loss"] == found != whole["final_loss"]
    # The trunk is what it goes on from: with that of another seed it ends elsewhere.
    training.trained(other)
    (foreign,) = set(folder.iterdir()) - {trunk}
    shutil.rmtree(trunk)
    foreign.rename(trunk)
    assert training.trained(run)["final_loss"] != whole["final_loss"]


def test_images_are_held_out_in_numbers_and_none_is_trained_on() -> None:
    settings = REFERENCES["mlp-small"]
    found = [one for one, _ in training.held_out(load_reference("mlp-small"))]
    assert sum(map(len, found)) == settings.held_out + identity.MORE_IMAGES
    own = {bytes(image.numpy()) for one in found for image in one}
    assert len(own) == settings.held_out + identity.MORE_IMAGES
    for seed in (*CHOSEN_ON, *JUDGED_ON):
        images, _ = load_reference("mlp-small").data(seed).batch(0, settings.batch)
        assert not own & {bytes(image.numpy()) for image in images}
    gpt = load_reference("gpt-gelu-small")
    pairs = zip(training.held_out(gpt), gpt.data(0).held_out(), strict=True)
    assert all(torch.equal(ours[0], theirs[0]) for ours, theirs in pairs)


def test_a_branch_is_the_baseline_until_it_begins() -> None:
    branch = Run("mlp-small", "block5-late", 0, since=BRANCH).formats
    wide, narrow, planes = (branch.rule("linear", "head", at) for at in (0.49, 0.5, 0.9))
    assert wide is not None
    assert wide.weight.format == "bf16"
    assert narrow is not None
    assert (narrow.weight.format, narrow.weight.planes) == ("block5", 1)
    assert planes is not None
    assert planes.weight.planes == 2
