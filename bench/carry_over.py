"""Results of trainings after a change of code that changes no training.

``bench/results/convergence.json`` counts only for the code with which it was made, and takes a day
to be made again. ``python bench/carry_over.py COMMIT`` trains the first steps of every reference
and policy that has results, with the code of an earlier commit and with that of this folder, in the
same environment: a quarter of an hour. Where losses, gradients' norms and weights are the same to
the bit, and settings and policies say the same (but for switches that are new), the results that
were made with that commit's code become results of this folder's; others are left as they are.

It is evidence and no proof: `STEPS` steps in every phase of a policy, one seed, two held-out
batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convergence_runs import store
from convergence_runs.plan import every_run
from convergence_runs.probe import Probe, kind
from convergence_runs.training import Result
from earlier import both, carry_over


def carried(results: Mapping[str, Result], before: Probe, after: Probe) -> dict[str, Result]:
    """All results; where both codes do the same, the earlier one's have the identity of today's."""
    found = dict(results)
    for run in every_run():
        result = results.get(run.key)
        if result is None or result["identity"] != before.identities.get(run.key):
            continue
        bits = before.bits.get(kind(run))
        same = bits is not None and bits == after.bits.get(kind(run))
        if same and says_the_same(before.asked.get(run.key), after.asked.get(run.key)):
            found[run.key] = {**result, "identity": after.identities[run.key]}
    return found


def says_the_same(before: Any, after: Any) -> bool:
    """Whether all that one JSON value says is said by another, which may have more keys."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and says_the_same(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=False)
        return len(before) == len(after) and all(says_the_same(a, b) for a, b in pairs)
    return bool(before == after)


def main(commit: str) -> int:
    """Carry over what can be; returns how many results count for nothing after it."""
    before, after = (
        Probe(**told) for told in both(commit, "convergence_runs.probe", list(store.read()))
    )
    results = carried(store.read(), before, after)
    store.write(results)
    lost = [key for key, own in results.items() if own["identity"] != after.identities.get(key)]
    for key in lost:
        print(f"counts for nothing: {key}")
    print(f"{len(results) - len(lost)} results count, {len(lost)} do not")
    return len(lost)


if __name__ == "__main__":
    carry_over(__doc__ or "", main)
