"""One question to a server, with bounds on everything that it may do to us."""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from zhufeng.base import shown
from zhufeng.fusion.mix._deadline import deadline
from zhufeng.fusion.mix._member import MemberError
from zhufeng.fusion.mix._spec import MemberSpec

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_MOST_BYTES = 64 << 20
_PIECE_BYTES = 1 << 16
_TOO_MANY, _SERVER_ERROR = 429, 500
_NO_ANSWER = (URLError, http.client.HTTPException, OSError)


class _NoRedirect(HTTPRedirectHandler):
    """A redirection would take the key and the text to another host: it is an error here."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def ask(spec: MemberSpec, body: dict[str, Any]) -> Any:
    """The JSON that the member's server answers to a request for a completion.

    A server that is busy, fails or does not answer is asked again after a pause, twice as long
    each time, or as long as it says.

    Raises:
        MemberError: it does not answer within `spec.timeout_s`, not with success, with too much,
            or not with JSON.
    """
    data = json.dumps({"model": spec.model, **body}).encode()
    pause = _FIRST_PAUSE_S
    for attempt in range(1, spec.attempts + 1):
        try:
            return _json(_post(spec, data))
        except HTTPError as error:
            error.close()
            busy = error.code == _TOO_MANY or error.code >= _SERVER_ERROR
            if not busy or attempt == spec.attempts:
                raise MemberError(f"HTTP {error.code}") from None
            wanted = error.headers.get("Retry-After", "")
            pause = max(pause, float(wanted) if wanted.isdecimal() else 0.0)
        except _NO_ANSWER as error:
            if attempt == spec.attempts:
                raise MemberError(_reason(error)) from None
        time.sleep(min(pause, _LONGEST_PAUSE_S))
        pause *= 2
    raise AssertionError


def _post(spec: MemberSpec, data: bytes) -> bytes:
    headers = {"Content-Type": "application/json"}
    if spec.key is not None:
        key = os.environ.get(spec.key, "")
        if not key or not key.isascii() or not key.isprintable():
            raise MemberError(f"no usable key in the environment variable {spec.key}")
        headers["Authorization"] = f"Bearer {key}"
    assert spec.url is not None
    # The address is the user's own, and http or https (see MemberSpec).
    request = Request(spec.url.rstrip("/") + "/completions", data, headers)  # noqa: S310
    with deadline(spec.timeout_s) as handlers:
        opener = build_opener(_NoRedirect, *handlers)
        with opener.open(request, timeout=spec.timeout_s) as answer:
            return _read(answer)


def _read(answer: http.client.HTTPResponse) -> bytes:
    """All of an answer, if it is not too much."""
    parts, size, wanted = [], 0, answer.length
    while part := answer.read1(_PIECE_BYTES):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise MemberError(f"an answer of more than {_MOST_BYTES} bytes")
    if wanted is not None and size < wanted:
        raise http.client.IncompleteRead(b"", wanted - size)
    return b"".join(parts)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise MemberError("an answer that is not JSON") from None


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return shown(cause.strerror)
    return type(cause).__name__
