"""Sources with tokenizers of their own, brought to the union of all while they are read.

A source's row of a united token is its own where it knows the token. Where it does not, it has
nothing to say of it: it takes the base's row, and where that has none either, the mean of the rows
of those that have one. So tokens that one model alone has learned come through a merge as they are,
and a difference from the base is never one between a word and its pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.fusion.merge._group import Load
from zhufeng.fusion.vocabulary import (
    Origin,
    plan_rows,
    read_vocabulary,
    resized,
    tokenizer_files,
    unite_tokenizers,
)

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class UnitedTokens:
    """The union of the sources' tokenizers."""

    files: Mapping[str, bytes]
    """What stands beside united weights, by name."""
    own: tuple[Indices, ...]
    """Of each source, its own row of each united one, shape (rows,); -1 where it has none."""

    spelt_bytes: int
    """Of the sources' tokenizers, as files."""

    @property
    def rows(self) -> int:
        """Of a united embedding."""
        return len(self.own[0])

    @cached_property
    def sha256(self) -> str:
        """Of all of it."""
        parts = [name.encode() + data for name, data in sorted(self.files.items())]
        return hashlib.sha256(
            b"".join([*parts, *(rows.tobytes() for rows in self.own)])
        ).hexdigest()

    def resized(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with as many tokens."""
        return dict(resized(dict(config), self.rows))


def united_tokens(sources: Sequence[tuple[Path, int]]) -> UnitedTokens:
    """The union of some models' tokenizers; the first one's tokens keep their numbers.

    Args:
        sources: folders, and the rows of their embeddings.

    Raises:
        InputError: one has no tokenizer that can be read, or they are of different kinds.
    """
    vocabularies = [read_vocabulary(folder) for folder, _ in sources]
    union = unite_tokenizers(vocabularies)
    own = []
    for vocabulary, (_, rows) in zip(vocabularies, sources, strict=True):
        settled = plan_rows(union, vocabulary, rows, union.size)
        known = np.isin(settled.origin, (Origin.OWN, Origin.UNUSED))
        found = np.full(union.size, -1)
        found[known] = settled.parts[settled.starts[:-1][known]]
        own.append(found)
    spelt = sum(Path(vocabulary.where).stat().st_size for vocabulary in vocabularies)
    return UnitedTokens(tokenizer_files(union, sources[0][0]), tuple(own), spelt)


@dataclass(frozen=True)
class UnitedRows:
    """One tensor with a row a token, of each source."""

    own: Sequence[Indices]
    """See `UnitedTokens`; of the sources that take part, in their order."""
    own_rows: Load
    """From their own rows."""
    width: int
    """Elements of a row."""
    base: int | None
    """Which of them is the base."""

    def load(self, source: int, start: int, into: Tensor) -> None:
        """See `Load`: from the united rows."""
        first, last = start // self.width, -(-(start + into.numel()) // self.width)
        rows = self._rows(source, first, last, into.dtype).view(-1)
        begin = start - first * self.width
        into.copy_(rows[begin : begin + into.numel()])

    def _rows(self, source: int, first: int, last: int, dtype: torch.dtype) -> Tensor:
        out = torch.zeros((last - first, self.width), dtype=dtype)
        missing = self._fill(out, source, first, np.ones(last - first, bool))
        if self.base is not None:
            missing = self._fill(out, self.base, first, missing)
        if missing.any():
            out[torch.from_numpy(missing)] = self._means(np.flatnonzero(missing) + first, dtype)
        return out

    def _fill(
        self, out: Tensor, source: int, first: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Fill what `source` has of the `wanted` rows; returns those it has not."""
        own = self.own[source][first : first + len(wanted)]
        found = wanted & (own >= 0)
        out[torch.from_numpy(found)] = self._gather(source, own[found], out.dtype)
        return wanted & ~found

    def _means(self, rows: Indices, dtype: torch.dtype) -> Tensor:
        """Of all sources that have them; 0 where none has."""
        total, counts = torch.zeros((len(rows), self.width), dtype=dtype), np.zeros(len(rows))
        for source, each in enumerate(self.own):
            has = each[rows] >= 0
            total[torch.from_numpy(has)] += self._gather(source, each[rows][has], dtype)
            counts += has
        return total / torch.from_numpy(np.maximum(counts, 1)).to(dtype)[:, None]

    def _gather(self, source: int, wanted: Indices, dtype: torch.dtype) -> Tensor:
        """A source's rows; each run of neighbours is read at once."""
        out = torch.empty((len(wanted), self.width), dtype=dtype)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        for run in np.split(np.arange(len(wanted)), breaks):
            if len(run):
                into = out[run[0] : run[-1] + 1].view(-1)
                self.own_rows(source, int(wanted[run[0]]) * self.width, into)
        return out
