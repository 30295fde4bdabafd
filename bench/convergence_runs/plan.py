"""Which trainings there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zhufeng.models.reference import REFERENCES
from zhufeng.records import Policy
from zhufeng.stack import POLICIES, named_policy

SMALL = ("mlp-small", "gpt-gelu-small", "gpt-relu2-small", "cnn-small")
BASELINE = "bf16"
CHOSEN_ON, JUDGED_ON = range(5), range(5, 10)
"""Seeds on which a policy is chosen, and those on which it is judged."""
SCREENED_ON = range(1)
"""Seeds on which every policy is seen at all."""
BRANCH = 0.5
"""The share of the steps after which a training in bf16 goes on in a policy, where policies are
screened, chosen and judged: what becomes of a model is open for much longer than a tenth of them,
as `open_runs` show.
"""
WHOLE = 0.0
"""The same, where a policy holds from the first step on."""
BY_COST = (
    "block4",
    "block4-late",
    "block5",
    "block5-late",
    "block6",
    "block6-tiles",
    "block6-rotated",
    "block6-ends",
    "block6-late",
    "block6-ends-late",
    "block6-late-fifth",
    "block6-finer-weights",
    "block6-finer-activations",
    "block6-finer-gradients",
    "block8",
)
"""Policies from which one is chosen, by the square of their bits times mean passes."""
PLACEBO = "fp32"
"""What should change nothing: how far it does is how far chance goes."""
JUDGED = ("mxfp8",)
"""What is judged beside the one that is chosen."""
SHORTER = 0.5
"""The share of the steps for which the baseline is trained too, where policies are judged: so it is
known what steps are worth."""


@dataclass(frozen=True)
class Run:
    """One training."""

    reference: str
    policy: str
    seed: int
    share: float = 1.0
    """Of the reference's steps and of its warm-up."""
    since: float = 0.0
    """The share of its steps after which the policy begins to hold; before, it is the baseline."""

    @property
    def key(self) -> str:
        """Under which its result is kept."""
        branch = f" since={self.since:g}" if self.since else ""
        return f"{self.reference} {self.policy} seed={self.seed} share={self.share:g}{branch}"

    @property
    def steps(self) -> int:
        """How many."""
        return round(REFERENCES[self.reference].steps * self.share)

    @property
    def formats(self) -> Policy:
        """Its policy, from the beginning on."""
        own = named_policy(self.policy)
        if not self.since:
            return own
        later = (replace(rule, since=max(rule.since, self.since)) for rule in own.rules)
        rules = (*named_policy(BASELINE).rules, *later)
        return Policy(name=f"{own.name} since {self.since:g}", rules=rules)


def runs_of(policy: str, seeds: range, since: float = WHOLE) -> list[Run]:
    """Its trainings on all references, seed by seed."""
    return [Run(reference, policy, seed, since=since) for seed in seeds for reference in SMALL]


def shorter_runs() -> list[Run]:
    """Those of the baseline for fewer steps."""
    return [Run(reference, BASELINE, seed, SHORTER) for seed in JUDGED_ON for reference in SMALL]


def open_runs() -> list[Run]:
    """Of the placebo, where a model's fate is still open."""
    return [
        Run("cnn-small", PLACEBO, 0, since=0.1),
        *(Run("gpt-gelu-small", PLACEBO, seed, since=0.1) for seed in (0, 1)),
    ]


def every_run() -> Iterator[Run]:
    """All that may ever be asked for."""
    for policy in POLICIES:
        for since in (WHOLE, BRANCH):
            yield from runs_of(policy, range(JUDGED_ON.stop), since)
    yield from open_runs()
    yield from shorter_runs()
