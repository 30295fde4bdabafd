"""How fast the compiled functions are, by CPU time on one core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

import numpy as np

from harness import Figure, cpu_s, median
from zhufeng.formats.blocks import WIDTHS
from zhufeng.formats.host import Rounding, multiply, quantise, quantise_planes

SHAPES: Final = (
    (1, 512, 512, 512),
    (1, 2048, 256, 256),
    (1, 1024, 64, 256),
    (1, 256, 256, 2048),
    (32, 128, 128, 32),
)
"""Batch, m, n, k: square, three of a small decoder's products, attention."""
NUMBERS: Final = (1024, 2048)
"""What is quantised."""
_BITS: Final = 6
_PRODUCTS, _CALLS = 1 << 28, 8
"""Of a turn: multiply-accumulates at least, where they are few; quantisations."""


@dataclass(frozen=True)
class Measured:
    """Something that has its turns."""

    name: str
    group: str
    """What has the median over several of them."""
    work: Callable[[], object]
    calls: int
    """Of `work`, in a turn."""
    count: int
    """Multiply-accumulates, or elements, of a call."""

    def rate(self) -> float:
        """Billions a second of CPU time, of one turn."""
        return self.calls * self.count / cpu_s(self._turn) / 1e9

    def _turn(self) -> None:
        for _ in range(self.calls):
            self.work()


def measure(rounds: int, seed: int) -> dict[str, Figure]:
    """Medians of rounds, in each of which everything has its turn."""
    every = [*_multiplications(seed), *_quantisations(seed)]
    for one in every:
        one.work()  # which compiles
    rates = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for one in every:
            rate = one.rate()
            for name in {one.name, one.group}:
                rates[name].append(rate)
    return {name: median(rates[name]) for name in sorted(rates)}


def _multiplications(seed: int) -> Iterator[Measured]:
    rng = np.random.default_rng(seed)
    for bits, (batch, m, n, k) in product(WIDTHS, SHAPES):
        x, y = (rng.standard_normal((batch, rows, k), np.float32) for rows in (m, n))
        work = partial(multiply, quantise(x, bits), quantise(y, bits))
        group, count = f"host_gmacs_block{bits}", batch * m * n * k
        name = "x".join(map(str, (batch, m, n, k)[batch == 1 :]))
        yield Measured(f"{group}_{name}", group, work, -(-_PRODUCTS // count), count)


def _quantisations(seed: int) -> Iterator[Measured]:
    x = np.random.default_rng(seed).standard_normal(NUMBERS, np.float32)
    for name, work in (
        ("quantise", partial(quantise, x, _BITS)),
        ("quantise_stochastic", partial(quantise, x, _BITS, Rounding(seed, 1, 2, 0))),
        ("quantise_planes", partial(quantise_planes, x, _BITS)),
        ("quantise_tiles", partial(quantise, x, _BITS, tiles=True)),
    ):
        yield Measured(f"{name}_gelems", f"{name}_gelems", work, _CALLS, x.size)
