"""Several members answer as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from zhufeng.fusion.mix._answer import Answer, Said, nobody
from zhufeng.fusion.mix._chunks import split
from zhufeng.fusion.mix._member import Bits, Draw, Member, MemberError
from zhufeng.fusion.mix._weights import FORGET, mix


@dataclass(frozen=True)
class Mixed:
    """A text scored by all members."""

    chunks: tuple[str, ...]
    bits: Bits
    """Shape (members, chunks); inf where a member cannot say a chunk, or failed."""
    weights: Bits
    """Shape (members, chunks): before each chunk; columns sum to 1."""
    mixture_bits: Bits
    """Shape (chunks,): -log2 sum_i w_i 2^-bits_i."""
    failures: tuple[str | None, ...]
    """Of each member, why it failed; None where it did not."""


@dataclass(frozen=True)
class Mixture:
    """The posterior-weighted mixture of members (see `mix` for the law of its weights)."""

    members: Sequence[Member]
    prior: Sequence[float] | None = None
    """Weights at a text's beginning, to a common factor; equal without."""
    forget: float = FORGET
    """Share of the weights that goes back to the prior after each chunk."""

    def __post_init__(self) -> None:
        assert self.members, "at least one member"
        assert self.prior is None or len(self.prior) == len(self.members)

    def score(self, text: str) -> Mixed:
        """What a text costs each member and the mixture.

        Members are asked at the same time. One that fails has no weight.

        Raises:
            InputError: all members fail, or the text is not Unicode.
        """
        chunks = split(text)

        def asked(member: Member) -> Bits | MemberError:
            try:
                return member.score(chunks)
            except MemberError as error:
                return error

        with ThreadPoolExecutor(len(self.members)) as threads:
            answers = list(threads.map(asked, self.members))
        failures = tuple(str(one) if isinstance(one, MemberError) else None for one in answers)
        prior = np.ones(len(answers)) if self.prior is None else np.array(self.prior, np.float64)
        prior[[why is not None for why in failures]] = 0.0
        if not prior.any():
            raise nobody([member.name for member in self.members], failures)
        lost = np.full(len(chunks), np.inf)
        bits = np.stack([lost if isinstance(one, MemberError) else one for one in answers])
        weighed = mix(bits, prior.tolist(), forget=self.forget)
        return Mixed(tuple(chunks), bits, weighed.weights, weighed.mixture_bits, failures)

    def generate(
        self,
        prompt: str,
        *,
        chunks: int,
        seed: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
    ) -> Iterator[Said]:
        """Continue `prompt`, chunk by chunk.

        For each chunk a member is drawn by the weights and proposes one; all members hear it, and
        the weights move. At temperature 1 and top_p 1 chunks so come with the probabilities of
        the mixture, of which what members lose to unspeakable spellings is left out; at
        temperature 0 the heaviest member proposes its likeliest. The text ends when a member so
        drawn proposes its end. The prompt's last chunk is drawn anew among those that begin with
        it, for it may end inside a word.

        Args:
            prompt: what has been said; may be empty.
            chunks: how many at most.
            seed: the same seed, members and prompt give the same answer.
            temperature: by which logits of the member that proposes are divided.
            top_p: its nucleus.
            stop: strings before which the answer ends.

        Yields:
            One `Said` a chunk; the last has `finish` set. Where the text ends by itself, it has
            the chunk `END`.

        Raises:
            InputError: all members fail, or the prompt is not Unicode.
        """
        draw = Draw(temperature, top_p)
        return Answer(self.members, self.prior, self.forget, draw, seed).run(prompt, chunks, stop)
