"""The least sequence that still makes a claim fail; all candidates of a step are tried in lanes.

What comes out is least in this sense: leaving out any one of its cycles, or any two of them where
there are few, making any value 0, or the half of what it is, or one nearer to 0, or clearing one of
its bits, makes the failure go away. It is as short as any of some thousands of random sequences
that were tried against it. Cycles of the reset at the start stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from zhufeng.hdl.interpret import Values
from zhufeng.hdl.verify._draw import Drawing
from zhufeng.hdl.verify._trials import Stimulus, Trials

_PAIRS_OF: Final = 48
"""Cycles of which every pair is tried."""
_RANDOM_LANES: Final = 512
_RANDOM_TIMES: Final = 4
_AT_ONCE: Final = 1024

Place = tuple[str, tuple[int, ...]]
"""Of a value: the input, and the cycle and element."""


@dataclass(frozen=True)
class Shrinker:
    """Makes sequences shorter and simpler."""

    trials: Trials
    drawing: Drawing

    def least(self, found: Stimulus) -> Stimulus | None:
        """The least that fails like `found`; None where that does not fail any more."""
        best = self._fits(found)
        size = None
        while best is not None and size != (size := _size(best, self._quiet)):
            best = self._values(self._cycles(best))
        return best

    @property
    def _fixed(self) -> int:
        return self.drawing.reset_cycles

    def _fits(self, one: Stimulus) -> Stimulus | None:
        return self._best([one])

    def _best(self, candidates: Sequence[Stimulus]) -> Stimulus | None:
        """The shortest of those that fail, without what comes after the failure."""
        found: list[Stimulus] = []
        for begin in range(0, len(candidates), _AT_ONCE):
            some = candidates[begin : begin + _AT_ONCE]
            cycles = self.trials.failing(some)
            found += [
                one.of(slice(0, cycle + 1))
                for one, cycle in zip(some, cycles, strict=True)
                if cycle is not None
            ]
        return min(found, key=len, default=None)

    # Cycles.

    def _cycles(self, one: Stimulus) -> Stimulus:
        one = self._without_blocks(one)
        while (shorter := self._without_two(one) or self._random(one)) is not None:
            one = self._without_blocks(shorter)
        return one

    def _without_blocks(self, one: Stimulus) -> Stimulus:
        """Leave out blocks of cycles, ever smaller ones, as long as that helps."""
        size = max(1, (len(one) - self._fixed) // 2)
        while size:
            begins = range(self._fixed, len(one), size)
            blocks = [range(begin, min(begin + size, len(one))) for begin in begins]
            shorter = self._without_some(one, blocks)
            if shorter is None:
                size //= 2
            else:
                one = shorter
                size = min(size, max(1, len(one) - self._fixed))
        return one

    def _without_some(self, one: Stimulus, blocks: Sequence[range]) -> Stimulus | None:
        """Without as many blocks as can be left out at once; None where none can."""
        candidates = [_without(one, block) for block in blocks]
        cycles = self.trials.failing(candidates)
        free = [block for block, cycle in zip(blocks, cycles, strict=True) if cycle is not None]
        together = [free[: len(free) >> k] for k in range(len(free).bit_length())]
        return self._best([_without(one, *some) for some in together if some])

    def _without_two(self, one: Stimulus) -> Stimulus | None:
        cycles = range(self._fixed, len(one))
        if not 1 < len(cycles) <= _PAIRS_OF:
            return None
        return self._best([_without(one, pair) for pair in combinations(cycles, 2)])

    def _random(self, one: Stimulus) -> Stimulus | None:
        """A shorter one among random ones."""
        cycles = len(one) - 1
        if any(one.reset[self._fixed :]) or not self._fixed < cycles <= self._fixed + _PAIRS_OF:
            return None
        for seed in range(_RANDOM_TIMES):
            drawn = self.drawing.drawn(cycles, _RANDOM_LANES, seed, again=False)
            every = [
                Stimulus({port: v[:, lane] for port, v in drawn.items()}, one.reset[:cycles])
                for lane in range(_RANDOM_LANES)
            ]
            if shorter := self._best(every):
                return shorter
        return None

    # Values.

    def _values(self, one: Stimulus) -> Stimulus:
        one = self._quieter(one)
        for port, place in list(self._places(one)):
            if place[0] < len(one):
                one = self._smaller(one, port, place)
        return one

    def _quieter(self, one: Stimulus) -> Stimulus:
        """Make values 0 (those that reset: what does not), as many as can be."""
        places = list(self._places(one))
        size = max(1, len(places) // 2)
        while size and places:
            blocks = [places[begin : begin + size] for begin in range(0, len(places), size)]
            cycles = self._failing([self._quieted(one, block) for block in blocks])
            free = [b for b, cycle in zip(blocks, cycles, strict=True) if cycle is not None]
            together = [free[: len(free) >> k] for k in range(len(free).bit_length())]
            quieter = self._best(
                [
                    self._quieted(one, [p for block in some for p in block])
                    for some in together
                    if some
                ]
            )
            if quieter is None:
                size //= 2
            else:
                one = quieter
                places = list(self._places(one))
                size = min(size, max(1, len(places)))
        return one

    def _failing(self, candidates: Sequence[Stimulus]) -> list[int | None]:
        found: list[int | None] = []
        for begin in range(0, len(candidates), _AT_ONCE):
            found += self.trials.failing(candidates[begin : begin + _AT_ONCE])
        return found

    def _smaller(self, one: Stimulus, port: str, place: tuple[int, ...]) -> Stimulus:
        """A value nearer to 0: by halves, by single bits, by one, as long as any of them does."""
        while True:
            nearer = _nearer(int(one.inputs[port][place]), self.drawing.inputs[port].width)
            candidates = [one.with_value(port, place, value) for value in nearer]
            found = zip(candidates, self._failing(candidates), strict=True)
            better = next(((c, cycle) for c, cycle in found if cycle is not None), None)
            if better is None:
                return one
            one = better[0].of(slice(0, better[1] + 1))
            if place[0] >= len(one):
                return one

    def _places(self, one: Stimulus) -> Iterator[Place]:
        """Of values that are not quiet and may become so."""
        for port, values in one.inputs.items():
            fixed = self._fixed if port in self.drawing.resets else 0
            for place in np.argwhere(values != self._quiet(port)).tolist():
                if place[0] >= fixed:
                    yield port, tuple(place)

    def _quiet(self, port: str) -> int:
        level = self.drawing.resets.get(port)
        return 0 if level is None else 1 - level

    def _quieted(self, one: Stimulus, places: Sequence[Place]) -> Stimulus:
        inputs: dict[str, Values] = dict(one.inputs)
        for port in {port for port, _ in places}:
            inputs[port] = inputs[port].copy()
        for port, place in places:
            inputs[port][place] = self._quiet(port)
        return Stimulus(inputs, one.reset)


def _without(one: Stimulus, *gone: Sequence[int]) -> Stimulus:
    left = {cycle for block in gone for cycle in block}
    return one.of([cycle for cycle in range(len(one)) if cycle not in left])


def _nearer(value: int, width: int) -> list[int]:
    """Numbers between 0 and a value, both left out, the nearest to 0 first."""
    far = abs(value)
    found = {far >> k for k in range(1, width)} | {far - 1}
    found |= {far & ~(1 << bit) for bit in range(width)}
    return [-near if value < 0 else near for near in sorted(found - {0, far}) if near > 0]


def _size(one: Stimulus, quiet: Callable[[str], int]) -> tuple[int, ...]:
    """What gets less: cycles, values that are not quiet, and their sum."""
    loud = sum(int((values != quiet(port)).sum()) for port, values in one.inputs.items())
    total = sum(
        int(np.abs(values.astype(object)).sum()) for values in one.inputs.values() if values.size
    )
    return len(one), loud, total
