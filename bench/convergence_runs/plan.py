"""Which trainings there are, in which order, and what each of them costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zhufeng.models.reference import REFERENCES
from zhufeng.stack import POLICIES

SMALL = ("gpt-gelu-small", "gpt-relu2-small", "cnn-small", "mlp-small")
BASELINE = "bf16"
CHOSEN_ON, JUDGED_ON = range(5), range(5, 10)
"""Seeds on which a policy is chosen, and those on which it is judged."""
BY_COST = ("block4", "block5", "block6", "block8")
"""Policies from which one is chosen, the cheapest hardware first."""
SHORTER = (0.8, 0.9)
"""Shares of the steps for which the baseline is trained too: what steps are worth."""


@dataclass(frozen=True)
class Run:
    """One training."""

    reference: str
    policy: str
    seed: int
    share: float = 1.0
    """Of the reference's steps and of its warm-up."""

    @property
    def key(self) -> str:
        """Under which its result is kept."""
        return f"{self.reference} {self.policy} seed={self.seed} share={self.share:g}"

    @property
    def steps(self) -> int:
        """How many."""
        return round(REFERENCES[self.reference].steps * self.share)


def every_run(references: tuple[str, ...] = SMALL) -> Iterator[Run]:
    """All of them, so that after each round all policies have seen the same seeds."""
    for pair in zip(JUDGED_ON, CHOSEN_ON, strict=True):
        for seed in pair:
            for reference in references:
                yield from (Run(reference, policy, seed) for policy in POLICIES if policy != "fp32")
        for reference in references:
            yield from (Run(reference, BASELINE, pair[0], share) for share in SHORTER)
