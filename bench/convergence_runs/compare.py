"""Policies against bf16, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from convergence_runs.plan import (
    BASELINE,
    BY_COST,
    CHOSEN_ON,
    JUDGED_ON,
    SCREENED_ON,
    SHORTER,
    SHORTER_ON,
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


def dropped(results: Results, policy: str) -> bool:
    """Whether on the first seeds it lost more than the bound on some reference."""
    found = [loss_changes_pct(results, reference, policy, SCREENED_ON) for reference in SMALL]
    return any(one is not None and (one.value or 0) > BOUND_PCT for one in found)


def contender(results: Results) -> str | None:
    """The cheapest policy that may still hold the bound on the seeds on which one is chosen.

    None if there is none.
    """
    for policy in BY_COST:
        upper = upper_pct(results, policy, CHOSEN_ON)
        if not dropped(results, policy) and (upper is None or upper < BOUND_PCT):
            return policy
    return None


def recommended(results: Results) -> str | None:
    """The cheapest policy that holds the bound on the seeds on which it is chosen.

    None if there is none, or trainings are missing.
    """
    policy = contender(results)
    return policy if policy and upper_pct(results, policy, CHOSEN_ON) is not None else None


def extra_steps_pct(results: Results, policy: str) -> float | None:
    """How many steps more it takes to bf16's loss: the mean over seeds, of the worst reference.

    What steps are worth is taken from bf16 trained for fewer of them: near the end the loss falls
    in proportion to the logarithm of the steps. None where trainings are missing.
    """
    found = [_extra(results, reference, policy) for reference in SMALL]
    known = [one for one in found if one is not None]
    return max(known) if len(known) == len(found) else None


def _extra(results: Results, reference: str, policy: str) -> float | None:
    falls = _differences(results, [Run(reference, BASELINE, seed, SHORTER) for seed in SHORTER_ON])
    losses = _differences(results, [Run(reference, policy, seed) for seed in JUDGED_ON])
    if falls is None or losses is None:
        return None
    slope = statistics.mean(falls) / math.log(SHORTER)
    return 100 * statistics.mean(math.exp(-loss / slope) - 1 for loss in losses)


def _differences(results: Results, runs: Sequence[Run]) -> list[float] | None:
    """What each loses against the baseline of its seed, in nats; None where one is missing."""
    found = []
    for run in runs:
        ours, bf16 = results.get(run), results.get(Run(run.reference, BASELINE, run.seed))
        if ours is None or bf16 is None:
            return None
        found.append(ours["final_loss"] - bf16["final_loss"])
    return found


def tokens_per_parameter(results: Results) -> float | None:
    """The fewest of a GPT that has been trained at full length."""
    found = [
        result["targets"] / result["parameters"]
        for run, result in results.items()
        if run.reference.startswith("gpt") and run.share == 1
    ]
    return min(found, default=None)
