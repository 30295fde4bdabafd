"""Results of the union table after a change of code that changes none of them.

``bench/results/fusion_union.json`` counts only for the code with which it was made, and takes two
hours to be made again. ``python bench/carry_over_fusion.py COMMIT`` makes the short table of
``bench/fusion.py --quick`` of one seed with the code of an earlier commit and with that of this
folder, in the same environment: some minutes. Where every row is the same to the bit, the results
that were made with that commit's code become results of this folder's.

It is evidence and no proof: trainings of a quarter of the steps, one seed. Where the table's own
scripts, settings or files have changed, nothing is carried over.
"""

from __future__ import annotations

import json

from earlier import both, carry_over
from fusion_union import store
from fusion_union.store import Results
from fusion_union_probe import Probe


def carried(results: Results, before: Probe, after: Probe) -> Results:
    """Results of the earlier code as today's; none where that makes another short table."""
    if (before["own"], before["rows"]) != (after["own"], after["rows"]):
        return {}
    return {seed: {**one, "identity": after["identity"]} for seed, one in results.items()}


def main(commit: str) -> int:
    """Carry over what can be; returns how many results count for nothing after it."""
    before, after = both(commit, "fusion_union_probe", None)
    every = json.loads(store.RESULTS.read_text())
    made = store.standing(before["identity"])
    counted = carried(made, before, after) | store.standing(after["identity"])
    if counted:
        store.keep(counted)
    print(f"{len(counted)} results count, {len(every) - len(counted)} do not")
    return len(every) - len(counted)


if __name__ == "__main__":
    carry_over(__doc__ or "", main)
