"""What is trained and how. Without torch, so that recipes can hold it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from zhufeng.base import Files, InputError, brief, record
from zhufeng.models import DecoderConfig
from zhufeng.records import Policy
from zhufeng.stack import named_policy

# A shard is two files, and tells with a third what its tokens are: all of them make the bytes.
SHARD_FILES = Files(endings=(".idx", ".bin", "tokens.json"))

Precision = Literal["fp32", "bf16"]
CheckpointFormat = Literal["safetensors", "distributed"]
Device = Literal["cpu", "cuda"]

# How often a training is evaluated and put down where the configuration does not say.
_TIMES = 10


@record
class Schedule:
    """One training in full: what `train` follows, whatever the task."""

    steps: int
    batch: int
    """Sequences or examples a step."""
    micro_batches: int = 1
    """Into how many parts a batch is divided, one after another; their gradients are added."""
    learning_rate: float
    """At the peak."""
    final_share: float = 0.1
    """Of the peak, where the cosine ends: after the last step."""
    warmup: int = 0
    """Steps in which the learning rate rises from nothing to the peak."""
    weight_decay: float = 0.1
    """Decoupled; on tensors of two dimensions and more, not on gains and biases."""
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip: float = 1.0
    """Largest norm of all gradients together; 0 for any."""
    precision: Precision = "fp32"
    """bf16 is torch's autocast; weights and optimizer stay fp32."""
    policy: Policy | None = None
    """Formats in which matrices are multiplied (`zhufeng.stack.emulate`); the rest is fp32."""
    evaluate_every: int
    """Steps; before the first and after the last too."""
    checkpoint_every: int
    """Steps; after the last too."""
    checkpoint_format: CheckpointFormat = "safetensors"
    keep: tuple[float, ...] = ()
    """Points of the training, as shares of the steps, whose weights are kept; 0 is before the
    first step."""
    device: Device = "cpu"
    threads: int = 1
    """Of torch; with a policy, of its products alone, whose bits do not depend on them."""

    def __post_init__(self) -> None:
        if self.policy is not None and self.precision != "fp32":
            raise ValueError("a policy with precision fp32")
        for name in ("steps", "batch", "micro_batches", "evaluate_every", "checkpoint_every"):
            _at_least(1, name, getattr(self, name))
        _at_least(1, "threads", self.threads)
        if self.batch % self.micro_batches:
            raise ValueError(f"micro_batches that divide the batch of {self.batch}")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(f"a warmup of 0 to {self.steps - 1} steps")
        if not (self.learning_rate > 0 and self.epsilon > 0):
            raise ValueError("learning_rate and epsilon above 0")
        if not 0 <= self.final_share <= 1:
            raise ValueError("a final_share in [0, 1]")
        if not (self.weight_decay >= 0 and self.clip >= 0):
            raise ValueError("weight_decay and clip of at least 0")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ValueError("beta1 and beta2 in [0, 1)")
        if not all(0 <= share <= 1 for share in self.keep):
            raise ValueError("points to keep in [0, 1], shares of the steps")

    @property
    def kept_steps(self) -> tuple[int, ...]:
        """Numbers of steps after which weights are kept, in order; 0 is before the first."""
        return tuple(sorted({round(share * self.steps) for share in self.keep}))


@record
class TrainConfig:
    """What is trained and how; the section ``[train]`` of a recipe.

    Fields that are None take the reference's value, or for a model `DEFAULTS`.
    """

    model: DecoderConfig | None = None
    """A decoder, trained on tokens. Either this or a reference."""
    reference: str | None = None
    """One of the frozen reference models, with its own data: ``"gpt-gelu-small"``."""
    shards: Annotated[tuple[str, ...], SHARD_FILES] = ()
    """Token shards (``.idx`` and ``.bin``, ``tokens.json`` where there is one): files, folders
    and globs. The run's own corpus without."""
    sequence: int | None = None
    """Tokens that a decoder sees at once."""
    held_out: float | None = None
    """Share of the tokens, at the end of the shards, that is kept for evaluation; 0 for none."""
    steps: int | None = None
    batch: int | None = None
    micro_batches: int = 1
    learning_rate: float | None = None
    final_share: float | None = None
    warmup: int | None = None
    """In proportion where only the steps are given."""
    weight_decay: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    clip: float | None = None
    precision: Precision = "fp32"
    policy: str | None = None
    """Number formats of matrix products, by a name: `zhufeng.stack.POLICIES`."""
    own_policy: Policy | None = None
    """Or as rules of one's own."""
    against_bf16: bool = True
    """With a policy: whether the same training in bf16 stands beside it, for its loss."""
    evaluate_every: int | None = None
    """A tenth of the steps without."""
    checkpoint_every: int | None = None
    """A tenth of the steps without."""
    checkpoint_format: CheckpointFormat = "safetensors"
    keep: tuple[float, ...] = ()
    device: Device = "cpu"
    """Not found out by itself, for the bits depend on it."""
    threads: int = 1
    """Of the CPU. Not found out by itself, for the bits depend on them; with a policy they do
    not."""

    @property
    def number_policy(self) -> Policy | None:
        """The policy itself.

        Raises:
            InputError: there is none of that name.
        """
        return named_policy(self.policy) if self.policy is not None else self.own_policy

    def __post_init__(self) -> None:
        if (self.model is None) == (self.reference is None):
            raise ValueError("either a section [train.model] or a reference, not both")
        if self.policy is not None and self.own_policy is not None:
            raise ValueError("either a policy or [train.own_policy], not both")
        if self.reference is not None:
            if self.shards or self.sequence is not None or self.held_out is not None:
                raise ValueError("no shards, sequence or held_out: a reference has its own data")
            return
        _at_least(1, "sequence", self.sequence_length)
        if not 0 <= self.held_out_share < 1:
            raise ValueError("a held_out in [0, 1)")
        self._schedule(DEFAULTS)

    @property
    def sequence_length(self) -> int:
        """`sequence`, or the default of 256."""
        return 256 if self.sequence is None else self.sequence

    @property
    def held_out_share(self) -> float:
        """`held_out`, or the default of 0.05."""
        return 0.05 if self.held_out is None else self.held_out

    def schedule(self, defaults: Schedule | None = None) -> Schedule:
        """The whole schedule.

        Args:
            defaults: what takes the place of None; `DEFAULTS` without.

        Raises:
            InputError: what is configured does not fit the reference's own values.
        """
        try:
            return self._schedule(defaults or DEFAULTS)
        except ValueError as error:
            raise InputError(
                f"[train] does not fit the reference '{self.reference}'",
                expected=brief(error),
                came="[train], with the reference's values where it has none",
                do="correct that value in [train], or leave it to the reference",
            ) from None

    def _schedule(self, defaults: Schedule) -> Schedule:
        steps = defaults.steps if self.steps is None else self.steps
        scaled: dict[str, Any] = {
            "warmup": defaults.warmup * steps // defaults.steps,
            "evaluate_every": max(1, steps // _TIMES),
            "checkpoint_every": max(1, steps // _TIMES),
        }
        given: dict[str, Any] = {}
        for field in dataclasses.fields(Schedule):
            name = field.name
            own = self.number_policy if name == "policy" else getattr(self, name, None)
            given[name] = scaled.get(name, getattr(defaults, name)) if own is None else own
        return Schedule(**given)


def _at_least(least: int, name: str, value: int) -> None:
    if value < least:
        raise ValueError(f"{name} of at least {least}")


DEFAULTS = Schedule(
    steps=1000,
    batch=16,
    learning_rate=1e-3,
    warmup=50,
    evaluate_every=100,
    checkpoint_every=100,
)
"""For a decoder of a recipe's own."""
