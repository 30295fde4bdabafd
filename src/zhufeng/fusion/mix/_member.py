"""What answers: members, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.float64]

END = ""
"""The chunk that ends a text: no characters."""


class MemberError(Exception):
    """A member cannot answer now; says why, without keys."""


@dataclass(frozen=True)
class Draw:
    """How a member's tokens are drawn."""

    temperature: float = 1.0
    """Logits are divided by it; 0 takes the likeliest token."""
    top_p: float = 1.0
    """Among the likeliest tokens that together have this probability (Holtzman et al. 2020)."""

    def __post_init__(self) -> None:
        assert self.temperature >= 0, "a temperature of at least 0"
        assert 0 < self.top_p <= 1, "a top_p in (0, 1]"


PLAIN = Draw()


class Voice(Protocol):
    """A member in the middle of a text."""

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        """One chunk drawn from the member, given what has been said so far.

        Args:
            rng: that of the draw; nothing else is random.
            draw: plainly, chunks come with the probabilities that `bits` tells.
            stub: what the chunk must begin with; a drawn chunk may be longer.

        Returns:
            A chunk, `END` where the text ends, or None where the draw came to nothing: a whole
            draw, the choice of the member too, is then made anew, so that what comes has the
            law of the mixture.

        Raises:
            MemberError: it fails.
        """

    def bits(self, chunk: str) -> float:
        """-log2 P(chunk | so far); nothing is changed by asking.

        Raises:
            MemberError: it fails.
        """

    def say(self, chunk: str) -> None:
        """The chunk becomes part of the past.

        Raises:
            MemberError: it fails.
        """


class Member(Protocol):
    """One model that answers; local or remote."""

    name: str

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> Bits:
        """What a text costs, chunk by chunk.

        Args:
            chunks: as `split` cuts a text, after `context`.
            context: the chunks before.

        Returns:
            -log2 P(chunk | all before it), shape (len(chunks),); inf where it cannot say it.

        Raises:
            MemberError: it fails.
        """

    def begin(self, context: Sequence[str]) -> Voice:
        """The member after `context`, to say more.

        Raises:
            MemberError: it fails.
        """
