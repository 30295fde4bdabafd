"""Answers in the form of OpenAI's API, whole and in pieces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zhufeng.fusion.ledger import Entry
from zhufeng.fusion.serve._requests import Ask

_LN_2 = math.log(2)
_NANOBITS = 10**9


@dataclass(frozen=True)
class Told:
    """A chunk, and what it costs the mixture."""

    chunk: str
    bits: float | None
    """None for the rest of a chunk that the prompt has begun: only the whole has a cost."""

    @property
    def logprob(self) -> float | None:
        """Natural, as OpenAI's; None also for what no member can say, which JSON cannot."""
        if self.bits is None or math.isinf(self.bits):
            return None
        return -self.bits * _LN_2


@dataclass(frozen=True)
class Piece:
    """Some text of one of the answers."""

    choice: int
    text: str
    told: tuple[Told, ...] = ()
    """The chunks that were said since the piece before."""


@dataclass(frozen=True)
class Done:
    """The end of one of the answers: its line is on the ledger."""

    choice: int
    finish: str
    entry: Entry
    failed: tuple[str, ...]
    """Members that failed on the way."""
    prompt_chunks: int


@dataclass(frozen=True)
class Frame:
    """What all objects of one reply have in common."""

    ask: Ask
    id: str
    created: int
    """Seconds since 1970."""
    model: str

    def whole(self, pieces: Sequence[Piece], ends: Sequence[Done]) -> dict[str, Any]:
        """The reply at once."""
        name = "chat.completion" if self.ask.chat else "text_completion"
        choices = [self._whole(end, [p for p in pieces if p.choice == end.choice]) for end in ends]
        return {**self._object(name), "choices": choices, "usage": usage(ends, self.ask.n)}

    def _whole(self, end: Done, pieces: Sequence[Piece]) -> dict[str, Any]:
        text = "".join(piece.text for piece in pieces)
        said = {"role": "assistant", "content": text, "refusal": None}
        told = [one for piece in pieces for one in piece.told]
        return {
            "index": end.choice,
            **({"message": said} if self.ask.chat else {"text": text}),
            "logprobs": self._logprobs(told, self.ask.begin(end.choice)),
            "finish_reason": end.finish,
            "zhufeng": told_of(end),
        }

    def first(self, choice: int) -> dict[str, Any]:
        """The first event of a streamed chat answer."""
        return self._event(choice, {"delta": {"role": "assistant", "content": ""}})

    def piece(self, piece: Piece, offset: int) -> dict[str, Any]:
        """An event with text, which begins at the character `offset` of prompt and answer."""
        said = {"delta": {"content": piece.text}} if self.ask.chat else {"text": piece.text}
        return self._event(piece.choice, said, logprobs=self._logprobs(piece.told, offset))

    def end(self, end: Done) -> dict[str, Any]:
        """The last event of one answer."""
        said: dict[str, Any] = {"delta": {}} if self.ask.chat else {"text": ""}
        told = {"zhufeng": told_of(end)}
        return self._event(end.choice, {**said, **told}, finish=end.finish)

    def usage_event(self, ends: Sequence[Done]) -> dict[str, Any]:
        """The event after the last answer that tells how much it was."""
        return {**self._object(self._chunk), "choices": [], "usage": usage(ends, self.ask.n)}

    @property
    def _chunk(self) -> str:
        return "chat.completion.chunk" if self.ask.chat else "text_completion"

    def _event(
        self,
        choice: int,
        said: Mapping[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        finish: str | None = None,
    ) -> dict[str, Any]:
        told = {"index": choice, **said, "logprobs": logprobs, "finish_reason": finish}
        unused = {"usage": None} if self.ask.usage_in_stream else {}
        return {**self._object(self._chunk), "choices": [told], **unused}

    def _object(self, name: str) -> dict[str, Any]:
        return {"id": self.id, "object": name, "created": self.created, "model": self.model}

    def _logprobs(self, told: Sequence[Told], offset: int) -> dict[str, Any] | None:
        if not self.ask.logprobs:
            return None
        if self.ask.chat:
            return {"content": [_chat_logprob(one) for one in told], "refusal": None}
        offsets = []
        for one in told:
            offsets.append(offset)
            offset += len(one.chunk)
        return {
            "tokens": [one.chunk for one in told],
            "token_logprobs": [one.logprob for one in told],
            "top_logprobs": [{one.chunk: one.logprob} for one in told],
            "text_offset": offsets,
        }


def _chat_logprob(told: Told) -> dict[str, Any]:
    spelt = {"token": told.chunk, "logprob": told.logprob, "bytes": [*told.chunk.encode()]}
    return {**spelt, "top_logprobs": []}


def usage(ends: Sequence[Done], n: int) -> dict[str, int]:
    """How many chunks were read and said; a prompt with n answers is read once."""
    prompts = sum(end.prompt_chunks for end in ends if end.choice % n == 0)
    said = sum(end.entry.chunks for end in ends)
    told = {"prompt_tokens": prompts, "completion_tokens": said}
    return {**told, "total_tokens": prompts + said}


def told_of(end: Done) -> dict[str, Any]:
    """What OpenAI's form has no place for: the ledger's line, and who failed."""
    parts = zip(end.entry.members, end.entry.contribution_nanobits, strict=True)
    return {
        "answer": end.entry.answer,
        "contribution_bits": {name: part / _NANOBITS for name, part in parts},
        "failed": [*end.failed],
    }
