"""An answer's bits by member, added up while it is said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zhufeng.fusion.ledger._lines import NANOBITS, TEXT_BITS, Ended, Entry

# What a member holds for less likely than 2 to the minus this, it cannot say.
_MOST_BITS = 1e6


def contributions(
    text_bytes: int, bits: Sequence[float], weights: Sequence[float]
) -> tuple[float, ...]:
    """What each member contributed to one chunk, in bits.

    The mixture gives the chunk -log2 sum_j w_j 2^-bits_j bits, and gains what that is below the
    8 bits a byte that a text costs whoever knows nothing. A member's part of the gain is its
    responsibility w_i 2^-bits_i / sum_j w_j 2^-bits_j (the posterior that the chunk came from
    it), so that the parts add up to the gain. All are negative where the mixture would have
    done better to know nothing. A chunk that no member can say is given at 8 bits a byte, and
    nobody contributes.

    Args:
        text_bytes: of the chunk in UTF-8.
        bits: -log2 P(chunk) by each member; inf where it failed or cannot say the chunk.
        weights: of the members before the chunk.
    """
    assert len(bits) == len(weights)
    assert not any(map(math.isnan, (*bits, *weights)))
    exponents = [
        math.log2(weight) - bit if weight > 0 else -math.inf
        for bit, weight in zip(bits, weights, strict=True)
    ]
    # Taken relative to the largest: 2^-bits of a long chunk is below the smallest float.
    top = max(exponents)
    if top == -math.inf:
        return (0.0,) * len(bits)
    parts = [2.0 ** (exponent - top) for exponent in exponents]
    total = math.fsum(parts)
    gain = TEXT_BITS * text_bytes + top + math.log2(total)
    return tuple(part / total * gain for part in parts)


class Tally:
    """Counts an answer's chunks as they are said; `entry` is what goes to the ledger."""

    def __init__(self, members: Sequence[str]) -> None:
        self._members = tuple(members)
        self._bits: list[list[float]] = [[] for _ in members]
        self._contributions: list[list[float]] = [[] for _ in members]
        self._text_bytes = 0

    def add(self, chunk: str, bits: Sequence[float], weights: Sequence[float]) -> float:
        """Count one chunk (see `contributions`); returns its bits by the mixture."""
        size = len(chunk.encode())
        known = [bit if bit < _MOST_BITS else math.inf for bit in bits]
        parts = contributions(size, known, weights)
        self._text_bytes += size
        for index, (bit, part) in enumerate(zip(known, parts, strict=True)):
            self._bits[index].append(bit)
            self._contributions[index].append(part)
        return TEXT_BITS * size - math.fsum(parts)

    def entry(self, *, answer: str, account: str | None, ended: Ended) -> Entry:
        """What has been counted so far, in whole nanobits.

        Each member's sum is taken exactly and rounded once (half to even), so that copies have
        equal parts; the gain is then the sum of the rounded parts, and lies within half a
        nanobit a member of the exact one.
        """
        parts = [_nanobits(math.fsum(one)) for one in self._contributions]
        bits = [math.fsum(one) for one in self._bits]
        return Entry(
            answer=answer,
            account=account,
            ended=ended,
            chunks=len(self._bits[0]),
            text_bytes=self._text_bytes,
            members=self._members,
            member_nanobits=tuple(_nanobits(b) if math.isfinite(b) else None for b in bits),
            contribution_nanobits=tuple(parts),
            mixture_nanobits=TEXT_BITS * NANOBITS * self._text_bytes - sum(parts),
        )


def _nanobits(bits: float) -> int:
    return round(bits * NANOBITS)
