"""Blocks as they are kept in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhufeng.formats.blocks import BLOCK
from zhufeng.formats.host import _functions as functions
from zhufeng.formats.host._blocks import Blocks


@dataclass(frozen=True)
class Stored:
    """Blocks in as few bytes as they take (rule 1.4)."""

    bits: int
    size: int
    codes: NDArray[np.uint8]
    """Shape (..., rows, blocks), without blocks that only fill up."""
    elements: NDArray[np.uint8]
    """Shape (..., rows, blocks, 2 * bits)."""

    @property
    def bytes(self) -> int:
        """How many."""
        return self.codes.nbytes + self.elements.nbytes


def stored(x: Blocks) -> Stored:
    """Blocks, with their elements side by side."""
    count = -(-x.size // BLOCK)
    codes = np.ascontiguousarray(x.codes[..., :count])
    packed = functions.packed(x.bits)(x=x.elements[..., :count, :])["out"]
    return Stored(x.bits, x.size, codes, packed)


def restored(x: Stored) -> Blocks:
    """The blocks that were stored."""
    count = x.codes.shape[-1]
    lead = (*x.codes.shape[:-1], count + count % 2)
    codes, elements = np.zeros(lead, np.uint8), np.zeros((*lead, BLOCK), np.int8)
    codes[..., :count] = x.codes
    elements[..., :count, :] = functions.unpacked(x.bits)(x=x.elements)["out"]
    return Blocks(x.bits, x.size, codes, elements)
