"""Policies against bf16, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

from convergence_runs.plan import (
    BASELINE,
    BY_COST,
    CHOSEN_ON,
    JUDGED_ON,
    SHORTER,
    SMALL,
    Run,
)
from convergence_runs.training import Result
from harness import Figure

Results = Mapping[Run, Result]
BOUND_PCT = 0.5
"""What the upper end of a recommended policy's interval must stay below."""
# Student's t at 97.5%, by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def loss_changes_pct(
    results: Results, reference: str, policy: str, seeds: Iterable[int]
) -> Figure | None:
    """The mean change of the final held-out loss in percent, with its 95% t-interval.

    None below two seeds that both have been trained on.
    """
    changes = []
    for seed in seeds:
        ours, bf16 = (results.get(Run(reference, one, seed)) for one in (policy, BASELINE))
        if ours and bf16:
            changes.append(100 * (ours["final_loss"] / bf16["final_loss"] - 1))
    if len(changes) - 1 not in _T:
        return None
    mean, count = statistics.mean(changes), len(changes)
    half = _T[count - 1] * statistics.stdev(changes) / math.sqrt(count)
    return Figure(mean, mean - half, mean + half, count)


def upper_pct(results: Results, policy: str, seeds: range) -> float | None:
    """The upper end of the interval, of the worst of all references.

    None where a training is missing.
    """
    found = [loss_changes_pct(results, reference, policy, seeds) for reference in SMALL]
    if any(one is None or one.runs < len(seeds) for one in found):
        return None
    return max(one.high for one in found if one is not None and one.high is not None)


def recommended(results: Results) -> str | None:
    """The cheapest policy that holds the bound on the seeds on which it is chosen."""
    for policy in BY_COST:
        upper = upper_pct(results, policy, CHOSEN_ON)
        if upper is None:
            return None
        if upper < BOUND_PCT:
            return policy
    return None


def extra_steps_pct(results: Results, policy: str) -> float | None:
    """How many steps more it takes to bf16's loss: the mean over seeds, of the worst reference.

    What steps are worth is taken from bf16 trained for fewer of them: near the end the loss falls
    in proportion to the logarithm of the steps.
    """
    worst = None
    for reference in SMALL:
        every = [_extra(results, reference, policy, seed) for seed in JUDGED_ON]
        known = [one for one in every if one is not None]
        if len(known) < len(every):
            return None
        mean = statistics.mean(known)
        worst = mean if worst is None else max(worst, mean)
    return worst


def _extra(results: Results, reference: str, policy: str, seed: int) -> float | None:
    ours, bf16 = (results.get(Run(reference, one, seed)) for one in (policy, BASELINE))
    shorter = [results.get(Run(reference, BASELINE, seed, share)) for share in SHORTER]
    if not (ours and bf16 and all(shorter)):
        return None
    logs = [math.log(share) for share in SHORTER]
    falls = [one["final_loss"] - bf16["final_loss"] for one in shorter if one]
    # A line through the full length's loss.
    slope = sum(x * y for x, y in zip(logs, falls, strict=True)) / sum(x * x for x in logs)
    return 100 * (math.exp((bf16["final_loss"] - ours["final_loss"]) / slope) - 1)


def tokens_per_parameter(results: Results) -> float | None:
    """The fewest of a GPT that has been trained at full length."""
    found = [
        result["targets"] / result["parameters"]
        for run, result in results.items()
        if run.reference.startswith("gpt") and run.share == 1
    ]
    return min(found, default=None)
