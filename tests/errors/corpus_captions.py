"""Errors of zhufeng.corpus.captions."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.corpus.captions import CaptionConfig, Captioner, caption_hashes

Patch = pytest.MonkeyPatch


@case(
    "TMP/m is not a model that describes pictures",
    "a folder with config.json, weights and a processor",
    "no such folder",
    "name the folder of a vision-language model in captions.model",
)
def no_folder(tmp: Path, _: Patch) -> None:
    caption_hashes(CaptionConfig(model=str(tmp / "m")))


@case(
    "TMP is not a model that describes pictures",
    "a vision-language model that transformers knows, and its processor",
    "*",
    "name the folder of a vision-language model in captions.model",
)
def no_seeing_model(tmp: Path, _: Patch) -> None:
    (tmp / "config.json").write_text('{"model_type": "llama"}')
    Captioner(CaptionConfig(model=str(tmp)))


@case(
    "captions.endpoint http://127.0.0.1:9/v1 does not answer",
    "a server that speaks OpenAI's protocol",
    "Connection refused",
    "start it, or correct captions.endpoint",
)
def no_endpoint(_: Path, patch: Patch) -> None:
    patch.setenv("no_proxy", "127.0.0.1")
    Captioner(CaptionConfig(endpoint="http://127.0.0.1:9/v1", endpoint_model="m"))


@case(
    "captions.endpoint * refuses us",
    "a key that it takes in OPENAI_API_KEY",
    "HTTP 401",
    "set OPENAI_API_KEY",
)
def no_key(_: Path, patch: Patch) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    patch.setenv("no_proxy", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        Captioner(CaptionConfig(endpoint=url, endpoint_model="m"))
    finally:
        thread.join()
        server.server_close()


@case("f is not usable", "a model or an endpoint, not both", "*", "correct it in f")
def two_captioners(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"model": "a", "endpoint": "http://a", "endpoint_model": "m"}, "f")


@case("f is not usable", "endpoint and endpoint_model together", "*", "correct it in f")
def no_endpoint_model(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"endpoint": "http://a/v1"}, "f")


@case("f is not usable", "an endpoint like http://localhost:8000/v1", "*", "correct it in f")
def no_url(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"endpoint": "localhost:8000", "endpoint_model": "m"}, "f")


@case(
    "f is not usable",
    "no password in the endpoint: it stands in OPENAI_API_KEY",
    "*",
    "correct it in f",
)
def a_password(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"endpoint": "http://me:x@a/v1", "endpoint_model": "m"}, "f")


@case("f is not usable", "long_side and max_tokens of at least 1", "*", "correct it in f")
def no_tokens(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"max_tokens": 0}, "f")


@case(
    "f is not usable",
    "at_least_s of at least 0 and a finite timeout_s above 0",
    "*",
    "correct it in f",
)
def no_time(_: Path, __: Patch) -> None:
    parse(CaptionConfig, {"timeout_s": 0.0}, "f")
