"""What number formats do to training: the change of the final held-out loss against bf16.

Each frozen reference (its small size) is trained in each policy of ``zhufeng.stack.POLICIES`` on
ten seeds; a policy is chosen on seeds 0 to 4 and judged on 5 to 9, seed by seed against bf16, with
the 95% t-interval of the mean change. A full run trains what ``bench/results/convergence.json``
does not hold yet, two trainings at a time, each on one core, adds each result as it comes, and so
goes on after a kill. ``--quick`` only reads that file: together the trainings take many hours,
which are told before they begin. A result whose code, formats or settings have changed since
counts for nothing.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor

from convergence_runs import store
from convergence_runs.compare import (
    extra_steps_pct,
    loss_changes_pct,
    recommended,
    tokens_per_parameter,
    upper_pct,
)
from convergence_runs.plan import CHOSEN_ON, JUDGED_ON, SMALL, Run, every_run
from convergence_runs.predict import predicted
from convergence_runs.training import trained
from harness import Figure, Report, main
from zhufeng.stack import POLICIES

_AT_ONCE = 2


def measure(quick: bool, seed: int) -> Report:
    """The figures, of what has been trained."""
    del seed
    if not quick:
        _train_the_rest()
    results = store.standing_results(every_run())
    chosen = recommended(results)
    figures: dict[str, Figure] = {
        "loss_change_upper_pct": Figure(upper_pct(results, chosen, JUDGED_ON) if chosen else None),
        "extra_steps_pct": Figure(extra_steps_pct(results, chosen) if chosen else None),
        "mxfp8_loss_change_upper_pct": Figure(upper_pct(results, "mxfp8", JUDGED_ON)),
        "tokens_per_parameter": Figure(tokens_per_parameter(results)),
    }
    for policy in POLICIES:
        for reference in SMALL:
            stem = f"{policy}_{reference}".replace("-", "_")
            for name, seeds in (("judged", JUDGED_ON), ("chosen_on", CHOSEN_ON)):
                changes = loss_changes_pct(results, reference, policy, seeds)
                if changes is not None:
                    figures[f"{stem}_{name}_pct"] = changes
    beside = {
        "recommended policy": chosen or "none yet",
        "trainings": f"{len(results)} of {len(list(every_run()))}",
    }
    return Report(figures, beside)


def _train_the_rest() -> None:
    results = store.read()
    left = [run for run in every_run() if store.standing(results, run) is None]
    sys.stderr.write(predicted(left, results) + "\n")
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(_AT_ONCE) as pool:
        for told in pool.map(_one, left):
            sys.stderr.write(told + "\n")


def _one(run: Run) -> str:
    result = trained(run)
    store.add(run, result)
    return f"{run.key}: {result['final_loss']:.5f} after {result['cpu_s']:.0f} s of CPU time"


if __name__ == "__main__":
    main("convergence", __doc__ or "", measure, packages=("torch", "numpy"))
