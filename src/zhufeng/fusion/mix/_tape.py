"""A decoder that reads tokens one after another, with a context that moves on by halves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from zhufeng.base import batched
from zhufeng.models import Decoder, KvCache

# Bounds the memory of a vocabulary's logits.
_BLOCK = 256


class Tape:
    """What a decoder has read, and what it expects next.

    Token n (from 0, those before a text left out) is expected from the tokens since
    h · max(0, n // h - 1), where h is half the context: from all of the text at first, then from
    h to 2 h - 1 tokens. What stands before a text stands before each such part of it. So the
    answer depends on the text alone, never on the pieces in which it is read.
    """

    def __init__(self, model: Decoder, before: Sequence[int], half: int) -> None:
        self._model, self._before, self._half = model, tuple(before), half
        self._past: list[int] = []
        self._cache = self._room()
        self.next = torch.zeros(model.config.vocabulary).log_softmax(-1)
        """log P of each token as the next one, fp32; uniform where nothing is before a text."""
        if before:
            self.next = self._forward(self._before)[-1]

    @property
    def read(self) -> int:
        """Tokens read."""
        return len(self._past)

    def jump(self, tokens: Sequence[int]) -> None:
        """Read a text's first tokens, of them only those that still count."""
        assert not self._past
        sure = self._start(len(tokens)) + self._half
        if self._start(len(tokens)):
            self._past = list(tokens[:sure])
            for _ in self._again():
                pass
        for _ in self.feed(tokens[len(self._past) :]):
            pass

    def fork(self) -> Tape:
        """Another that goes on from here; good until this one reads on."""
        other = copy(self)
        # What the fork writes beyond this length is never read by this one, only overwritten.
        vars(other).update(_past=list(self._past), _cache=replace(self._cache))
        return other

    def feed(self, tokens: Sequence[int]) -> Iterator[Tensor]:
        """Read tokens; yields log P of each token as the next, after each one read.

        Shape (some, vocabulary), as many rows together as there are tokens.
        """
        left = list(tokens)
        while left:
            room = min(self._half - self.read % self._half, _BLOCK)
            part, left = left[:room], left[room:]
            moves = self._start(self.read + len(part)) > self._start(self.read)
            self._past += part
            if kept := part[:-1] if moves else part:
                yield self._forward(kept)
            if moves:
                for rows in self._again():
                    last = rows[-1:]
                yield last

    def _again(self) -> Iterator[Tensor]:
        """Read the last half context anew, in place of all before."""
        self._cache = self._room()
        for some in batched((*self._before, *self._past[-self._half :]), _BLOCK):
            yield self._forward(some)

    def _start(self, token: int) -> int:
        return self._half * max(0, token // self._half - 1)

    def _room(self) -> KvCache:
        like = self._model.embedding.weight
        capacity = len(self._before) + 2 * self._half
        return KvCache.empty(self._model.config, 1, capacity, like)

    @torch.no_grad()
    def _forward(self, tokens: Sequence[int]) -> Tensor:
        logits: Tensor = self._model(torch.tensor([tokens]), cache=self._cache).logits
        rows = logits[0].float().log_softmax(-1)
        self.next = rows[-1]
        return rows
