"""A vision-language model behind OpenAI's protocol."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from zhufeng.base import InputError
from zhufeng.corpus.captions._config import CaptionConfig
from zhufeng.corpus.captions._errors import NoAnswerError, NoCaptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ATTEMPTS = 4
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_REACH_S = 10.0
_ANSWER_BYTES = 1 << 20
_JPEG_QUALITY = 90
_TOO_MANY = 429
_SERVER_ERROR = 500
_DENIED = (401, 403)
_NO_ANSWER = (URLError, http.client.HTTPException, OSError)


class _NoRedirect(HTTPRedirectHandler):
    """A redirection would take the key and the picture to another host: it is an error here."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Endpoint:
    """Asks a server."""

    def __init__(self, config: CaptionConfig) -> None:
        """See whether somebody answers there.

        Raises:
            InputError: nobody does, or the key is refused.
        """
        assert config.endpoint is not None
        self._config = config
        self._url = config.endpoint.rstrip("/")
        try:
            self._ask("/models", None, _REACH_S)
        except HTTPError as error:
            error.close()
            # Not every server lists its models, but each must take the key.
            if error.code in _DENIED:
                raise InputError(
                    f"captions.endpoint {self._url} refuses us",
                    expected="a key that it takes in OPENAI_API_KEY",
                    came=f"HTTP {error.code}",
                    do="set OPENAI_API_KEY",
                ) from None
        except _NO_ANSWER as error:
            raise InputError(
                f"captions.endpoint {self._url} does not answer",
                expected="a server that speaks OpenAI's protocol",
                came=_reason(error),
                do="start it, or correct captions.endpoint",
            ) from None

    def describe(self, picture: NDArray[np.uint8]) -> str:
        """What the server says of a picture, RGB [h, w, 3].

        Raises:
            NoCaptionError: it fails, also after some attempts, or says nothing that is text.
        """
        url = "data:image/jpeg;base64," + base64.b64encode(_jpeg(picture)).decode()
        body = {
            "model": self._config.endpoint_model,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": self._config.prompt},
                    ],
                }
            ],
            "max_tokens": self._config.max_tokens,
            "temperature": 0,
            "seed": 0,
        }
        return _said(self._answer(json.dumps(body).encode()))

    def _answer(self, body: bytes) -> bytes:
        pause = _FIRST_PAUSE_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask("/chat/completions", body, self._config.timeout_s)
            except HTTPError as error:
                error.close()
                busy = error.code == _TOO_MANY or error.code >= _SERVER_ERROR
                if not busy or attempt == _ATTEMPTS:
                    kind = NoAnswerError if busy else NoCaptionError
                    raise kind(f"HTTP {error.code}") from None
                wanted = error.headers.get("Retry-After", "")
                pause = max(pause, float(wanted) if wanted.isdecimal() else 0.0)
            except _NO_ANSWER as error:
                if attempt == _ATTEMPTS:
                    raise NoAnswerError(_reason(error)) from None
            time.sleep(min(pause, _LONGEST_PAUSE_S))
            pause *= 2
        raise AssertionError

    def _ask(self, path: str, body: bytes | None, timeout_s: float) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        # The address is the user's own, and http or https (see CaptionConfig).
        request = Request(self._url + path, body, headers)  # noqa: S310
        with build_opener(_NoRedirect).open(request, timeout=timeout_s) as answer:
            data: bytes = answer.read(_ANSWER_BYTES)
        return data


def _said(answer: bytes) -> str:
    try:
        content: Any = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise NoCaptionError("the endpoint's answer is no chat completion") from None
    if not isinstance(content, str):
        raise NoCaptionError("the endpoint's answer has no text")
    return content


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # noqa: PLC0415 (slow to import)

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
