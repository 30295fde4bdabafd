"""The lines of a ledger and its head: what each holds, and the one spelling that it has."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, TypeAlias, TypeVar

from zhufeng.base import InputError, canonical_json, is_utf8, loads_json, parse, record, to_json

VERSION = 1
NANOBITS = 10**9
"""Nanobits a bit."""
TEXT_BITS = 8
"""Bits a byte of text costs whoever knows nothing of it."""
# What the first line has in place of the hash of a line before it.
NOTHING = "0" * 64
_NAME_CHARACTERS = 200

T = TypeVar("T", "Line", "Head")
Ended = Literal["stop", "length", "left", "failed"]


@record
class Opening:
    """The first line of every file."""

    kind: Literal["opening"] = "opening"
    version: Literal[1] = 1
    file: int
    """From 1, in the order in which they were written."""
    public_key: str
    """Ed25519, 32 bytes in hexadecimal digits."""


@record
class Entry:
    """One answer: who gave how many bits. Of prompt and answer nothing is kept but counts."""

    kind: Literal["answer"] = "answer"
    answer: str
    """Its id."""
    account: str | None = None
    """The name of the key it was asked with."""
    ended: Ended
    """stop: by itself or at a stop sequence; length: at the limit; left: the client went away or
    the server stopped; failed: no member could go on."""
    chunks: int
    text_bytes: int
    """Of the answer, UTF-8."""
    members: tuple[str, ...]
    member_nanobits: tuple[int | None, ...]
    """-log2 P(answer) by each member; None where it failed at a chunk or cannot say one."""
    contribution_nanobits: tuple[int, ...]
    """Of each member; their sum is the mixture's gain over 8 bits a byte."""
    mixture_nanobits: int
    """-log2 P(answer) by the mixture."""

    def __post_init__(self) -> None:
        for name in (self.answer, self.account or "", *self.members):
            if len(name) > _NAME_CHARACTERS or not is_utf8(name):
                raise ValueError(f"names of at most {_NAME_CHARACTERS} characters, in Unicode")
        if not self.members or len(set(self.members)) != len(self.members):
            raise ValueError("members with names of their own")
        parts = (self.member_nanobits, self.contribution_nanobits)
        if any(len(part) != len(self.members) for part in parts):
            raise ValueError("one number for each member")
        if self.chunks < 0 or self.text_bytes < 0:
            raise ValueError("chunks and bytes of at least 0")
        if sum(self.contribution_nanobits) != self.gain_nanobits:
            raise ValueError("contributions that add up to the gain")
        costs = [one for one in self.member_nanobits if one is not None]
        # The mixture's is what is left of parts that have each been rounded.
        if self.mixture_nanobits < -len(self.members) or any(one < 0 for one in costs):
            raise ValueError("bits of at least 0")

    @property
    def gain_nanobits(self) -> int:
        """What the mixture saves over 8 bits a byte."""
        return TEXT_BITS * NANOBITS * self.text_bytes - self.mixture_nanobits


@record
class DaySums:
    """All answers of one day (UTC) together."""

    kind: Literal["day"] = "day"
    day: str
    """2026-11-24."""
    answers: int
    text_bytes: int
    contribution_nanobits: dict[str, int]
    """By member."""


@record
class Repair:
    """A line that a kill has cut was taken away; it was never confirmed to anyone."""

    kind: Literal["repair"] = "repair"
    cut_bytes: int


Body: TypeAlias = Opening | Entry | DaySums | Repair


@record
class Line:
    """What is signed: a body in its place in the chain."""

    sequence: int
    """From 1, across all files."""
    time: str
    """UTC, to the microsecond: 2026-11-24T04:05:06.789012Z. Never decreases."""
    before: str
    """SHA-256 of the line before, without its line end."""
    body: Body

    @property
    def day(self) -> str:
        """2026-11-24."""
        return self.time[:10]

    @property
    def month(self) -> str:
        """2026-11."""
        return self.time[:7]


@record
class Head:
    """Where a ledger stands: everything that the next line depends on."""

    version: Literal[1] = 1
    public_key: str
    file: int = 0
    file_bytes: int = 0
    """Of the last file."""
    sequence: int = 0
    """Of the last line."""
    hash: str = NOTHING
    """SHA-256 of the last line, without its line end."""
    time: str = ""
    """Of the last line."""
    today: DaySums | None = None
    """Answers that no line of daily sums has yet."""


def line_hash(data: bytes) -> str:
    """SHA-256 of a line, without its line end."""
    return hashlib.sha256(data).hexdigest()


def unsigned(value: Line | Head) -> dict[str, Any]:
    """What the signature is of, as a JSON object; `canonical_json` spells it."""
    told: dict[str, Any] = to_json(value)
    return told


def spelt(value: Line | Head, signature: str) -> bytes:
    """A line without its end, or the content of ``head.json``."""
    return canonical_json({**unsigned(value), "signature": signature})


def read_spelt(kind: type[T], data: bytes) -> tuple[T, str]:
    """A line or a head, and its signature, which is not checked here.

    Raises:
        ValueError: `data` is none, or is not in the one spelling that it has.
    """
    try:
        told = loads_json(data, "it")
        signature = told.pop("signature") if isinstance(told, dict) else None
        value = parse(kind, told, "it")
    except (InputError, KeyError, ValueError, RecursionError):
        raise ValueError("it is not of the form that this ledger has") from None
    if not isinstance(signature, str) or spelt(value, signature) != data:
        raise ValueError("it is not in the one spelling that this ledger has")
    return value, signature
