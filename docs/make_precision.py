"""Writes the table of docs/precision.md from the results of bench/convergence.py.

python docs/make_precision.py
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from convergence_runs import store  # noqa: E402
from convergence_runs.compare import (  # noqa: E402
    Results,
    loss_changes_pct,
    recommended,
    seeds_needed,
)
from convergence_runs.needed import needed  # noqa: E402
from convergence_runs.plan import (  # noqa: E402
    BASELINE,
    BRANCH,
    CHOSEN_ON,
    JUDGED_ON,
    PLACEBO,
    SMALL,
    WHOLE,
    every_run,
    open_runs,
)
from zhufeng.stack import POLICIES  # noqa: E402

PAGE = ROOT / "docs" / "precision.md"


def tables(results: Results) -> str:
    """What branches and whole trainings lose, and how many seeds it takes to tell."""
    left = len(needed(results))
    rest = f", {left} or more are left" if left else ""
    parts = [f"{len(results)} trainings are done{rest}."]
    for title, since in (("second half", BRANCH), ("all", WHOLE)):
        lines = rows(results, since)
        if lines:
            head = f"| steps in the policy: {title} | seeds | {' | '.join(SMALL)} |"
            parts.append("\n".join([head, f"|{'---|' * (2 + len(SMALL))}", *lines]))
    parts += opening(results)
    chosen = recommended(results)
    count = chosen and seeds_needed(results, chosen)
    if count:
        parts.append(
            f"As far as whole trainings in {chosen} spread here, intervals of 0.5% to either side "
            f"on every reference take {count} seeds."
        )
    return "\n\n".join(parts)


def opening(results: Results) -> list[str]:
    """Where the placebo leaves bf16 early, how far chance goes."""
    told = []
    for run in open_runs():
        found = loss_changes_pct(results, run.reference, run.policy, [run.seed], run.since)
        if found is not None and found.value is not None:
            share = f"{100 * run.since:.0f}% of the steps"
            told.append(f"{run.reference}, seed {run.seed}, after {share}: {found.value:+.2f}%")
    return [f"{PLACEBO} that leaves bf16 earlier: {'; '.join(told)}."] if told else []


def rows(results: Results, since: float) -> list[str]:
    """The change of the loss in percent: mean, interval, number of seeds."""
    lines = []
    for policy in POLICIES:
        for name, seeds in (("5 to 9", JUDGED_ON), ("0 to 4", CHOSEN_ON)):
            cells = [cell(results, reference, policy, seeds, since) for reference in SMALL]
            if policy != BASELINE and any(cells):
                lines.append(f"| {policy} | {name} | {' | '.join(cells)} |")
    return lines


def cell(results: Results, reference: str, policy: str, seeds: range, since: float) -> str:
    """Of one policy and reference."""
    found = loss_changes_pct(results, reference, policy, seeds, since)
    if found is None or found.value is None:
        return ""
    if math.isinf(found.value):
        return "diverged"
    if found.low is None:
        return f"{found.value:+.2f}% (1 seed)"
    few = "" if found.runs == len(seeds) else f", {found.runs} seeds"
    return f"{found.value:+.2f}% ({found.low:+.2f} to {found.high:+.2f}{few})"


def page(results: Results) -> str:
    """The whole page, with today's table."""
    text = PAGE.read_text()
    marked = re.compile(r"(<!-- results -->\n).*(<!-- end -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}\n{tables(results)}\n\n{found[2]}", text)


if __name__ == "__main__":
    PAGE.write_text(page(store.standing_results(every_run())))
