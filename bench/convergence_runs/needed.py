"""Which trainings to make next, given those that are made."""

from __future__ import annotations

from collections.abc import Iterator

from convergence_runs.compare import Results, branches, foreign, in_contest
from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    CHOSEN_ON,
    JUDGED,
    JUDGED_ON,
    PLACEBO,
    SCREENED_ON,
    WHOLE,
    Run,
    open_runs,
    runs_of,
    shorter_runs,
)
from zhufeng.stack import POLICIES


def needed(results: Results) -> list[Run]:
    """Those that are not made yet, the most telling first.

    What comes after others is told as soon as they are made.
    """
    wanted = dict.fromkeys(_wanted(results))
    return [run for run in wanted if run not in results or foreign(results, run)]


def _wanted(results: Results) -> Iterator[Run]:
    yield from runs_of(BASELINE, SCREENED_ON)
    for policy in (one for one in POLICIES if one != BASELINE):
        yield from runs_of(policy, SCREENED_ON, BRANCH)
    candidate, holds = in_contest(results)
    if candidate:
        yield from _contest(results, candidate)
    chosen = [candidate] if candidate and holds else []
    yield from _branches([PLACEBO], CHOSEN_ON)
    yield from _branches([*chosen, *JUDGED], JUDGED_ON)
    yield from shorter_runs()
    yield from open_runs()
    for policy in (PLACEBO, *chosen):
        yield from runs_of(policy, JUDGED_ON)


def _contest(results: Results, candidate: str) -> Iterator[Run]:
    """First where it lost most: there it is soonest known not to hold."""
    lost = branches(results, candidate)
    for reference in sorted(lost, key=lambda one: -(lost[one].value or 0.0)):
        for seed in CHOSEN_ON:
            yield Run(reference, BASELINE, seed)
            yield Run(reference, candidate, seed, since=BRANCH)


def _branches(policies: list[str], seeds: range) -> Iterator[Run]:
    """Seed by seed the baseline, and what branches off from it."""
    for seed in seeds:
        for policy, since in ((BASELINE, WHOLE), *((one, BRANCH) for one in policies)):
            yield from runs_of(policy, range(seed, seed + 1), since)
