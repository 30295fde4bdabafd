"""Token shards as one stream, and the order in which its windows are learned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import generator
from zhufeng.records import Shard

Indices = NDArray[np.int64]


class TokenStream:
    """The tokens of several shards one after another; they stay on disk until they are read."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._parts: list[NDArray[Any]] = [shard.flat for shard in shards]
        self._ends = np.cumsum([0, *(part.size for part in self._parts)])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, begin: int, end: int) -> Indices:
        """Tokens `begin` to `end`, those beyond the stream's end left out."""
        first = int(np.searchsorted(self._ends, begin, side="right")) - 1
        pieces: list[Indices] = []
        for part, start in zip(self._parts[first:], self._ends[first:-1], strict=True):
            if start >= end:
                break
            pieces.append(part[max(0, begin - int(start)) : end - int(start)].astype(np.int64))
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)


class WindowOrder:
    """Which window is learned when: every window once an epoch, each epoch in an order of its own.

    A function of the seed and the place alone, so that any step is found without its predecessors.
    An epoch's permutation, 8 bytes a window, is held in memory.
    """

    def __init__(self, windows: int, seed: int) -> None:
        self.windows = windows
        # Two, for a batch may lie over the end of an epoch.
        self._epoch = lru_cache(maxsize=2)(
            lambda epoch: generator(seed, "order", epoch).permutation(windows)
        )

    def at(self, place: int) -> int:
        """The window at a place of the order, counted over all epochs."""
        epoch, within = divmod(place, self.windows)
        return int(self._epoch(epoch)[within])
