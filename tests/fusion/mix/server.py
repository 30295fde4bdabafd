"""A server with OpenAI's /completions for tests: a tokenizer of letter pairs and a fixed law."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = Mapping[str, Any]


def tokens_of(text: str) -> list[str]:
    """Pieces of up to three characters, which mind no chunk's end."""
    return [text[place : place + 3] for place in range(0, len(text), 3)]


def value_of(token: str) -> float:
    """The log-probability, in nats, that the server tells of a token."""
    return -0.5 - len(token) - ord(token[0]) % 7


def echo(body: Body) -> Any:
    """OpenAI's answer to an echo; one token is added to the prompt."""
    tokens = [*tokens_of(body["prompt"]), "!"]
    values = [None, *map(value_of, tokens[1:])]
    told = {"tokens": tokens, "token_logprobs": values}
    return {"choices": [{"text": "".join(tokens), "logprobs": told, "finish_reason": "length"}]}


def write() -> Any:
    """An answer of one word more, and the end."""
    return {"choices": [{"text": " cloud", "finish_reason": "stop", "logprobs": None}]}


def honest(body: Body) -> Any:
    """Both."""
    return echo(body) if body.get("echo") else write()


@dataclass
class Server:
    """What a test says the server answers, and what it was asked."""

    answer: Callable[[Body], Any] = honest
    """JSON, or bytes as they are."""
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 200 when there are no more."""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, listening on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            server.keys.append(self.headers.get("Authorization"))
            status = server.statuses.pop(0) if server.statuses else 200
            given = server.answer(body)
            data = given if isinstance(given, bytes) else json.dumps(given).encode()
            self.send_response(status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}/v1"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
