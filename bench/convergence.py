"""What number formats do to training: the change of the final held-out loss against bf16.

Each frozen reference (its small size) is trained in the policies of ``zhufeng.stack.POLICIES``, and
compared seed by seed with bf16: the 95% t-interval of the mean change. Trained from the first step,
a model may end a percent or two better or worse by chance, so what is compared are branches: both
sides have the first half of the steps in common, in bf16, and one goes on in the policy. All
policies are screened on seed 0. Of those that do not clearly lose more than 0.5%, the cheapest
whose interval stays below that on seeds 0 to 4 is chosen, and judged in the same way on 5 to 9:
``loss_change_upper_pct``. Then it is trained from the first step on these too:
``whole_loss_change_upper_pct``. A full run trains what ``bench/results/convergence.json`` does not
hold yet, two trainings at a time, each on one core, adds each result as it comes, and so goes on
after a kill. ``--quick`` only reads that file: together the trainings take many hours, which are
told before they begin. A result whose code, formats or settings have changed since counts for
nothing.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import product

from convergence_runs import store
from convergence_runs.compare import (
    Results,
    extra_steps_pct,
    loss_changes_pct,
    recommended,
    seeds_needed,
    tokens_per_parameter,
    upper_pct,
)
from convergence_runs.needed import needed
from convergence_runs.plan import (
    BASELINE,
    BRANCH,
    CHOSEN_ON,
    JUDGED_ON,
    PLACEBO,
    SMALL,
    WHOLE,
    Run,
    every_run,
    open_runs,
)
from convergence_runs.predict import predicted
from convergence_runs.training import trained
from harness import Figure, Report, main
from zhufeng.stack import POLICIES

_AT_ONCE = 2
_PR_SET_PDEATHSIG = 1


def measure(quick: bool, seed: int) -> Report:
    """The figures, of what has been trained."""
    del seed
    if not quick:
        _train_the_rest()
    results = store.standing_results(every_run())
    chosen = recommended(results)
    figures: dict[str, Figure] = {
        "loss_change_upper_pct": _upper(results, chosen, JUDGED_ON, BRANCH),
        "extra_steps_pct": _extra_steps(results, chosen),
        "mxfp8_loss_change_upper_pct": _upper(results, "mxfp8", JUDGED_ON, BRANCH),
        "tokens_per_parameter": Figure(tokens_per_parameter(results)),
        "fp32_loss_change_upper_pct": _upper(results, PLACEBO, CHOSEN_ON, BRANCH),
        "whole_loss_change_upper_pct": _upper(results, chosen, JUDGED_ON, WHOLE),
        "fp32_whole_loss_change_upper_pct": _upper(results, PLACEBO, JUDGED_ON, WHOLE),
        "whole_seeds_needed": Figure(seeds_needed(results, chosen) if chosen else None),
    }
    for policy, reference in product((one for one in POLICIES if one != BASELINE), SMALL):
        stem = f"{policy}_{reference}".replace("-", "_")
        for kind, since in (("", BRANCH), ("_whole", WHOLE)):
            for name, seeds in (("judged", JUDGED_ON), ("chosen_on", CHOSEN_ON)):
                changes = loss_changes_pct(results, reference, policy, seeds, since)
                if changes is not None:
                    figures[f"{stem}{kind}_{name}_pct"] = _finite(changes)
    for run in open_runs():
        change = loss_changes_pct(results, run.reference, run.policy, [run.seed], run.since)
        name = f"{run.policy}_{run.reference}_{run.seed}_since_{100 * run.since:.0f}_pct"
        figures[name.replace("-", "_")] = _finite(change or Figure(None))
    beside = {
        "recommended policy": chosen or "none yet",
        "trainings": f"{len(results)} made, {len(needed(results))} needed",
    }
    return Report(figures, beside)


def _upper(results: Results, policy: str | None, seeds: range, since: float) -> Figure:
    return _finite(Figure(upper_pct(results, policy, seeds, since) if policy else None))


def _finite(figure: Figure) -> Figure:
    """None for what training after training has diverged in."""
    return figure if figure.value is None or math.isfinite(figure.value) else Figure(None)


def _extra_steps(results: Results, policy: str | None) -> Figure:
    found = extra_steps_pct(results, policy, BRANCH) if policy else None
    return _finite(found) if found else Figure(None)


def _train_the_rest() -> None:
    """What is needed; with each result that may be something else."""
    results = store.standing_results(every_run())
    sys.stderr.write(predicted(needed(results), results) + "\n")
    os.environ["OMP_NUM_THREADS"] = "1"
    running: dict[Future[str], Run] = {}
    with ProcessPoolExecutor(_AT_ONCE, initializer=_end_with_parent) as pool:
        while True:
            left = [run for run in needed(results) if run not in running.values()]
            for run in left[: _AT_ONCE - len(running)]:
                running[pool.submit(_one, run)] = run
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                sys.stderr.write(done.result() + "\n")
                del running[done]
            results = store.standing_results(every_run())


def _end_with_parent() -> None:
    """Where the parent is killed, nobody waits for what its processes train."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _one(run: Run) -> str:
    with store.alone(run):
        if run not in needed(store.standing_results(every_run())):
            return f"{run.key}: not needed any more"
        result = trained(run)
        store.add(run, result)
    loss = result["final_loss"]
    told = "diverged" if loss is None else f"{loss:.5f}"
    return f"{run.key}: {told} after {result['cpu_s']:.0f} s of CPU time"


if __name__ == "__main__":
    main("convergence", __doc__ or "", measure, packages=("torch", "numpy"))
