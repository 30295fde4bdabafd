"""Fusion: merges beside mergekit and the files' own cost, and the union table.

Merges of synthetic Llama-like checkpoints in bf16: of 1.1 billion parameters for linear and slerp,
of 307 million for TIES and DARE-TIES (two models, with a base three).

- linear_wall, slerp_wall, ties_wall, dare_ties_wall: the time that mergekit takes over ours, files
  in memory, each at the best of its settings, as the median of rounds; ``linear_cold_wall`` and so
  on with files that have to be read from the disk.
- linear_to_disk_wall: the same until the output has reached the disk, for which mergekit does not
  wait and we do; linear_cpu: the same in CPU time, of which hashing the sources is a quarter of
  ours.
- linear_over_floor: our time over that of reading all inputs and writing the output once, to the
  disk.
- peak_gb: the largest memory of our process, over all of these.

The union table: three small models of three families with tokenizers of their own, trained on three
domains, judged on four sets of texts (docs/fusion-union.md), in bits a byte in the mean of these.

- best_single_bpb, router_bpb, mixture_bpb, student_bpb, and the other rows in the same form;
  ``full_...`` with ``--quick``: those of the five seeds of the full run.

- families_exact: of 17 models of other families with random weights, how many give the same logits
  and the same gradient of the embedding to the bit in fp64 and in bf16 when they are brought to the
  one architecture, and the same bytes when they are brought back and once more.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from fusion_families.measure import measure as measure_families
from fusion_merge import contest
from fusion_union.measure import measure as measure_union
from harness import Report, main


def measure(quick: bool, seed: int) -> Report:
    """All figures."""
    families = measure_families(quick, seed)
    merges, union = contest.measure(quick, seed), measure_union(quick, seed)
    figures = {**merges.figures, **union.figures, **families.figures}
    return Report(figures, {**merges.beside, **union.beside, **families.beside})


if __name__ == "__main__":
    packages = ("mergekit", "numpy", "safetensors", "tokenizers", "torch", "transformers")
    main("fusion", __doc__ or "", measure, packages=packages)
