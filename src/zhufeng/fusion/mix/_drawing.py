"""One chunk drawn from a decoder, token by token."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import numpy as np

from zhufeng.fusion.mix._chunks import class_of, growth, split
from zhufeng.fusion.mix._member import END, Bits, Draw, MemberError
from zhufeng.fusion.mix._tape import Tape

if TYPE_CHECKING:
    from zhufeng.fusion.mix._local import LocalMember


class Drawing:
    """Draws tokens until a chunk has ended.

    A draw that spells no chunk, or spells one otherwise than by its own tokens, comes to nothing:
    what is left has the probabilities that the member tells. Where a chunk must come (at
    temperature 0, or to continue a beginning), tokens that cannot go on are passed over.
    """

    def __init__(
        self, member: LocalMember, tape: Tape, last: str, draw: Draw, rng: np.random.Generator
    ) -> None:
        """Draw after `last` (END before the first chunk), where `tape` has arrived."""
        self._member, self._tape, self._last = member, tape, last
        self._draw, self._rng = draw, rng
        self._lead = member.tokens.lead(first=last == END)
        self._ids: list[int] = []
        self._data = b""
        self._coin = 0.5
        """What decides whether a token ends the chunk that belongs to both sides."""

    def chunk(self, stub: str) -> str | None:
        """A chunk that begins with `stub`, END, or None."""
        wanted = self._lead + stub.encode() if stub else b""
        must = bool(stub) or self._draw.temperature == 0
        while True:
            scores = self._scores(wanted)
            token = int(scores.argmax())
            while must and not self._fits(token, wanted) and np.isfinite(scores).any():
                scores[token] = -np.inf
                token = int(scores.argmax())
            if scores[token] == -np.inf or not self._fits(token, wanted):
                return None
            if self._ends(token):
                return self._done(must=must)
            self._ids.append(token)
            self._data += self._member.tokens.spelt[token] or b""
            for _ in self._tape.feed([token]):
                pass

    def _scores(self, wanted: bytes) -> Bits:
        """log P of each next token, moved by noise so that the largest is a fair draw (Gumbel)."""
        row = self._tape.next
        if row.isnan().any():
            raise MemberError("it gives no probabilities: its weights hold no finite numbers")
        if not self._ids and self._last != END:
            row = row + self._member.log_ends(growth(self._last))
        scores = row.double().numpy().copy()
        if len(self._data) < len(wanted):
            rest = wanted[len(self._data) :]
            for number, spelt in enumerate(self._member.tokens.spelt):
                if not spelt or not (rest.startswith(spelt) or spelt.startswith(rest)):
                    scores[number] = -np.inf
        if self._draw.temperature == 0:
            return scores
        scores /= self._draw.temperature
        _keep_likeliest(scores, self._draw.top_p)
        self._coin = self._rng.random()
        noise: Bits = scores + self._rng.gumbel(size=len(scores))
        return noise

    def _fits(self, token: int, wanted: bytes) -> bool:
        """Whether what has been drawn and this token can be the beginning of a chunk, or all."""
        if self._ends(token):
            return len(self._data) >= len(wanted)
        spelt = self._member.tokens.spelt[token]
        data = self._data + (spelt or b"")
        text = _beginning(data[len(self._lead) :])
        if not spelt or text is None or not data.startswith(self._lead[: len(data)]):
            return False
        if text and self._last != END and class_of(text[0]) in growth(self._last):
            return False
        return len(split(text)) <= 1

    def _ends(self, token: int) -> bool:
        """Whether this token, as the next one, says that the chunk is over."""
        if token == self._member.tokens.end:
            return True
        text = whole(self._data[len(self._lead) :])
        if not text:
            return False
        share = self._member.goes_on(text, token)
        begins = bool(self._member.begins[token].any())
        return begins and share < 1 and (share == 0 or self._coin >= share)

    def _done(self, *, must: bool) -> str | None:
        text = whole(self._data[len(self._lead) :])
        if not self._ids:
            return END
        if not text:
            return None
        own = self._member.tokens.encode([text], first=self._last == END)[0]
        return text if must or own == self._ids else None


def _beginning(data: bytes) -> str | None:
    """The whole characters that bytes begin with, if they can be the beginning of a text."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return None


def whole(data: bytes) -> str:
    """The characters that bytes spell; none if the last one is not whole."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _keep_likeliest(scores: Bits, top_p: float) -> None:
    """Leave the likeliest that together have `top_p` of the probability (the nucleus)."""
    if top_p == 1:
        return
    order = np.argsort(-scores, kind="stable")
    likely = np.exp(scores[order] - scores[order[0]])
    before = np.cumsum(likely) - likely
    scores[order[before >= top_p * likely.sum()]] = -np.inf
