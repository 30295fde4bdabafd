"""Who learns what, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fusion_union.documents import DOMAINS, Domain
from fusion_union.split import Split
from zhufeng.models import DecoderConfig
from zhufeng.training import TrainConfig

SEEDS = range(5)
SEQUENCE = 256
"""Tokens that everybody sees at once, in learning and when asked."""

_LLAMA = DecoderConfig(
    vocabulary=2048, layers=4, width=128, heads=4, kv_heads=2, ff_width=352, tied=True
)
_GLM = DecoderConfig(
    vocabulary=1536,
    layers=4,
    width=128,
    heads=4,
    kv_heads=2,
    ff_width=352,
    qkv_bias=True,
    rotary_fraction=0.5,
    tied=True,
)
_NEOX = DecoderConfig(
    vocabulary=1024,
    layers=4,
    width=128,
    heads=4,
    ff_width=512,
    norm="layer",
    qkv_bias=True,
    output_bias=True,
    ff_bias=True,
    rotary_fraction=0.25,
    activation="gelu",
    gated=False,
    tied=True,
)
STUDENT = DecoderConfig(
    vocabulary=2048, layers=4, width=128, heads=4, ff_width=352, qk_norm="before_rotary", tied=True
)


@dataclass(frozen=True)
class Learner:
    """One decoder, and the share of each domain that it learns."""

    model: DecoderConfig
    shares: Mapping[Domain, float]

    def texts(self, split: Split) -> list[str]:
        """What it learns: of each domain the first documents."""
        return [
            text
            for domain, share in self.shares.items()
            for text in split.learned[domain][: round(share * len(split.learned[domain]))]
        ]


MEMBERS: Mapping[str, Learner] = {
    "python": Learner(_LLAMA, {"python": 1}),
    "headers": Learner(_GLM, {"headers": 1}),
    "prose": Learner(_NEOX, {"prose": 1}),
}
"""Of three families, with tokenizers of three sizes: like Llama, GLM and GPT-NeoX."""
OVERLAPPING = "overlapping"
OVERLAP = Learner(_GLM, {"python": 0.5, "headers": 0.5})
"""In place of ``headers``: half of what it learns, ``python`` learns too."""


@dataclass(frozen=True)
class Size:
    """How much everybody learns."""

    name: str
    steps: int
    """Of a member."""
    student_steps: int
    student_share: float
    """Of the members' texts; each is scored by all members before it is taught: that takes long."""

    @property
    def student(self) -> Learner:
        """It learns of all domains."""
        return Learner(STUDENT, dict.fromkeys(DOMAINS, self.student_share))

    def config(self, learner: Learner) -> TrainConfig:
        """How one of them learns."""
        steps = self.student_steps if learner.model is STUDENT else self.steps
        return TrainConfig(
            model=learner.model,
            sequence=SEQUENCE,
            held_out=0,
            steps=steps,
            batch=8,
            learning_rate=2e-3,
            warmup=steps // 20,
            evaluate_every=steps,
            checkpoint_every=max(1, steps // 10),
        )


FULL, QUICK = Size("full", 600, 900, 0.35), Size("quick", 150, 100, 0.08)
