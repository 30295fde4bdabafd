"""The endpoint: OpenAI's paths over one mixture."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from zhufeng.base import shown
from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import Mixture
from zhufeng.fusion.serve._config import ServeConfig, is_loopback
from zhufeng.fusion.serve._desk import Desk, Job
from zhufeng.fusion.serve._errors import ApiError
from zhufeng.fusion.serve._keys import Keys
from zhufeng.fusion.serve._requests import Ask, read_chat, read_completion
from zhufeng.fusion.serve._shapes import Done, Frame, Piece
from zhufeng.fusion.serve._speak import Speaker

_LOG = logging.getLogger(__name__)
_DONE = b"data: [DONE]\n\n"

Read = Callable[[bytes, ServeConfig], Ask]


def make_app(mixture: Mixture, ledger: Ledger, config: ServeConfig, keys: Keys) -> FastAPI:
    """The ASGI application; `serve` runs it.

    Args:
        mixture: what answers.
        ledger: where every answer's contributions go, before its last event is sent.
        config: limits and names; where it listens matters to browsers' requests alone.
        keys: who may ask; everyone, where there are none.

    Raises:
        InputError: members' names are not such that the ledger can tell them apart.
    """
    counter = _Counter(mixture, ledger, config, keys)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        counter.open()
        yield
        await counter.desk.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/health", counter.health, response_model=None)
    app.add_api_route("/v1/models", counter.models, response_model=None)
    app.add_api_route("/v1/models/{name:path}", counter.one_model, response_model=None)
    post = ["POST"]
    app.add_api_route("/v1/completions", counter.completion, methods=post, response_model=None)
    app.add_api_route("/v1/chat/completions", counter.chat, methods=post, response_model=None)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _refused)
    return app


class _Counter:
    """Where requests come in."""

    def __init__(self, mixture: Mixture, ledger: Ledger, config: ServeConfig, keys: Keys) -> None:
        self._speaker = Speaker(mixture, ledger, config.member_timeout_s)
        self._config = config
        self._keys = keys
        self._begun = int(time.time())
        self.desk: Desk

    def open(self) -> None:
        config = self._config
        self.desk = Desk(config.at_once, config.waiting, config.retry_after_s)

    async def health(self) -> dict[str, Any]:
        return {"status": "ok", "requests": self.desk.jobs}

    async def models(self, request: Request) -> dict[str, Any]:
        self._account(request)
        return {"object": "list", "data": [self._model()]}

    async def one_model(self, request: Request, name: str) -> dict[str, Any]:
        self._account(request)
        if name != self._config.model:
            raise ApiError(404, "There is no such model.", param="model", code="model_not_found")
        return self._model()

    def _model(self) -> dict[str, Any]:
        told = {"id": self._config.model, "object": "model", "created": self._begun}
        return {**told, "owned_by": "zhufeng"}

    async def completion(self, request: Request) -> Response:
        return await self._answer(request, read_completion, "cmpl")

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, read_chat, "chatcmpl")

    async def _answer(self, request: Request, read: Read, kind: str) -> Response:
        account = self._account(request)
        ask = read(await self._body(request), self._config)
        frame = Frame(
            ask=ask,
            id=f"{kind}-{secrets.token_hex(12)}",
            created=int(time.time()),
            model=self._config.model,
        )
        job = self.desk.take(self._speaker.work(ask, frame.id, account))
        watch = asyncio.create_task(_leave_when_gone(request, job))
        job.task.add_done_callback(lambda _: watch.cancel())
        if ask.stream:
            return StreamingResponse(_stream(job, frame), media_type="text/event-stream")
        return JSONResponse(await _whole(job, frame))

    def _account(self, request: Request) -> str | None:
        """Whose key the request has.

        Raises:
            ApiError: none that is known; or, without keys, it comes from elsewhere's web page.
        """
        if not self._keys.digests:
            _same_site(request.headers, self._config.host)
            return None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        owner = self._keys.owner(key.strip()) if scheme.lower() == "bearer" else None
        if owner is None:
            raise ApiError(401, "The key is missing or wrong.", code="invalid_api_key")
        return owner

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "Send a JSON object, as 'Content-Type: application/json'.")
        data = bytearray()
        most = self._config.max_request_bytes
        try:
            async for part in request.stream():
                data += part
                if len(data) > most:
                    raise ApiError(413, f"A request may have at most {most} bytes.")
        except ClientDisconnect:
            raise ApiError(400, "The request ended before its body did.") from None
        return bytes(data)


def _same_site(headers: Mapping[str, str], host: str) -> None:
    """A page in a browser must not reach a keyless server by a name that it made up."""
    for name in ("host", "origin"):
        told = headers.get(name)
        if told is not None and not _is_here(told if name == "origin" else f"//{told}", host):
            raise ApiError(403, f"Requests for '{name}: {shown(told)}' are not answered here.")


def _is_here(url: str, host: str) -> bool:
    try:
        place = urlsplit(url).hostname
    except ValueError:
        return False
    return place is not None and (is_loopback(place) or place == host)


async def _whole(job: Job[Piece | Done], frame: Frame) -> dict[str, Any]:
    pieces: list[Piece] = []
    ends: list[Done] = []
    try:
        async for event in job.events():
            if isinstance(event, Piece):
                pieces.append(event)
            else:
                ends.append(event)
    except asyncio.CancelledError:
        # Only the server does this, when it stops and has waited for long enough.
        raise ApiError(503, "The server is stopping; try again later.", code="overloaded") from None
    finally:
        job.leave()
    return frame.whole(pieces, ends)


async def _leave_when_gone(request: Request, job: Job[Piece | Done]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.leave()


async def _stream(job: Job[Piece | Done], frame: Frame) -> AsyncIterator[bytes]:
    """Server-sent events; whoever stops listening ends the work."""
    offsets: dict[int, int] = {}
    ends: list[Done] = []
    try:
        async for event in job.events():
            for told in _events(event, frame, offsets):
                yield _event(told)
            if isinstance(event, Done):
                ends.append(event)
        if frame.ask.usage_in_stream:
            yield _event(frame.usage_event(ends))
        yield _DONE
    except Exception as error:  # noqa: BLE001 (the reply has begun: all that is left is to tell)
        yield _event(_as_api(error).body())
    finally:
        job.leave()


def _events(event: Piece | Done, frame: Frame, offsets: dict[int, int]) -> Sequence[dict[str, Any]]:
    first = []
    if frame.ask.chat and event.choice not in offsets:
        first = [frame.first(event.choice)]
    offset = offsets.setdefault(event.choice, frame.ask.begin(event.choice))
    if isinstance(event, Done):
        return [*first, frame.end(event)]
    offsets[event.choice] += sum(len(one.chunk) for one in event.told)
    return [*first, frame.piece(event, offset)]


def _event(told: Mapping[str, Any]) -> bytes:
    # As ASCII: some clients end a line at U+2028 and others that JSON leaves as they are.
    return b"data: " + json.dumps(told).encode() + b"\n\n"


async def _refused(_: Request, error: Exception) -> Response:
    told = _as_api(error)
    headers = {}
    if told.retry_after_s is not None:
        headers["Retry-After"] = str(told.retry_after_s)
    if told.status == 401:  # noqa: PLR2004 (HTTP's number)
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(told.body(), told.status, headers)


def _as_api(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail))
    _LOG.error("a request has failed", exc_info=error)
    return ApiError(500, "The server has failed; its log says more.")
