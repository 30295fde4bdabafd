"""Which trainings there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zhufeng.models.reference import REFERENCES
from zhufeng.stack import POLICIES

SMALL = ("mlp-small", "gpt-gelu-small", "gpt-relu2-small", "cnn-small")
BASELINE = "bf16"
SCREENED_ON, CHOSEN_ON, JUDGED_ON = range(2), range(5), range(5, 10)
"""Seeds on which policies are seen first, on which one is chosen, and on which it is judged."""
BY_COST = ("block4", "block4-late", "block5", "block5-late", "block6", "block8")
"""Policies from which one is chosen, by transistors a multiply-accumulate (docs/precision.md)
times mean passes."""
PLANNED = "block6"
"""The policy that the design begins with."""
JUDGED = ("mxfp8",)
"""What is judged beside the one that is chosen."""
SHORTER, SHORTER_ON = 0.8, range(5, 8)
"""The share of the steps for which the baseline is trained too, and on which seeds: so it is known
what steps are worth."""


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


def runs_of(policy: str, seeds: range) -> list[Run]:
    """Its trainings on all references, seed by seed."""
    return [Run(reference, policy, seed) for seed in seeds for reference in SMALL]


def shorter_runs() -> list[Run]:
    """Those of the baseline for fewer steps."""
    return [Run(reference, BASELINE, seed, SHORTER) for seed in SHORTER_ON for reference in SMALL]


def every_run() -> Iterator[Run]:
    """All that may ever be asked for."""
    for policy in POLICIES:
        yield from runs_of(policy, range(JUDGED_ON.stop))
    yield from shorter_runs()
