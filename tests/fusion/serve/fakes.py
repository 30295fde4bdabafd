"""Members that say what they are told to, and a server that runs in a thread."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import END, PLAIN, Draw, MemberError, Mixture, split
from zhufeng.fusion.serve import Keys, ServeConfig, make_app
from zhufeng.fusion.serve._serve import make_server

MODEL = "mixture"
BITS = 3.0


@dataclass
class Script:
    """A member that says the chunks of a text, then the end; at `step` something may happen."""

    name: str
    text: str
    step: Callable[[int], None] = lambda place: None
    bits: float = BITS
    """Of its own next chunk; any other costs 20."""
    end_bits: float | None = None
    """Of the end, where it is not `bits`."""
    seen: list[str] = field(default_factory=list)
    """Prompts that it was given."""

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> NDArray[np.float64]:
        return np.full(len(chunks), self.bits)

    def begin(self, context: Sequence[str]) -> ScriptVoice:
        self.seen.append("".join(context))
        return ScriptVoice(self, [*split(self.text), END])


class ScriptVoice:
    """What the prompt has begun it ends there, then it says its text."""

    def __init__(self, member: Script, chunks: list[str]) -> None:
        self._member = member
        self._chunks = chunks
        self._place = 0
        self._heard = False

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        self._member.step(self._place)
        return stub or self._next

    @property
    def _next(self) -> str:
        return self._chunks[min(self._place, len(self._chunks) - 1)]

    def bits(self, chunk: str) -> float:
        if chunk == END and self._member.end_bits is not None:
            return self._member.end_bits
        own = chunk == self._next or not self._heard
        return self._member.bits if own else 20.0

    def say(self, chunk: str) -> None:
        self._place += chunk == self._next
        self._heard = True


class Broken:
    """A member that fails."""

    name = "broken"

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> NDArray[np.float64]:
        raise MemberError("out of order")

    def begin(self, context: Sequence[str]) -> ScriptVoice:
        raise MemberError("out of order")


@dataclass
class Running:
    port: int
    ledger: Path
    stop: Callable[[], None]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        connection = self.connection()
        try:
            connection.request(method, path, sent, {**kind, **(headers or {})})
            reply = connection.getresponse()
            told = dict(reply.getheaders())
            return Reply(reply.status, {k.lower(): v for k, v in told.items()}, reply.read())
        finally:
            connection.close()

    def complete(self, **body: Any) -> Reply:
        return self.ask("POST", "/v1/completions", {"model": MODEL, **body})

    def chat(self, *said: str, **body: Any) -> Reply:
        turns = [{"role": "user", "content": one} for one in said]
        asked = {"model": MODEL, "messages": turns, **body}
        return self.ask("POST", "/v1/chat/completions", asked)

    def lines(self) -> list[dict[str, Any]]:
        """The answers on the ledger, read without our reader."""
        lines = [
            json.loads(line)["body"]
            for path in sorted(self.ledger.glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]
        return [line for line in lines if line["kind"] == "answer"]

    def lines_when(self, count: int) -> list[dict[str, Any]]:
        """The answers on the ledger once there are so many."""
        until(lambda: len(self.lines()) >= count)
        return self.lines()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def events(self) -> list[Any]:
        """The objects of server-sent events; the last must be [DONE]."""
        *events, done, rest = self.data.decode().split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        assert all(event.startswith("data: ") for event in events)
        return [json.loads(event.removeprefix("data: ")) for event in events]


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


@contextmanager
def running(
    folder: Path, *members: Any, keys: Keys | None = None, **config: Any
) -> Iterator[Running]:
    """A real server on a free port of this machine."""
    told = ServeConfig(model=MODEL, port=0, **{"drain_s": 5, **config})
    ledger = Ledger(folder / "ledger")
    server = make_server(make_app(Mixture(members), ledger, told, keys or Keys({})), told)
    thread = threading.Thread(target=server.run)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()

    try:
        until(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(port, folder / "ledger", stop)
    finally:
        stop()


def likely(bits: float) -> float:
    """The natural logarithm of a probability of 2^-bits."""
    return -bits * math.log(2)
