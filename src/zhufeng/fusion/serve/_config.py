"""How the mixture is served."""

from __future__ import annotations

import ipaddress
import math

from zhufeng.base import record

_LARGEST_PORT = 65535


@record
class ServeConfig:
    """Where, to whom and how much at once."""

    host: str = "127.0.0.1"
    """Anything but this machine's own addresses needs keys."""
    port: int = 8000
    """0 for any free one."""
    model: str = "zhufeng"
    """The name by which clients ask for the mixture."""
    keys: str | None = None
    """A file of keys, a line each: a name, a space, the key or ``sha256:`` and its hash."""
    at_once: int = 1
    """Requests that are answered at the same time; each has a thread."""
    waiting: int = 32
    """Requests that may wait; they hold no thread. What comes beyond is sent away with 503."""
    retry_after_s: int = 10
    """What those who are sent away are told."""
    max_chunks: int = 1024
    """Of one answer."""
    max_choices: int = 8
    """Answers to one request: prompts times n."""
    max_request_bytes: int = 1 << 20
    member_timeout_s: float = 60.0
    """How long a member may take for one step before the answer goes on without it."""
    drain_s: int = 30
    """How long a server that is told to stop goes on with what it has begun."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= _LARGEST_PORT:
            raise ValueError(f"a port of 0 to {_LARGEST_PORT}")
        for name in ("at_once", "max_chunks", "max_choices", "max_request_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of at least 1")
        for name in ("waiting", "retry_after_s", "drain_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} of at least 0")
        if not 0 < self.member_timeout_s < math.inf:
            raise ValueError("a finite member_timeout_s above 0")
        if not self.model.strip():
            raise ValueError("a model name")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
