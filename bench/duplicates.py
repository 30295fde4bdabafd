"""How many near-duplicates are found, how many of them are right, and how fast.

On 2,000 texts made from the seed (`near_duplicates.py`), whose truth is the exact Jaccard
similarity of every pair, counted on sets of words.

- duplicates_recall: share of the pairs at or above the threshold that stand in one cluster.
- duplicates_precision: share of the pairs in one cluster that such pairs connect.
- datasketch_over_ours: CPU time from the texts to the clusters with datasketch's MinHash and
  MinHashLSH over ours, side by side, all else alike: the same shingles as ready hashes, as many
  permutations, the same bands, and every candidate judged by its exact Jaccard on arrays.
- datasketch_candidates_over_ours: of that, from the shingles to the candidates.
- documents_per_cpu_s, mbytes_per_cpu_s: ours, from the texts to the clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness import Figure, cpu_s, main, median, ratios
from near_duplicates import connected, make_documents, similar_pairs
from zhufeng.corpus.duplicates import (
    PERMUTATIONS,
    Bands,
    DuplicateConfig,
    cluster,
    rows_a_band,
    shingled,
)

DOCUMENTS = 2000
CONFIG = DuplicateConfig()
Hashes = NDArray[np.uint64]


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """All figures."""
    documents = make_documents(DOCUMENTS, seed)
    return {**_quality(documents), **_speed(documents, 3 if quick else 15)}


def _quality(documents: Mapping[str, str]) -> dict[str, Figure]:
    truth = similar_pairs(documents, CONFIG.shingle, CONFIG.threshold)
    true_groups = _pairs_within([sorted(group) for group in connected(truth)])
    clusters: dict[str, list[str]] = {}
    for name, kept in cluster(documents.items(), CONFIG).items():
        clusters.setdefault(kept, []).append(name)
    found = _pairs_within(list(clusters.values()))
    return {
        "duplicates_recall": Figure(len(found & truth.keys()) / len(truth)),
        "duplicates_precision": Figure(len(found & true_groups) / len(found)),
        "true_pairs": Figure(len(truth)),
    }


def _pairs_within(groups: list[list[str]]) -> set[tuple[str, str]]:
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def _speed(documents: Mapping[str, str], runs: int) -> dict[str, Figure]:
    ours, theirs, our_candidates, their_candidates = [], [], [], []
    sets = [shingled(text, CONFIG.shingle).shingles for text in documents.values()]
    for _ in range(runs):
        ours.append(cpu_s(lambda: cluster(documents.items(), CONFIG)))
        theirs.append(cpu_s(partial(_cluster_with_datasketch, documents)))
        our_candidates.append(cpu_s(partial(_candidates, sets)))
        their_candidates.append(cpu_s(partial(_datasketch_candidates, sets)))
    size = sum(len(text.encode()) for text in documents.values()) / 1e6
    return {
        "datasketch_over_ours": ratios(theirs, ours),
        "datasketch_candidates_over_ours": ratios(their_candidates, our_candidates),
        "documents_per_cpu_s": median([len(documents) / seconds for seconds in ours]),
        "mbytes_per_cpu_s": median([size / seconds for seconds in ours]),
    }


def _candidates(sets: list[Hashes]) -> int:
    bands = Bands(CONFIG.threshold)
    for start in range(0, len(sets), 256):
        bands.add(sets[start : start + 256])
    return sum(len(bucket) for bucket in bands.buckets())


def _datasketch_candidates(sets: list[Hashes]) -> list[list[int]]:
    """Candidates of each set among those before it."""
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415 (an extra of the benchmarks)

    rows = rows_a_band(CONFIG.threshold)
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(PERMUTATIONS // rows, rows))
    # The shingles are hashes already: their lower halves are what its 32-bit scheme takes.
    tokens = ((one & np.uint64(0xFFFF_FFFF)).tolist() for one in sets)
    sketches = MinHash.generator(tokens, num_perm=PERMUTATIONS, hashfunc=int)
    candidates = []
    for number, sketch in enumerate(sketches):
        candidates.append(index.query(sketch))
        index.insert(number, sketch, check_duplication=False)
    return candidates


def _cluster_with_datasketch(documents: Mapping[str, str]) -> dict[str, str]:
    sets = [shingled(text, CONFIG.shingle).shingles for text in documents.values()]
    leaders = list(range(len(sets)))
    for number, candidates in enumerate(_datasketch_candidates(sets)):
        for other in candidates:
            one, two = _leader(leaders, number), _leader(leaders, other)
            if one != two and _jaccard(sets[number], sets[other]) >= CONFIG.threshold:
                leaders[max(one, two)] = min(one, two)
    names = list(documents)
    return {names[n]: names[_leader(leaders, n)] for n in range(len(names))}


def _leader(leaders: list[int], number: int) -> int:
    while leaders[number] != number:
        number = leaders[number] = leaders[leaders[number]]
    return number


def _jaccard(one: Hashes, other: Hashes) -> float:
    both = np.sort(np.concatenate([one, other]))
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


if __name__ == "__main__":
    main("duplicates", __doc__ or "", measure, packages=("numpy", "rensa", "datasketch"))
