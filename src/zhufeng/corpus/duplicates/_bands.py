"""Which documents may be near-duplicates: MinHash signatures cut into bands.

Two documents of Jaccard similarity s agree in a place of their MinHash signatures with
probability s, and in all r rows of at least one of b bands with probability
1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import needs_extra
from zhufeng.corpus.duplicates._shingles import Hashes, mix

PERMUTATIONS = 128
"""Places of a signature."""
_MISSED = 1e-3
_SEED = 20_260_101
_ROW = np.uint64(0x9E3779B97F4A7C15)


def rows_a_band(threshold: float) -> int:
    """The most rows with which a pair just at the threshold is missed once in 1,000 times.

    More rows bring up fewer pairs in vain.
    """
    fitting = [
        rows
        for rows in range(1, PERMUTATIONS + 1)
        if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= _MISSED
    ]
    return max(fitting)


class Bands:
    """The bands of many documents."""

    def __init__(self, threshold: float) -> None:
        with needs_extra("corpus"):
            from rensa import RMinHash  # noqa: PLC0415 (an extra)
        self._digests = RMinHash.digest_matrix_from_flat_token_hashes
        self._rows = rows_a_band(threshold)
        self._batches: list[Hashes] = []

    def add(self, documents: Sequence[Hashes]) -> None:
        """Add the shingles of documents; they are numbered from 0 in the order of coming."""
        ends = np.cumsum([0, *map(len, documents)], dtype=np.uint64)
        matrix = self._digests(np.concatenate(documents), ends, PERMUTATIONS, _SEED)
        signatures = np.array(matrix.to_rows(), dtype=np.uint64)
        bands = PERMUTATIONS // self._rows
        cut = signatures[:, : bands * self._rows].reshape(len(documents), bands, self._rows)
        keys = np.zeros((len(documents), bands), dtype=np.uint64)
        for row in range(self._rows):
            keys = mix(keys * _ROW + cut[:, :, row])
        self._batches.append(np.ascontiguousarray(keys.T))

    def buckets(self) -> Iterator[NDArray[np.intp]]:
        """The numbers of documents that agree in a band, two or more at a time."""
        if not self._batches:
            return
        for band in range(len(self._batches[0])):
            keys = np.concatenate([batch[band] for batch in self._batches])
            order = np.argsort(keys, kind="stable")
            edges = np.flatnonzero(np.diff(keys[order])) + 1
            begins, ends = np.append(0, edges), np.append(edges, len(order))
            shared = ends - begins > 1
            for begin, end in zip(begins[shared], ends[shared], strict=True):
                yield order[begin:end]
