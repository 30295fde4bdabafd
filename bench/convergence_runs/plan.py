"""Which trainings there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
Begins = Mapping[str, float]
"""By reference, the share of the steps after which a training in bf16 goes on in a policy."""
EARLY: Begins = {**dict.fromkeys(SMALL, 0.1), "cnn-small": 0.5}
"""Where policies are chosen and judged: where the placebo's branches end as bf16 does. What becomes
of the CNN is open for longer than of the others, as `open_runs` show."""
HALF: Begins = dict.fromkeys(SMALL, 0.5)
"""Where they are screened."""
WHOLE: Begins = dict.fromkeys(SMALL, 0.0)
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


def branches(reference: str) -> tuple[float, ...]:
    """Where policies leave bf16."""
    return tuple(sorted({EARLY[reference], HALF[reference]}))


def runs_of(policy: str, seeds: range, begins: Begins = WHOLE) -> list[Run]:
    """Its trainings on all references that begin somewhere, seed by seed."""
    return [Run(one, policy, seed, since=since) for seed in seeds for one, since in begins.items()]


def shorter_runs() -> list[Run]:
    """Those of the baseline for fewer steps."""
    return [Run(reference, BASELINE, seed, SHORTER) for seed in JUDGED_ON for reference in SMALL]


def open_runs() -> list[Run]:
    """Of the placebo, where the CNN's fate is still open."""
    return [Run("cnn-small", PLACEBO, 0, since=since) for since in (0.1, 0.2, 0.3)]


def every_run() -> Iterator[Run]:
    """All that may ever be asked for."""
    for policy in POLICIES:
        for begins in (WHOLE, EARLY, HALF):
            yield from runs_of(policy, range(JUDGED_ON.stop), begins)
    yield from open_runs()
    yield from shorter_runs()
