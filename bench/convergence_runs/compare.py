"""Policies against bf16, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    BY_COST,
    CHOSEN_ON,
    JUDGED_ON,
    SHORTER,
    SMALL,
    WHOLE,
    Run,
)
from convergence_runs.training import Result, began_otherwise
from harness import Figure

Results = Mapping[Run, Result]
BOUND_PCT = 0.5
"""What the upper end of a recommended policy's interval must stay below."""
CHANCE_PCT = 0.1
"""As far as chance moves the branch of one seed: a policy that is over the bound by less is not out
yet.
"""
# Student's t at 97.5%, by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def loss_changes_pct(
    results: Results, reference: str, policy: str, seeds: Iterable[int], since: float = WHOLE
) -> Figure | None:
    """The mean change of the final held-out loss in percent, with its 95% t-interval.

    Without an interval of one seed; None where there is no seed that both have been trained on. One
    that has diverged makes it infinite.
    """
    return interval(_changes(results, reference, policy, seeds, since))


def _changes(
    results: Results, reference: str, policy: str, seeds: Iterable[int], since: float
) -> list[float]:
    """In percent, of the seeds that both have been trained on."""
    pairs = [_pair(results, Run(reference, policy, seed, since=since)) for seed in seeds]
    return [100 * (pair[0] / pair[1] - 1) for pair in pairs if pair is not None]


def _pair(results: Results, run: Run) -> tuple[float, float] | None:
    """Its final loss and that of the baseline of its seed.

    None where one is missing, or what they should have in common is not the same.
    """
    ours, bf16 = results.get(run), results.get(_baseline(run))
    if ours is None or bf16 is None or bf16["final_loss"] is None or foreign(results, run):
        return None
    own = ours["final_loss"]
    return (math.inf if own is None else own), bf16["final_loss"]


def foreign(results: Results, run: Run) -> bool:
    """Whether a training and its baseline have not in common what they should."""
    ours, bf16 = results.get(run), results.get(_baseline(run))
    return ours is not None and bf16 is not None and began_otherwise(run, ours, bf16)


def _baseline(run: Run) -> Run:
    return Run(run.reference, BASELINE, run.seed)


def interval(values: Sequence[float]) -> Figure | None:
    """Their mean with its 95% t-interval, of one value without; None of none."""
    if not values:
        return None
    mean, count = statistics.mean(values), len(values)
    if count == 1 or math.isinf(mean):
        return Figure(mean, runs=count)
    half = _T[count - 1] * statistics.stdev(values) / math.sqrt(count)
    return Figure(mean, mean - half, mean + half, count)


def upper_pct(results: Results, policy: str, seeds: range, since: float = WHOLE) -> float | None:
    """The upper end of the interval, of the worst of all references.

    None where a training is missing.
    """
    found = [loss_changes_pct(results, one, policy, seeds, since) for one in SMALL]
    known = [one for one in found if one is not None and one.runs == len(seeds)]
    if len(known) < len(found):
        return None
    return max(math.inf if one.high is None else one.high for one in known)


def seeds_needed(results: Results, policy: str) -> int | None:
    """How many whole trainings an interval takes that is as narrow as the bound to either side, of
    the worst reference: with the normal distribution's 1.96 and the spread of all seeds there are.
    """
    spread = []
    for reference in SMALL:
        changes = _changes(results, reference, policy, range(JUDGED_ON.stop), WHOLE)
        if len(changes) - 1 not in _T or math.inf in changes:
            return None
        spread.append(statistics.stdev(changes))
    return math.ceil((1.96 * max(spread) / BOUND_PCT) ** 2)


def in_contest(results: Results) -> tuple[str | None, bool]:
    """The cheapest policy that nothing speaks against, and whether it is known to hold the bound:
    whether the intervals of its branches, on the seeds on which one is chosen, end below it.

    Against a policy speaks the mean of some seeds, or a single one, that lost more than the bound,
    and more than chance can have made of it; and an interval that does not end below it. None if
    there is none left, or a cheaper one has not been screened.
    """
    for policy in BY_COST:
        lost = branches(results, policy)
        ends = [one.high or 0.0 for one in lost.values() if one.runs == len(CHOSEN_ON)]
        means = [one.value or 0.0 for one in lost.values()]
        if any(one > BOUND_PCT + CHANCE_PCT for one in means) or any(e >= BOUND_PCT for e in ends):
            continue
        if len(lost) < len(SMALL):
            return None, False
        return policy, len(ends) == len(SMALL)
    return None, False


def branches(results: Results, policy: str) -> dict[str, Figure]:
    """What a policy lost on the seeds on which one is chosen, as far as it is trained on them, by
    reference.
    """
    found = {one: loss_changes_pct(results, one, policy, CHOSEN_ON, BRANCH) for one in SMALL}
    return {name: one for name, one in found.items() if one is not None}


def recommended(results: Results) -> str | None:
    """The policy in contest, once it is known to hold the bound."""
    policy, holds = in_contest(results)
    return policy if holds else None


def extra_steps_pct(results: Results, policy: str, since: float) -> Figure | None:
    """How many steps more it takes to bf16's loss, of the worst reference: the mean over seeds with
    its 95% t-interval.

    What steps are worth is taken from bf16 trained for half of them, on the same seeds, as if the
    loss went on to fall with the logarithm of the steps; it falls more slowly, so that more steps
    than these are needed. The interval's ends are those of the loss where steps are worth least,
    and most. None where trainings are missing, or the fall is not certain.
    """
    found = [_extra(results, one, policy, since) for one in SMALL]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return max(known, key=lambda one: math.inf if one.high is None else one.high)


def _extra(results: Results, reference: str, policy: str, since: float) -> Figure | None:
    shorter = [Run(reference, BASELINE, seed, SHORTER) for seed in JUDGED_ON]
    ours = [Run(reference, policy, seed, since=since) for seed in JUDGED_ON]
    falls, losses = _differences(results, shorter), _differences(results, ours)
    if falls is None or losses is None:
        return None
    fall, lost = interval(falls), interval(losses)
    if fall is None or lost is None or fall.value is None or not fall.low or not fall.high:
        return None
    if fall.low <= 0:
        return None
    ends = (fall.low, fall.high)
    low = None if lost.low is None else min(_steps_for(lost.low, one) for one in ends)
    high = None if lost.high is None else max(_steps_for(lost.high, one) for one in ends)
    return Figure(_steps_for(lost.value or 0.0, fall.value), low, high, lost.runs)


def _steps_for(lost: float, fall: float) -> float:
    """In percent, where the loss falls by `fall` from `SHORTER` of the steps to all of them."""
    return 100 * (math.exp(lost * -math.log(SHORTER) / fall) - 1)


def _differences(results: Results, runs: Sequence[Run]) -> list[float] | None:
    """What each loses against the baseline of its seed, in nats; None where one is missing."""
    pairs = [_pair(results, run) for run in runs]
    known = [ours - bf16 for ours, bf16 in filter(None, pairs)]
    return known if len(known) == len(pairs) else None


def tokens_per_parameter(results: Results) -> float | None:
    """The fewest of a GPT that has been trained at full length."""
    found = [
        result["targets"] / result["parameters"]
        for run, result in results.items()
        if run.reference.startswith("gpt") and run.share == 1
    ]
    return min(found, default=None)
