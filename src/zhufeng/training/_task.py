"""What is trained: a model, its batches as a function of the step, its held-out data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from zhufeng.base import InputError
from zhufeng.models import (
    IGNORED,
    Decoder,
    DecoderConfig,
    initialise,
    write_decoder,
    write_weights,
)
from zhufeng.models.reference import Reference
from zhufeng.records import Shard, TokenSet
from zhufeng.training._artifact import (
    BYTES,
    REFERENCE,
    REFERENCE_FILE,
    WEIGHTS,
    ReferenceName,
)
from zhufeng.training._config import Schedule
from zhufeng.training._stream import TokenStream, WindowOrder

Pair = tuple[Tensor, Tensor]
"""Inputs and targets."""
Batch = tuple[Tensor, ...]
"""A pair, and whatever else the model is called with while it learns."""


class Task(Protocol):
    """What the loop trains. ``model(*batch)`` returns an object with ``loss`` (what is minimised:
    the mean over the targets, in nats) and ``logits`` (targets' shape, then classes).
    """

    def build(self) -> nn.Module:
        """The model on the CPU, initialised from the task's seed."""

    def batch(self, step: int, micro: int) -> Batch:
        """Inputs and targets of one micro-batch of a step, both counted from 0; more, where the
        model learns from more.

        A function of the task's seed and these two alone: it may be asked in any order.
        """

    def held_out(self) -> Iterator[Pair]:
        """Inputs and targets that are never learned from, the same at every call; targets that
        are `IGNORED` do not count. Empty where nothing is held out.
        """

    def text_bytes(self, targets: Tensor) -> float | None:
        """Bytes of text that these targets stand for; None where they are not text."""

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the model's canonical folder; `folder` must exist."""


class TokenTask:
    """A decoder on token shards.

    The stream is cut into windows side by side; the first token of each is the last of the one
    before, so that every token but the stream's first is a target once an epoch.
    """

    def __init__(
        self,
        config: DecoderConfig,
        shards: Sequence[Shard],
        schedule: Schedule,
        *,
        seed: int,
        sequence: int,
        held_out: float,
        tokens: TokenSet | None,
    ) -> None:
        """Open the shards.

        Args:
            config: the decoder's.
            shards: in the order of the stream.
            schedule: its batch and micro-batches.
            seed: of weights and order.
            sequence: tokens that the decoder sees at once.
            held_out: share of the tokens, at the stream's end, that is only evaluated.
            tokens: what the tokens are; without it there are no bits a byte.

        Raises:
            InputError: the tokens do not fit the decoder, or are too few.
        """
        self.config, self.seed, self.sequence, self.tokens = config, seed, sequence, tokens
        self.stream = TokenStream(shards)
        self.size = schedule.batch // schedule.micro_batches
        self.steps_size = schedule.batch
        if tokens is not None and tokens.vocabulary > config.vocabulary:
            raise _too_small(config.vocabulary, f"shards of a vocabulary of {tokens.vocabulary}")
        held = int(len(self.stream) * held_out)
        self.learned = len(self.stream) - held
        self.order = WindowOrder((self.learned - 1) // sequence, seed)
        if self.order.windows < 1:
            raise _too_few(self.learned, sequence, "to learn from", "shorten sequence")
        if held_out > 0 and held <= sequence:
            raise _too_few(held, sequence, "held out", "raise held_out (0 holds nothing out)")

    def build(self) -> nn.Module:
        """See `Task.build`."""
        model = Decoder(self.config)
        initialise(model, self.seed)
        return model

    def batch(self, step: int, micro: int) -> Pair:
        """See `Task.batch`; both of shape (batch / micro-batches, sequence)."""
        return self._windows(self.begins(step, micro), self.learned)

    def begins(self, step: int, micro: int) -> list[int]:
        """Where in the stream the windows of a batch begin; the first target is the token after."""
        first = step * self.steps_size + micro * self.size
        return [self.order.at(first + i) * self.sequence for i in range(self.size)]

    def held_out(self) -> Iterator[Pair]:
        """See `Task.held_out`; windows side by side, the last one filled up with `IGNORED`."""
        begins = range(self.learned, len(self.stream) - 1, self.sequence)
        for first in range(0, len(begins), self.size):
            yield self._windows(begins[first : first + self.size], len(self.stream))

    def text_bytes(self, targets: Tensor) -> float | None:
        """See `Task.text_bytes`: exact for bytes, the corpus' own average for other tokens."""
        if self.tokens is None or not self.tokens.tokens:
            return None
        counted = targets != IGNORED
        if self.tokens.tokenizer == BYTES:
            return float((counted & (targets != self.tokens.end)).sum())
        return float(counted.sum()) * self.tokens.text_bytes / self.tokens.tokens

    def save(self, folder: Path, model: nn.Module) -> None:
        """See `Task.save`."""
        write_decoder(folder, cast(Decoder, model))

    def _windows(self, begins: Sequence[int], end: int) -> Pair:
        rows = np.full((len(begins), self.sequence + 1), -1, np.int64)
        for row, begin in zip(rows, begins, strict=True):
            read = self.stream.read(begin, min(begin + self.sequence + 1, end))
            row[: read.size] = read
        largest = int(rows.max())
        if largest >= self.config.vocabulary:
            raise _too_small(self.config.vocabulary, f"shards with a token {largest}")
        inputs, targets = torch.from_numpy(rows[:, :-1].clip(0)), torch.from_numpy(rows[:, 1:])
        return inputs, targets.masked_fill(targets < 0, IGNORED)


class ReferenceTask:
    """One of the frozen reference models on its own data."""

    def __init__(self, reference: Reference, schedule: Schedule, *, seed: int) -> None:
        self.reference, self.seed = reference, seed
        self.size = schedule.batch // schedule.micro_batches
        data = reference.data(seed)
        self.held_out = data.held_out
        # A step's micro-batches are parts of one batch, drawn once.
        self._batch = lru_cache(maxsize=1)(lambda step: data.batch(step, schedule.batch))

    def build(self) -> nn.Module:
        """See `Task.build`."""
        return self.reference.build(self.seed)

    def batch(self, step: int, micro: int) -> Pair:
        """See `Task.batch`."""
        inputs, targets = self._batch(step)
        part = slice(micro * self.size, (micro + 1) * self.size)
        return inputs[part], targets[part]

    def text_bytes(self, targets: Tensor) -> float | None:
        """See `Task.text_bytes`."""
        bytes_per_target = self.reference.bytes_per_target
        return None if bytes_per_target is None else targets.numel() * bytes_per_target

    def save(self, folder: Path, model: nn.Module) -> None:
        """See `Task.save`; ``reference.json`` names the reference."""
        if isinstance(model, Decoder):
            write_decoder(folder, model)
        else:
            write_weights(folder / WEIGHTS, model)
        REFERENCE.write_json(folder / REFERENCE_FILE, ReferenceName(name=self.reference.name))


def _too_small(vocabulary: int, came: str) -> InputError:
    return InputError(
        "[train.model] has too small a vocabulary for the shards",
        expected=f"tokens below {vocabulary}, the model's vocabulary",
        came=came,
        do="raise vocabulary in [train.model], or name other shards",
    )


def _too_few(tokens: int, sequence: int, purpose: str, do: str) -> InputError:
    return InputError(
        f"the shards hold too few tokens {purpose}",
        expected=f"at least {sequence + 1}, one more than a sequence",
        came=f"{tokens:,} tokens",
        do=f"{do}, or train on more text",
    )
