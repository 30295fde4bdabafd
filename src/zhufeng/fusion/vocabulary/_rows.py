"""Embedding transplant: where each row of a united embedding comes from, and the rows made.

For one source a united token's row is, in this order of preference:

1. the source's own row of that token;
2. where the token begins, ends or fills a text in the base, the row of the source's own token of
   that role;
3. the mean of the rows of the pieces into which the source's own model cuts the token's text;
4. the mean of the rows of all the source's tokens (Hewitt, "Initializing new word embeddings for
   pretrained language models", 2021).

Rows without a token, such as those to which an embedding is filled up, are the source's own row
of that index if it has one without a token there, else as in 4. The head's rows, and its bias,
come from the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhufeng.fusion.vocabulary._read import ROLES, Vocabulary
from zhufeng.fusion.vocabulary._union import United

ReadRows = Callable[[int, int], Tensor]
"""The rows from one index up to another of a source's tensor, in its dtype."""

Indices = NDArray[np.int64]

_CHUNK_BYTES = 1 << 24
_MEANS = 1 << 10  # made at once


class Origin(IntEnum):
    """Where a row comes from."""

    OWN = 0
    ROLE = 1
    PIECES = 2
    MEAN = 3
    UNUSED = 4
    """Of no token, and the source's own."""


@dataclass(frozen=True)
class RowPlan:
    """The rows of a united tensor for one source: each the mean of some of the source's."""

    source_rows: int
    """Of the source's embedding, those beyond its vocabulary too."""
    origin: NDArray[np.uint8]
    """`Origin` of each row, shape (rows,)."""
    starts: NDArray[np.int64]
    """Row i is the mean of the source's rows ``parts[starts[i]:starts[i + 1]]``, shape
    (rows + 1,); of no part, the mean over all the source's tokens."""
    parts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    """The source's rows that have a token, ascending."""

    @property
    def rows(self) -> int:
        """Of the united tensor."""
        return len(self.origin)

    @property
    def itself(self) -> bool:
        """Whether the united tensor is the source's, row by row."""
        return self.rows == self.source_rows and np.array_equal(self.parts, range(self.rows))

    def counts(self) -> dict[str, int]:
        """How many rows come from where."""
        found = np.bincount(self.origin, minlength=len(Origin))
        return {origin.name.lower(): int(found[origin]) for origin in Origin}


def plan_rows(union: United, source: Vocabulary, source_rows: int, rows: int) -> RowPlan:
    """Where the rows come from.

    Args:
        union: the united tokenizer.
        source: one of its sources.
        source_rows: of its embedding. A token beyond them counts as one that it lacks.
        rows: of the united embedding, at least `union.size`.
    """
    used = sorted(i for i in source.ids.values() if i < source_rows)
    free = np.ones(source_rows, bool)
    free[used] = False
    origin = np.full(rows, Origin.MEAN, np.uint8)
    parts: list[list[int]] = [[] for _ in range(rows)]
    named = np.zeros(rows, bool)
    finder = _Finder(union, source, source_rows)
    for token, i in union.ids.items():
        named[i] = True
        origin[i], parts[i] = finder.find(token, i)
    both = min(rows, source_rows)
    for i in np.flatnonzero(~named[:both] & free[:both]).tolist():
        origin[i], parts[i] = Origin.UNUSED, [i]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    flat = np.array([piece for part in parts for piece in part], np.int64)
    return RowPlan(source_rows, origin, starts, flat, np.array(used, np.int64))


def pieces(source: Vocabulary, text: bytes) -> list[int]:
    """The ids into which a tokenizer's model cuts `text`, as in the midst of a longer text: with
    nothing normalised, cut or set before it. What is unknown is left out.
    """
    spelling, unknown = source.spelling, source.roles.get("unk")
    if spelling.byte_level:
        found = _cut(source, str(spelling.spell(text)))
    else:
        # What is no UTF-8 comes as lone surrogates, byte by byte.
        plain = text.decode("utf-8", "surrogateescape")
        found = []
        for raw, group in groupby(plain, lambda c: "\udc80" <= c <= "\udcff"):
            run = "".join(group)
            if raw:
                tokens = (spelling.byte_token(ord(c) - 0xDC00) for c in run)
                found += [source.ids[t] for t in tokens if t is not None and t in source.ids]
            else:
                found += _cut(source, str(spelling.spell(run.encode())))
    return [i for i in found if i != unknown]


def make_rows(plan: RowPlan, read: ReadRows) -> Iterator[Tensor]:
    """The united tensor, some rows at a time, in order, in the source's dtype.

    A row of one part is that row to the bit; a mean is summed in at least fp32 in the order of
    the parts, divided, and rounded once.
    """
    sample = read(0, 1)
    row_bytes = max(1, sample.numel() * max(4, sample.element_size()))
    step = max(1, _CHUNK_BYTES // row_bytes)
    mean = _mean(plan, read, step) if (np.diff(plan.starts) == 0).any() else None
    for first in range(0, plan.rows, step):
        yield _chunk(plan, read, first, min(first + step, plan.rows), mean)


@dataclass(frozen=True)
class _Finder:
    """Finds a united token's row in one source."""

    union: United
    source: Vocabulary
    source_rows: int

    @cached_property
    def roles(self) -> dict[int, int]:
        """The base's tokens that have a role, to the source's of the same role."""
        ours, own = self.union.base.roles, self.source.roles
        # Where one token has two roles, that which stands first in `ROLES` counts.
        return {ours[role]: own[role] for role in reversed(ROLES) if role in ours and role in own}

    def find(self, token: str, i: int) -> tuple[Origin, list[int]]:
        own = self.union.token_in(token, self.source)
        if own is not None and own < self.source_rows:
            return Origin.OWN, [own]
        if self.roles.get(i, self.source_rows) < self.source_rows:
            return Origin.ROLE, [self.roles[i]]
        if self.source.kind == "WordPiece":
            found = _longest(self.source, token)
        else:
            found = pieces(self.source, self.union.stands_for(token))
        kept = [piece for piece in found if piece < self.source_rows]
        return (Origin.PIECES, kept) if kept else (Origin.MEAN, [])


def _cut(source: Vocabulary, spelt: str) -> list[int]:
    try:
        return [token.id for token in source.tokenizer.model.tokenize(spelt)]
    except Exception:  # noqa: BLE001 (the library's: an unknown character, and no token for it)
        return []


def _longest(source: Vocabulary, token: str) -> list[int]:
    """WordPiece's way, the longest piece first, also from the midst of a word."""
    prefix = str(source.data["model"].get("continuing_subword_prefix", ""))
    start = "" if prefix and not token.startswith(prefix) else prefix
    rest, found = token.removeprefix(prefix), []
    while rest:
        ends = (end for end in range(len(rest), 0, -1) if start + rest[:end] in source.ids)
        if (end := next(ends, None)) is None:
            return []
        found.append(source.ids[start + rest[:end]])
        rest, start = rest[end:], prefix
    return found


def _mean(plan: RowPlan, read: ReadRows, step: int) -> Tensor:
    """Of all the source's tokens' rows, in fp64."""
    total = torch.zeros(read(0, 1).shape[1:], dtype=torch.float64)
    for first in range(0, plan.source_rows, step):
        last = min(first + step, plan.source_rows)
        low, high = np.searchsorted(plan.tokens, (first, last))
        chosen = torch.from_numpy(plan.tokens[low:high] - first)
        total += read(first, last)[chosen].double().sum(0)
    return total / max(1, len(plan.tokens))


def _chunk(plan: RowPlan, read: ReadRows, first: int, last: int, mean: Tensor | None) -> Tensor:
    wanted = plan.parts[plan.starts[first] : plan.starts[last]]
    distinct, places = np.unique(wanted, return_inverse=True)
    rows = _gather(read, distinct)
    counts = np.diff(plan.starts[first : last + 1])
    begins = plan.starts[first:last] - plan.starts[first]
    out = rows.new_zeros((last - first, *rows.shape[1:]))
    single, several = np.flatnonzero(counts == 1), np.flatnonzero(counts > 1)
    out[torch.from_numpy(single)] = rows[torch.from_numpy(places[begins[single]])]
    for group in np.array_split(several, max(1, len(several) // _MEANS)):
        means = _means(rows, places, begins[group], counts[group])
        out[torch.from_numpy(group)] = means.to(out.dtype)
    if mean is not None:
        out[torch.from_numpy(np.flatnonzero(counts == 0))] = mean.to(out.dtype)
    return out


def _means(rows: Tensor, places: Indices, begins: Indices, counts: Indices) -> Tensor:
    """The means of some places each, of all in parallel, each place after the other."""
    wide = torch.promote_types(rows.dtype, torch.float32)
    total = torch.zeros((len(counts), *rows.shape[1:]), dtype=wide)
    for i in range(counts.max(initial=0)):
        longer = np.flatnonzero(counts > i)
        chosen = torch.from_numpy(places[begins[longer] + i])
        total[torch.from_numpy(longer)] += rows[chosen].to(wide)
    return total / torch.from_numpy(counts).view(-1, *[1] * (rows.dim() - 1))


def _gather(read: ReadRows, wanted: NDArray[np.int64]) -> Tensor:
    """Rows of ascending indices, each run of neighbours read at once."""
    if not len(wanted):
        return read(0, 0)
    breaks = np.flatnonzero(np.diff(wanted) > 1) + 1
    runs = np.split(wanted, breaks)
    return torch.cat([read(int(run[0]), int(run[-1]) + 1) for run in runs])
