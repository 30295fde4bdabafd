"""A member whose weights stay with their owner: a server with OpenAI's /completions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from zhufeng.base import is_utf8
from zhufeng.fusion.mix._chunks import split
from zhufeng.fusion.mix._http import ask
from zhufeng.fusion.mix._member import END, PLAIN, Bits, Draw, MemberError
from zhufeng.fusion.mix._spec import MemberSpec

_NAT = 1 / math.log(2)
_BYTE = 8.0
_BROKEN = "\ufffd"
# Rounding may bring a log-probability above 0, but not far.
_ABOVE = 1e-3
_LONGEST_TOKEN = 256  # characters
_ASK_TOKENS, _MOST_TOKENS = 16, 64
_SEEDS = 1 << 31
_ASKED: Mapping[str, dict[str, Any]] = {
    "openai": {"echo": True, "logprobs": 1},
    "vllm": {"prompt_logprobs": 0},
}


class RemoteMember:
    """Asks a server for the log-probabilities of the prompt's tokens.

    A token counts to the chunk in which it begins: the server cuts the text by its own rules, and
    its tokens may reach over a chunk's end. So a chunk may cost more than it should and the next
    one less, the beginnings of a text never less than they should. The first token, for which
    servers tell no probability, costs 8 bits a byte of its characters.
    """

    def __init__(self, spec: MemberSpec) -> None:
        """Ask nothing yet."""
        self.name = spec.name
        self.spec = spec

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> Bits:
        """See `Member.score`."""
        whole = [*context, *chunks]
        half = self.spec.context // 2
        costs, place = [], len(context)
        while place < len(whole):
            block = place // half
            start, end = half * max(0, block - 1), min(half * max(2, block + 1), len(whole))
            costs.append(self._window(whole[start:end])[place - start :])
            place = end
        return np.concatenate(costs) if costs else np.zeros(0)

    def begin(self, context: Sequence[str]) -> RemoteVoice:
        """See `Member.begin`."""
        return RemoteVoice(self, context)

    def _window(self, chunks: Sequence[str]) -> Bits:
        text = "".join(chunks)
        body = {"prompt": text, "max_tokens": 1, "temperature": 0}
        answer = ask(self.spec, body | _ASKED[self.spec.dialect])
        starts, bits = token_bits(answer, text)
        ends = np.array(list(accumulate(map(len, chunks))))
        costs = np.zeros(len(chunks))
        np.add.at(costs, np.searchsorted(ends, starts, "right"), bits)
        return costs


class RemoteVoice:
    """See `Voice`."""

    def __init__(self, member: RemoteMember, context: Sequence[str]) -> None:
        """Go on after `context`."""
        self._member, self._said = member, list(context)

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        """See `Voice.propose`: the first chunk of what the server writes."""
        last = self._said[-1] if self._said else END
        seed, tokens = int(rng.integers(_SEEDS)), _ASK_TOKENS
        while True:
            text, stopped = self._write(stub, draw, seed, tokens)
            chunks = split(last + stub + text)
            if last != END and (chunks[0] != last):
                return None  # it goes on with a chunk that is over
            after = chunks[1:] if last != END else chunks
            if len(after) > 1 or (stopped and after):
                return after[0]
            if stopped:
                return END
            if tokens >= _MOST_TOKENS:
                return after[0] if after else None
            tokens *= 2

    def _write(self, stub: str, draw: Draw, seed: int, tokens: int) -> tuple[str, bool]:
        half = self._member.spec.context // 2
        start = half * max(0, len(self._said) // half - 1)
        answer = ask(
            self._member.spec,
            {
                "prompt": "".join(self._said[start:]) + stub,
                "max_tokens": tokens,
                "temperature": draw.temperature,
                "top_p": draw.top_p,
                "seed": seed,
            },
        )
        choice = _choice(answer)
        text = choice.get("text")
        if not isinstance(text, str) or not is_utf8(text):
            raise MemberError("an answer without text")
        # Half a character at the end is shown as a replacement: only what is before it counts.
        whole = text.partition("\ufffd")[0]
        return whole, choice.get("finish_reason") == "stop" and whole == text

    def bits(self, chunk: str) -> float:
        """See `Voice.bits`; a server does not tell how likely an end is: inf."""
        if chunk == END:
            return math.inf
        return float(self._member.score([chunk], self._said)[0])

    def say(self, chunk: str) -> None:
        """See `Voice.say`."""
        self._said.append(chunk)


def token_bits(answer: Any, text: str) -> tuple[list[int], Bits]:
    """Where the tokens of a prompt begin in its text, and what each costs.

    Reads OpenAI's ``logprobs`` of an echoed prompt and vLLM's ``prompt_logprobs``. A token that
    the server puts before the text is left out; then the first one's probability is known.

    Raises:
        MemberError: the answer has neither, or not one that fits the text.
    """
    choice = _choice(answer)
    if isinstance(echoed := choice.get("logprobs"), Mapping):
        starts, values = _echoed(echoed, text)
    elif isinstance(entries := choice.get("prompt_logprobs"), list):
        starts, values = _by_token(entries, text)
    else:
        raise MemberError("an answer without the prompt's log-probabilities")
    if starts is None:
        raise MemberError("log-probabilities of another text")
    first: list[float] = []
    if starts and values[0] is None:
        end = next((start for start in starts if start), len(text))
        first = [_BYTE * len(text[:end].encode())]
    return starts, np.array([*first, *map(_bits, values[len(first) : len(starts)])])


def _choice(answer: Any) -> Mapping[str, Any]:
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        raise MemberError("an answer that is no completion")
    return choice


def _echoed(table: Mapping[str, Any], text: str) -> tuple[list[int] | None, list[Any]]:
    """OpenAI: where tokens begin, and values; of the echo and then of what it had to add."""
    spelt, values = table.get("tokens"), table.get("token_logprobs")
    if not isinstance(spelt, list) or not isinstance(values, list) or len(spelt) != len(values):
        raise MemberError("no list of tokens with as many log-probabilities")
    if not all(isinstance(one, str) for one in spelt):
        raise MemberError("tokens that are no text")
    if spelt and values[0] is None and not _is_broken(spelt[0]) and not text.startswith(spelt[0]):
        spelt, values = spelt[1:], values[1:]
    return _starts(spelt, text), values


def _by_token(entries: Sequence[Any], text: str) -> tuple[list[int] | None, list[Any]]:
    """vLLM: of each token of the prompt a table of one; nothing of the first, not even its text.

    It stands before the text, or is as much of it as the others leave.
    """
    spelt, values = [], []
    for entry in entries[1:]:
        options = list(entry.values()) if isinstance(entry, Mapping) else []
        token = options[0] if len(options) == 1 else None
        if not isinstance(token, Mapping) or not isinstance(token.get("decoded_token"), str):
            raise MemberError("prompt_logprobs that do not tell one token each")
        spelt.append(token["decoded_token"])
        values.append(token.get("logprob"))
    for begin in range(min(len(text), _LONGEST_TOKEN) + 1 if entries else 0):
        starts = _starts(spelt, text, begin)
        if starts is not None:
            # Before a part of a character may have stood another one.
            within = begin or _is_broken("".join(spelt[:1]))
            return ([0, *starts], [None, *values]) if within else (starts, values)
    return None, values


def _is_broken(token: str) -> bool:
    return _BROKEN in token or token.startswith("bytes:")


def _starts(spelt: Sequence[str], text: str, place: int = 0) -> list[int] | None:
    """Where tokens begin in a text from `place` on, until it is complete; None where they do not
    fit.

    Tokens of parts of characters come as replacements: how far such ones reach is told by the
    next token that is whole.
    """
    starts: list[int] = []
    broken = 0
    for token in spelt:
        if place == len(text):
            break
        if token and not _is_broken(token):
            found = text.find(token, place + bool(broken))
            if not place <= found <= place + broken:
                return None
            place, broken = found + len(token), 0
            starts.append(found)
        else:
            broken += bool(token)
            starts.append(place)
    return starts if len(text) - place <= broken else None


def _bits(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MemberError("a log-probability that is no number")
    if not value <= _ABOVE:  # "not a number" neither
        raise MemberError("a log-probability above 0")
    try:
        return max(0.0, -float(value) * _NAT)
    except OverflowError:
        return math.inf
