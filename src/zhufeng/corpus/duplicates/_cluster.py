"""Near-duplicates of a corpus: candidates by MinHash, each judged by its exact Jaccard."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import batched
from zhufeng.corpus.duplicates._bands import Bands
from zhufeng.corpus.duplicates._config import DuplicateConfig
from zhufeng.corpus.duplicates._shingles import Hashes, Shingled, shingled

_BATCH = 256
# With fewer shingles one changed word decides: such texts are compared as a whole.
_LEAST_SHINGLES = 8


def cluster(documents: Iterable[tuple[str, str]], config: DuplicateConfig) -> dict[str, str]:
    """Group the documents that say nearly the same.

    Two documents belong together where the Jaccard similarity of their shingles is at least
    the threshold; clusters are what such pairs connect. MinHash finds the candidates (a pair
    just at the threshold is missed once in 1,000 times), and every candidate is judged by the
    shingles themselves (as 64-bit hashes), so that no estimate decides. Texts of few words
    belong together only where they are equal but for case, width and punctuation; texts
    without a word, never. A clip out of a longer text is no near-duplicate of it by Jaccard,
    and is left alone.

    The result does not depend on the order of `documents`. The memory it takes is below a
    kilobyte a document; the shingles lie in a temporary file, 8 bytes each.

    Args:
        documents: pairs of a document's id and its text. An id that comes twice is one
            document twice: a cluster already.
        config: what counts.

    Returns:
        The id of every document that has a near-duplicate, to its cluster's: the id of the
        longest text among them (of several as long, the least id), which is the one to keep.
        Sorted by id.

    Raises:
        MissingExtraError: without the extra ``corpus``.
    """
    with tempfile.TemporaryFile() as file:
        corpus = _Corpus(file, config)
        for batch in batched(documents, _BATCH):
            corpus.add(batch)
        corpus.judge()
        return corpus.clusters()


class _Corpus:
    """Documents numbered as they come; those whose shingles are compared, numbered again."""

    def __init__(self, file: BinaryIO, config: DuplicateConfig) -> None:
        self._config = config
        self._groups = _Groups()
        self._names: list[str] = []
        self._lengths: list[int] = []
        self._by_name: dict[str, int] = {}
        self._by_content: dict[bytes, int] = {}
        self._bands = Bands(config.threshold)
        self._file = file
        self._compared: list[int] = []
        self._sizes: list[int] = []

    def add(self, documents: Sequence[tuple[str, str]]) -> None:
        """Take documents in; equal ones are found at once."""
        fresh = []
        for name, text in documents:
            number = self._groups.add()
            self._names.append(name)
            self._lengths.append(len(text))
            self._groups.join(number, self._by_name.setdefault(name, number))
            told = shingled(text, self._config.shingle)
            if self._first_to_say(told, number) and len(told.shingles) >= _LEAST_SHINGLES:
                fresh.append(told.shingles)
                self._compared.append(number)
        if fresh:
            self._bands.add(fresh)
            self._sizes += map(len, fresh)
            self._file.writelines(shingles.tobytes() for shingles in fresh)

    def _first_to_say(self, told: Shingled, number: int) -> bool:
        if not told.words:
            return False
        first = self._by_content.setdefault(told.content, number)
        self._groups.join(number, first)
        return first == number

    def judge(self) -> None:
        """Join all candidates that are similar enough."""
        if not self._sizes:
            return
        self._file.flush()
        stored: Hashes = np.memmap(self._file, dtype=np.uint64, mode="r")
        shelf = _Shelf(np.asarray(stored), [0, *accumulate(self._sizes)])
        for bucket in self._bands.buckets():
            self._judge_bucket(shelf, bucket)

    def _judge_bucket(self, shelf: _Shelf, bucket: NDArray[np.intp]) -> None:
        """Judge the pairs of a bucket, unless a cluster holds both already."""
        # By size, since sets differ at least as much as their sizes do.
        members = sorted(bucket.tolist(), key=self._sizes.__getitem__)
        apart = len({self._groups.find(self._compared[member]) for member in members})
        for place, one in enumerate(members):
            largest = self._sizes[one] / self._config.threshold
            for other in members[place + 1 :]:
                if apart == 1 or self._sizes[other] > largest:
                    break
                apart -= self._judge_pair(shelf, one, other)

    def _judge_pair(self, shelf: _Shelf, one: int, other: int) -> bool:
        """Whether two clusters became one."""
        first, second = self._compared[one], self._compared[other]
        if self._groups.find(first) == self._groups.find(second):
            return False
        similar = shelf.jaccard(one, other) >= self._config.threshold
        return similar and self._groups.join(first, second)

    def clusters(self) -> dict[str, str]:
        """See `cluster`."""
        members = defaultdict(list)
        for number in range(len(self._names)):
            members[self._groups.find(number)].append(number)
        kept: dict[str, str] = {}
        for group in members.values():
            if len(group) > 1:
                best = min(group, key=lambda number: (-self._lengths[number], self._names[number]))
                kept |= {self._names[number]: self._names[best] for number in group}
        return dict(sorted(kept.items()))


class _Shelf:
    """The shingles of all documents, on disk."""

    def __init__(self, stored: Hashes, edges: Sequence[int]) -> None:
        self._stored, self._edges = stored, edges

    def _of(self, number: int) -> Hashes:
        return self._stored[self._edges[number] : self._edges[number + 1]]

    def jaccard(self, one: int, other: int) -> float:
        first, second = self._of(one), self._of(other)
        both = np.concatenate([first, second])
        both.sort()
        shared = int(np.count_nonzero(both[1:] == both[:-1]))
        return shared / (len(both) - shared)


class _Groups:
    """Disjoint sets of numbers (union-find, paths halved)."""

    def __init__(self) -> None:
        self._parents: list[int] = []

    def add(self) -> int:
        """A new number, alone."""
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def find(self, number: int) -> int:
        """The number that stands for all of its set."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def join(self, one: int, other: int) -> bool:
        """Make two sets one; whether they were two."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parents[second] = first
        return first != second
