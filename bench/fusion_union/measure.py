"""What ``bench/fusion.py`` asks for."""

from __future__ import annotations

import sys

from fusion_union import store
from fusion_union.campaign import AT_ONCE, results_of
from fusion_union.figures import figures, table
from fusion_union.identity import identity
from fusion_union.settings import FULL, QUICK, SEEDS
from harness import Report
from zhufeng.base import batched


def measure(quick: bool, seed: int) -> Report:
    """The figures of the union table.

    With `quick`, of one seed and short trainings, made now; beside, as ``full_...``, those of the
    full run, read from its results. Else of the full run, whose missing seeds are trained first:
    those trained side by side are kept together.
    """
    if not quick:
        results = store.standing(identity(FULL))
        for some in batched([one for one in SEEDS if one not in results], AT_ONCE):
            sys.stderr.write(f"the union table: seeds {', '.join(map(str, some))}\n")
            results |= results_of(FULL, some)
            store.keep(results)
        return Report(figures(results), {"union table": table(results)})
    kept, now = store.standing(identity(FULL)), results_of(QUICK, [seed])
    found = figures(now) | {f"full_{name}": one for name, one in figures(kept).items()}
    beside = {"union table, short trainings": table(now), "union table": table(kept)}
    return Report(found, beside)
