"""What is distilled and how. Without torch, so that recipes can hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Literal

from zhufeng.base import record
from zhufeng.models import DecoderConfig
from zhufeng.training import Schedule, TrainConfig


@record
class TeacherConfig:
    """What the members are asked. Their answers are kept, and serve any student."""

    passage: int = 512
    """Chunks that are scored at once: longer documents are cut. A passage's first chunk is scored
    without a past."""
    held_out: float = 0.05
    """Share of the passages, evenly spread over the corpus, that is only evaluated."""
    macs_per_byte: Mapping[str, float] = field(default_factory=dict)
    """Multiply-accumulates that a remote member spends on a byte of text, by its name; about its
    active parameters over the bytes of a token. A local member's are counted."""

    def __post_init__(self) -> None:
        if self.passage < 1:
            raise ValueError("a passage of at least 1 chunk")
        if not 0 < self.held_out < 1:
            raise ValueError("a held_out in (0, 1)")
        if not all(0 < macs < math.inf for macs in self.macs_per_byte.values()):
            raise ValueError("macs_per_byte above 0")


@record
class DistilConfig:
    """A mixture taught to one student; its three trainings have the same schedule.

    Fields that are None have the defaults of `zhufeng.training.TrainConfig`.
    """

    student: DecoderConfig | None = None
    """A decoder that begins with drawn weights. Either this or `begin`."""
    begin: str | None = None
    """A canonical folder from whose weights the student begins."""
    tokenizer: str | None = None
    """The student's ``tokenizer.json``; without, that in the folder `begin`."""
    teacher: TeacherConfig = TeacherConfig()
    weight: float = 1.0
    """Of what the mixture says of the text's chunks, beside the corpus' 1."""
    sequence: int | None = None
    """Tokens that the student sees at once."""
    steps: int | None = None
    """The equal-compute baseline has more of them."""
    batch: int | None = None
    micro_batches: int = 1
    learning_rate: float | None = None
    final_share: float | None = None
    warmup: int | None = None
    weight_decay: float | None = None
    clip: float | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    """Of the student's trainings; not found out by itself, for the bits depend on it."""
    threads: int = 1

    def __post_init__(self) -> None:
        if (self.student is None) == (self.begin is None):
            raise ValueError("either a section [student] or begin, not both")
        if self.student is not None and self.tokenizer is None:
            raise ValueError("a tokenizer for the student, a tokenizer.json")
        if self.tokenizer is not None and Path(self.tokenizer).name != "tokenizer.json":
            raise ValueError("a tokenizer whose file is called tokenizer.json")
        if not 0 <= self.weight < math.inf:
            raise ValueError("a weight of at least 0")
        self._training(self.student or _ANY)

    def schedule(self, model: DecoderConfig, steps: int | None = None) -> tuple[Schedule, int]:
        """The schedule of one training, and the tokens that it sees at once.

        Args:
            model: the student's configuration.
            steps: in place of the configured ones; warm-up, evaluations and checkpoints keep
                their shares of them.
        """
        config = self._training(model)
        whole = config.schedule()
        if steps is None or steps == whole.steps:
            return whole, config.sequence_length
        stretched = replace(
            whole,
            steps=steps,
            warmup=whole.warmup * steps // whole.steps,
            evaluate_every=-(-whole.evaluate_every * steps // whole.steps),
            checkpoint_every=-(-whole.checkpoint_every * steps // whole.steps),
        )
        return stretched, config.sequence_length

    def _training(self, model: DecoderConfig) -> TrainConfig:
        given = {name: getattr(self, name) for name in _TRAINED}
        return TrainConfig(model=model, held_out=0.0, **given)


# Of `TrainConfig`, what a student's training has too.
_TRAINED = (
    *("sequence", "steps", "batch", "micro_batches", "learning_rate", "final_share", "warmup"),
    *("weight_decay", "clip", "precision", "evaluate_every", "checkpoint_every", "device"),
    "threads",
)
_ANY = DecoderConfig(vocabulary=1, layers=1, width=2, heads=1, ff_width=1)
