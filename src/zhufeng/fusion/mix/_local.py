"""A member on this machine: a canonical folder with a tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zhufeng.fusion.mix._chunks import CLASSES, class_of, growth
from zhufeng.fusion.mix._drawing import Drawing, whole
from zhufeng.fusion.mix._member import END, PLAIN, Bits, Draw
from zhufeng.fusion.mix._tape import Tape
from zhufeng.fusion.mix._tokens import Tokens, read_tokens
from zhufeng.models import Decoder, read_decoder

_NAT = 1 / math.log(2)
"""Bits of a nat."""


class LocalMember:
    """A decoder, asked chunk by chunk.

    P(chunk | past) is the probability that the member's next tokens are those of the chunk,
    tokenised by itself, and that a chunk ends there: that the token after them begins a chunk or
    ends the text. Its first token's probability is given that a chunk begins. So the
    probabilities of all chunks sum to at most 1, and those of a text's chunks multiply to its
    tokens' (and to that of an end at the last). What is left out is what the model gives to other
    spellings of the same texts.

    A token that begins with a part of a character may belong to both sides. Its probability is
    divided by the shares of the code points that it may become.
    """

    def __init__(self, name: str, model: Decoder, tokens: Tokens, context: int) -> None:
        """Take a decoder with its tokens; `context` counts tokens."""
        self.name = name
        self.tokens = tokens
        self._model = model.eval()
        self._half = max(1, (context - len(tokens.before)) // 2)
        self.begins = torch.from_numpy(tokens.beginnings())
        self.log_ends = lru_cache(maxsize=None)(self._log_ends)

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> Bits:
        """See `Member.score`."""
        if not chunks:
            return np.zeros(0)
        tape, last = self.tape(context), context[-1] if context else END
        return self.cost(tape, chunks, last)

    def begin(self, context: Sequence[str]) -> LocalVoice:
        """See `Member.begin`."""
        return LocalVoice(self, self.tape(context), context[-1] if context else END)

    def tape(self, context: Sequence[str]) -> Tape:
        """The decoder after `context`."""
        tape = Tape(self._model, self.tokens.before, self._half)
        tape.jump([i for ids in self.tokens.encode(context, first=True) for i in ids])
        return tape

    def cost(self, tape: Tape, chunks: Sequence[str], last: str) -> Bits:
        """Bits of chunks after `last` (END before the first); `tape` reads them."""
        spelt = self.tokens.encode(chunks, first=last == END)
        tokens = [i for ids in spelt for i in ids]
        ends = list(accumulate(map(len, spelt)))
        log_tokens, log_ends = self._read(tape, tokens, ends, chunks, last)
        starts = [0, *ends[:-1]]
        nats = np.array([log_tokens[a:b].sum() for a, b in zip(starts, ends, strict=True)])
        with np.errstate(invalid="ignore"):
            nats = nats - log_ends[:-1] + log_ends[1:]
        pasts = [last, *chunks[:-1]]
        shares = [self._share(*one) for one in zip(pasts, chunks, spelt, strict=True)]
        bits = np.maximum(0.0, -nats * _NAT - np.array(shares))
        return np.where(np.isnan(bits), np.inf, bits)

    def _read(
        self,
        tape: Tape,
        tokens: Sequence[int],
        ends: Sequence[int],
        chunks: Sequence[str],
        last: str,
    ) -> tuple[Bits, Bits]:
        """Nats of each token, and of an end before the first chunk and after each."""
        log_tokens, log_ends = np.zeros(len(tokens)), np.zeros(len(chunks) + 1)
        at = np.array([0, *ends])
        grown = [None if one == END else growth(one) for one in (last, *chunks)]
        first = 0
        rows = tape.next[None]
        feed = tape.feed(tokens)
        while True:
            count = min(len(rows), len(tokens) - first)
            wanted = torch.tensor(tokens[first : first + count], dtype=torch.int64)
            log_tokens[first : first + count] = rows[:count].gather(1, wanted[:, None])[:, 0]
            for which in range(*np.searchsorted(at, (first, first + len(rows)))):
                kind = grown[which]
                if kind is not None:
                    row = rows[at[which] - first]
                    log_ends[which] = float((row + self.log_ends(kind)).logsumexp(-1))
            first += len(rows)
            if first > len(tokens):
                return log_tokens, log_ends
            rows = next(feed)

    def _log_ends(self, grows: str) -> Tensor:
        """log of the share of each token that ends a chunk which characters `grows` make longer."""
        ending = torch.tensor([float(one not in grows) for one in CLASSES])
        shares = self.begins @ ending
        if self.tokens.end is not None:
            shares[self.tokens.end] = 1.0
        return shares.log()

    def goes_on(self, so_far: str, token: int) -> float:
        """The share of a token that makes the chunk `so_far` longer."""
        grows = [float(one in growth(so_far)) for one in CLASSES]
        return float(self.begins[token] @ torch.tensor(grows))

    def _share(self, past: str, chunk: str, ids: Sequence[int]) -> float:
        """log2 of the share of the chunk's tokens that is the chunk's; -inf if not its spelling."""
        lead = self.tokens.lead(first=past == END)
        if self.tokens.spell(ids) != lead + chunk.encode():
            return -math.inf
        if past != END and class_of(chunk[0]) in growth(past):
            return -math.inf  # not a chunk of its own
        share = 1.0
        if past != END:
            share = 1.0 - self.goes_on(past, ids[0])
        read = b""
        for token in ids:
            text = whole(read[len(lead) :])
            if text:
                share *= self.goes_on(text, token)
            read += self.tokens.spelt[token] or b""
        return math.log2(share) if share > 0 else -math.inf


class LocalVoice:
    """See `Voice`."""

    def __init__(self, member: LocalMember, tape: Tape, last: str) -> None:
        """Go on after `last` (END before the first chunk), where `tape` has arrived."""
        self._member, self._tape, self._last = member, tape, last
        self._asked: tuple[str, float, Tape] | None = None

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        """See `Voice.propose`."""
        self._asked = None  # its tape would be written over
        return Drawing(self._member, self._tape.fork(), self._last, draw, rng).chunk(stub)

    def bits(self, chunk: str) -> float:
        """See `Voice.bits`; for `END`, of the text's end."""
        if chunk == END:
            return self._end_bits()
        if self._asked is None or self._asked[0] != chunk:
            tape = self._tape.fork()
            cost = self._member.cost(tape, [chunk], self._last)
            self._asked = (chunk, float(cost[0]), tape)
        return self._asked[1]

    def say(self, chunk: str) -> None:
        """See `Voice.say`."""
        self.bits(chunk)
        assert self._asked is not None, "nothing follows the end of a text"
        _, _, self._tape = self._asked
        self._last, self._asked = chunk, None

    def _end_bits(self) -> float:
        end = self._member.tokens.end
        if end is None:
            return math.inf
        row = self._tape.next
        ended = 0.0
        if self._last != END:
            ended = float((row + self._member.log_ends(growth(self._last))).logsumexp(-1))
        bits = (ended - float(row[end])) * _NAT
        return math.inf if math.isnan(bits) else max(0.0, bits)


def open_local(name: str, folder: Path, context: int, end: str | None) -> LocalMember:
    """The member in a canonical folder with a tokenizer.json.

    Raises:
        InputError: it cannot be read, or its parts do not fit.
    """
    model = read_decoder(folder)
    tokens = read_tokens(folder, end, model.config.vocabulary)
    return LocalMember(name, model, tokens, context)
