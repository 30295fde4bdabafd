"""Stretches of voice packed into the windows that the recogniser hears at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zhufeng.corpus.speech._voice import RATE_HZ, Stretch

if TYPE_CHECKING:
    from zhufeng.corpus.speech._voice import Samples

# What stands before the first sound of a word and after its last is voice too.
MARGIN = int(0.2 * RATE_HZ)
# A longer silence is left out; a shorter one belongs to how it was said.
_SILENCE = RATE_HZ


@dataclass(frozen=True)
class Piece:
    """Consecutive samples of the span in a window."""

    begin: int
    end: int
    at: int
    """Where it begins in the window."""


@dataclass(frozen=True)
class Window:
    """Voice that is recognised at once."""

    stretches: tuple[Stretch, ...]
    pieces: tuple[Piece, ...]

    @property
    def length(self) -> int:
        """In samples, without the silences left out."""
        last = self.pieces[-1]
        return last.at + last.end - last.begin

    def samples(self, samples: Samples) -> Samples:
        """What is heard in it."""
        return np.concatenate([samples[piece.begin : piece.end] for piece in self.pieces])

    def inside(self, stretch: Stretch) -> tuple[int, int]:
        """Where one of its stretches lies in it, with what stands around it, in samples."""
        piece = next(p for p in self.pieces if p.begin <= stretch.begin < p.end)
        shift = piece.at - piece.begin
        begin = max(piece.begin, stretch.begin - MARGIN)
        return begin + shift, min(stretch.end + MARGIN, piece.end) + shift

    def sample(self, at: float) -> float:
        """The sample of the span that is at `at` of the window."""
        piece = next((p for p in reversed(self.pieces) if p.at <= at), self.pieces[0])
        return min(piece.begin + at - piece.at, piece.end)

    def nearest(self, at: float) -> Stretch:
        """The stretch at or nearest to the sample `at` of the window."""
        there = self.sample(at)
        return min(self.stretches, key=lambda one: max(one.begin - there, there - one.end, 0))


def packed(stretches: Sequence[Stretch], length: int, window_s: float) -> list[Window]:
    """Windows of at most `window_s`, divided at the longest pause of their second half.

    Args:
        stretches: in time order, none longer than a window.
        length: of the whole sound, in samples.
        window_s: the longest window, in seconds.
    """
    limit = int(window_s * RATE_HZ)
    windows: list[Window] = []
    rest = list(stretches)
    while rest:
        count = _fitting(rest, length, limit)
        if count < len(rest):
            count = _best_cut(rest, count, length, limit)
        windows.append(window(rest[:count], length))
        rest = rest[count:]
    return windows


def window(stretches: Sequence[Stretch], length: int) -> Window:
    """One window of these stretches."""
    pieces: list[Piece] = []
    at = 0
    for before, stretch, after in zip(
        (None, *stretches[:-1]), stretches, (*stretches[1:], None), strict=True
    ):
        begin, end = _with_margins(before, stretch, after, length)
        if before is not None and pieces and begin - pieces[-1].end < _SILENCE - 2 * MARGIN:
            last = pieces.pop()
            begin, at = last.begin, last.at
        pieces.append(Piece(begin, end, at))
        at += end - begin
    return Window(tuple(stretches), tuple(pieces))


def _with_margins(
    before: Stretch | None, stretch: Stretch, after: Stretch | None, length: int
) -> tuple[int, int]:
    floor = (before.end + stretch.begin) // 2 if before else 0
    ceiling = (stretch.end + after.begin) // 2 if after else length
    return max(floor, stretch.begin - MARGIN), min(ceiling, stretch.end + MARGIN)


def _fitting(stretches: Sequence[Stretch], length: int, limit: int) -> int:
    count = 1
    while count < len(stretches) and window(stretches[: count + 1], length).length <= limit:
        count += 1
    return count


def _best_cut(stretches: Sequence[Stretch], count: int, length: int, limit: int) -> int:
    pauses = [right.begin - left.end for left, right in pairwise(stretches[: count + 1])]
    fair = [
        cut for cut in range(1, count + 1) if window(stretches[:cut], length).length >= limit // 2
    ]
    return max(fair or [count], key=lambda cut: (pauses[cut - 1], cut))
