"""Which models answer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from zhufeng.base import anchor, record

_CONTEXTS = range(4, (1 << 20) + 1)
"""From two halves of at least two, to what no model reads yet."""
_DAY_S = 86_400
_PLAIN = re.compile(r"[!-~]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@record
class MemberSpec:
    """One member: a folder of this machine, or a server that keeps the weights to itself."""

    name: str
    folder: str | None = None
    """A canonical folder with a tokenizer.json."""
    url: str | None = None
    """A server with OpenAI's /completions, such as "http://localhost:8000/v1"."""
    model: str | None = None
    """The model's name there."""
    dialect: Literal["openai", "vllm"] = "openai"
    """How it tells a prompt's log-probabilities: ``logprobs`` of an echo, or vLLM's
    ``prompt_logprobs``."""
    key: str | None = None
    """The environment variable that holds the server's key."""
    context: int = 1024
    """How far back it looks: tokens of a folder, chunks of a server."""
    end: str | None = None
    """A folder's token that ends a text; without, the one that its files name."""
    timeout_s: float = 60.0
    """How long one answer of a server may take."""
    attempts: int = 3
    """How often a server that is busy or does not answer is asked."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a name")
        if (self.folder is None) == (self.url is None):
            raise ValueError("a folder or a url, and not both")
        if self.url is not None:
            _check_url(self.url)
        if (self.url is None) != (self.model is None):
            raise ValueError("url and model together")
        if self.key is not None and (self.url is None or not _VARIABLE.match(self.key)):
            raise ValueError("for a url, the name of an environment variable in key, never a key")
        if self.end is not None and self.folder is None:
            raise ValueError("end for a folder alone")
        if self.context not in _CONTEXTS:
            raise ValueError(f"a context of {_CONTEXTS[0]} to {_CONTEXTS[-1]:,}")
        # "Not a number" is neither; and no system waits for ever.
        if not 0 < self.timeout_s <= _DAY_S or self.attempts < 1:
            raise ValueError("a timeout_s above 0, of a day at most, and at least one of attempts")


@record
class Members:
    """Who answers: a file's ``[[member]]`` tables."""

    member: tuple[MemberSpec, ...]

    def __post_init__(self) -> None:
        names = [one.name for one in self.member]
        if not names or len(set(names)) < len(names):
            raise ValueError("a [[member]] or more, with names that differ")

    def anchored(self, base: Path) -> tuple[MemberSpec, ...]:
        """They, with folders that start at `base` where they are relative."""
        return tuple(
            replace(one, folder=anchor(one.folder, base)) if one.folder else one
            for one in self.member
        )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        host = b""
    # Beyond the host, what is no ASCII is spelt with percent signs.
    if not host or parts.scheme not in ("http", "https") or not _PLAIN.fullmatch(parts.path):
        raise ValueError("a url like http://localhost:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no password in the url: name its environment variable in key")
