"""Which trainings to make next, given those that are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convergence_runs.compare import Results, is_out, recommended
from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    CHOSEN_ON,
    IN_TURN,
    JUDGED,
    JUDGED_ON,
    PLACEBO,
    SCREENED_ON,
    Run,
    runs_of,
    shorter_runs,
)
from zhufeng.stack import POLICIES


def needed(results: Results) -> list[Run]:
    """Those that are not made yet, the most telling first.

    What comes after a policy is chosen is told as soon as one is.
    """
    found = dict.fromkeys(run for run in _wanted(results) if run not in results)
    return list(found)


def _wanted(results: Results) -> Iterator[Run]:
    for seed in CHOSEN_ON:
        screened = seed in SCREENED_ON
        left = (one for one in IN_TURN if screened or not is_out(results, one))
        yield from _of_seed(seed, [PLACEBO, *left] if screened else left)
    chosen = recommended(results)
    judged = [one for one in (chosen, *JUDGED) if one is not None]
    for seed in JUDGED_ON:
        yield from _of_seed(seed, judged)
    for policy in (one for one in POLICIES if one != BASELINE):
        yield from runs_of(policy, SCREENED_ON, BRANCH)
    yield from shorter_runs()
    for policy in judged:
        yield from runs_of(policy, JUDGED_ON)


def _of_seed(seed: int, policies: Iterable[str]) -> Iterator[Run]:
    """The baseline, and what branches off from it."""
    yield from runs_of(BASELINE, range(seed, seed + 1))
    for policy in policies:
        yield from runs_of(policy, range(seed, seed + 1), BRANCH)
