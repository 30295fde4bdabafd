"""What ``bench/fusion.py`` asks for."""

from __future__ import annotations

import sys

from fusion_union import store
from fusion_union.campaign import results_of
from fusion_union.figures import figures, table
from fusion_union.identity import identity
from fusion_union.settings import FULL, QUICK, SEEDS
from harness import Report


def measure(quick: bool, seed: int) -> Report:
    """The figures of the union table.

    With `quick`, of one seed and short trainings, made now; beside, as ``full_...``, those of the
    full run, read from its results. Else of the full run, whose missing seeds are trained first:
    each is kept as soon as it is there.
    """
    if not quick:
        results = store.standing(identity(FULL))
        for one in SEEDS:
            if one not in results:
                sys.stderr.write(f"the union table: seed {one}\n")
                results |= results_of(FULL, [one])
                store.keep(results)
        return Report(figures(results), {"union table": table(results)})
    kept, now = store.standing(identity(FULL)), results_of(QUICK, [seed])
    found = figures(now) | {f"full_{name}": one for name, one in figures(kept).items()}
    beside = {"union table, short trainings": table(now), "union table": table(kept)}
    return Report(found, beside)
