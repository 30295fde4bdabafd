"""How tiles are quantised."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from zhufeng.formats.blocks import WIDTHS
from zhufeng.formats.host import Rounding


@dataclass(frozen=True)
class Mode:
    """What shares are fair among."""

    bits: int
    stochastic: bool
    two: bool
    """Planes, of one operand or of both."""


@dataclass(frozen=True)
class Side:
    """How an operand is quantised."""

    bits: int
    planes: int
    rounding: Rounding | None
    """Stochastic; None: to nearest."""
    shared: bool = False
    """Whether 16 x 16 numbers share a scale."""


@dataclass(frozen=True)
class Way:
    """How both are, and what is summed."""

    a: Side
    b: Side
    steps: int
    """Of 32 numbers."""

    @property
    def plain(self) -> bool:
        """Whether both have the same bits and every block a scale of its own."""
        return self.a.bits == self.b.bits and not (self.a.shared or self.b.shared)


MODES: Final = tuple(Mode(*one) for one in product(WIDTHS, (False, True), (False, True)))
PLAIN_PARTS, PARTS = 15, 25
"""Of the parts into which the tiles of a mode fall: which are plain, and all."""
_OTHER_BITS = 20
"""The part from which on the operands have different bits."""
_LONG, _STEPS = (4, 16), 6
"""Parts that sum over so many steps: over as many as it takes to run out of bits."""
_PLANES: Final = ((2, 2), (2, 1), (1, 2))


def way(mode: Mode, part: int, rng: np.random.Generator) -> Way:
    """The way of a part of a mode's tiles.

    Where there are two planes, both operands have them, or one, or the other, in turns. After the
    plain parts come those in which tiles of one operand or the other share scales, to nearest
    (rule 2.8), and those in which the bits of `b` are others. A few parts, a plain one
    among them, sum over more than one step.
    """
    planes = _PLANES[part % len(_PLANES)] if mode.two else (1, 1)
    others = [bits for bits in WIDTHS if bits != mode.bits]
    bits = (mode.bits, others[part % len(others)] if part >= _OTHER_BITS else mode.bits)
    shared = PLAIN_PARTS <= part < _OTHER_BITS and not mode.stochastic
    a, b = (
        Side(
            bits[side],
            planes[side],
            _rounding(rng, side) if mode.stochastic else None,
            shared=shared and part % 2 == side,
        )
        for side in (0, 1)
    )
    return Way(a, b, _STEPS if part in _LONG else 1)


def _rounding(rng: np.random.Generator, side: int) -> Rounding:
    seed, step, tensor = (int.from_bytes(rng.bytes(8)) >> 64 - bits for bits in (64, 32, 31))
    return Rounding(seed, step, tensor, side)
