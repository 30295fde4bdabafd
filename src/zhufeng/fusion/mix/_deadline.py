"""Requests that are over when their time is, whatever the other side does.

A socket's own timeout ends one wait; an answer that comes in drops is many short ones.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.request import BaseHandler, HTTPHandler, HTTPSHandler, Request

Sockets = list[socket.socket]


@contextmanager
def deadline(timeout_s: float) -> Iterator[tuple[BaseHandler, ...]]:
    """Handlers for `build_opener` whose connections are hung up after `timeout_s`.

    Raises:
        TimeoutError: in place of what came of that.
    """
    sockets: Sockets = []
    is_over = threading.Event()

    def hang_up() -> None:
        is_over.set()
        for one in sockets:
            with suppress(OSError):  # closed already
                # Not SSLSocket's, which takes away what another thread reads with.
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield _Plain(sockets), _Secure(sockets)
    except (OSError, http.client.HTTPException):
        if not is_over.is_set():
            raise
    finally:
        timer.cancel()
    if is_over.is_set():  # what has been read may look whole
        raise TimeoutError


class _Plain(HTTPHandler):
    def __init__(self, sockets: Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_PlainConnection, self._sockets), req)


class _Secure(HTTPSHandler):
    def __init__(self, sockets: Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_SecureConnection, self._sockets), req)


class _PlainConnection(http.client.HTTPConnection):
    def __init__(self, sockets: Sockets, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._sockets = sockets

    def connect(self) -> None:
        super().connect()
        self._sockets.append(self.sock)


class _SecureConnection(_PlainConnection, http.client.HTTPSConnection):
    pass
