"""Which trainings to make next, given those that are made."""

from __future__ import annotations

from collections.abc import Iterator

from convergence_runs.compare import Results, contender, dropped
from convergence_runs.plan import (
    BASELINE,
    BY_COST,
    CHOSEN_ON,
    JUDGED,
    JUDGED_ON,
    PLANNED,
    SCREENED_ON,
    Run,
    runs_of,
    shorter_runs,
)
from zhufeng.stack import POLICIES


def needed(results: Results) -> list[Run]:
    """Those that are not made yet, the most telling first.

    It is told as if the cheapest policy that is not out yet were the one that is chosen: with
    each result it may become another one.
    """
    found = dict.fromkeys(run for run in _wanted(results) if run not in results)
    return list(found)


def _wanted(results: Results) -> Iterator[Run]:
    for pair in zip(CHOSEN_ON, JUDGED_ON, strict=True):
        for seed in pair:
            for policy in (BASELINE, PLANNED):
                yield from runs_of(policy, range(seed, seed + 1))
    for seed in CHOSEN_ON:
        for policy in (one for one in BY_COST if one != PLANNED):
            yield from runs_of(policy, range(seed, seed + 1))
    chosen = contender(results)
    if chosen is not None:
        for seeds in (CHOSEN_ON, JUDGED_ON):
            yield from runs_of(BASELINE, seeds)
            yield from runs_of(chosen, seeds)
    yield from shorter_runs()
    for policy in JUDGED:
        yield from runs_of(policy, JUDGED_ON)
    for policy in POLICIES:
        if policy not in (BASELINE, "fp32") and not dropped(results, policy):
            yield from runs_of(policy, SCREENED_ON)
