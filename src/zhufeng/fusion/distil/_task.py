"""What is trained: the student on its corpus, alone or taught."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zhufeng.fusion.distil._objective import Taught
from zhufeng.fusion.distil._targets import HELD_OUT, LEARNED, Targets, TokenCorpus
from zhufeng.fusion.distil._tokenizer import Spelling
from zhufeng.models import Decoder, DecoderConfig, read_decoder, write_decoder
from zhufeng.records import TokenSet, read_shard
from zhufeng.training import Schedule, TokenTask


class StudentTask(TokenTask):
    """The student on the corpus alone."""

    def __init__(
        self,
        folder: Path,
        corpus: TokenCorpus,
        spelling: Spelling,
        model: DecoderConfig,
        schedule: Schedule,
        *,
        begin: Path | None,
        sequence: int,
        seed: int,
    ) -> None:
        """Open what `write_corpus` wrote.

        Args:
            folder: of the corpus in the student's tokens.
            corpus: what it says of itself.
            spelling: of the student.
            model: the student's.
            schedule: its batch and micro-batches.
            begin: a canonical folder with the weights to begin with; drawn without.
            sequence: tokens that the student sees at once.
            seed: of weights and order.

        Raises:
            InputError: too small a vocabulary, or too little text.
        """
        # Whole tokens, whatever a share rounds to.
        held_out = (corpus.held_out_tokens + 1.5) / (
            corpus.learned_tokens + corpus.held_out_tokens + 1
        )
        super().__init__(
            model,
            [read_shard(folder / name) for name in (LEARNED, HELD_OUT)],
            schedule,
            seed=seed,
            sequence=sequence,
            held_out=held_out,
            # Of what is held out: so that bits a byte are exact over all of it.
            tokens=TokenSet(
                tokenizer=spelling.path.name,
                vocabulary=spelling.vocabulary,
                end=spelling.end,
                tokens=corpus.held_out_tokens,
                text_bytes=corpus.held_out_bytes,
            ),
        )
        self._begin = begin

    def build(self) -> nn.Module:
        """See `Task.build`."""
        return super().build() if self._begin is None else read_decoder(self._begin)


class TaughtTask:
    """The same, with what the mixture says of it."""

    def __init__(
        self, alone: StudentTask, targets: Targets, ending: NDArray[np.float32], weight: float
    ) -> None:
        """Add a teacher.

        Args:
            alone: the student on the corpus.
            targets: what the mixture says of the corpus.
            ending: see `Spelling.ending`.
            weight: see `Taught`.
        """
        self._alone, self._targets = alone, targets
        self._ending, self._weight = torch.from_numpy(ending), weight

    def build(self) -> nn.Module:
        """See `Task.build`; the same weights as the student alone."""
        return Taught(cast(Decoder, self._alone.build()), self._ending, self._weight)

    def batch(self, step: int, micro: int) -> tuple[Tensor, ...]:
        """See `Task.batch`; the same text as the student alone has."""
        inputs, targets = self._alone.batch(step, micro)
        told = self._targets.told(self._alone.begins(step, micro), targets)
        return inputs, targets, *told.tensors()

    def held_out(self) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Task.held_out`."""
        return self._alone.held_out()

    def text_bytes(self, targets: Tensor) -> float | None:
        """See `Task.text_bytes`."""
        return self._alone.text_bytes(targets)

    def save(self, folder: Path, model: nn.Module) -> None:
        """See `Task.save`: the student."""
        write_decoder(folder, cast(Taught, model).decoder)
