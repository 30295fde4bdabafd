"""Captions: of the middle of each shot, greedy, from a model here or behind OpenAI's protocol."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.corpus.clips import Clip, number, write
from zhufeng.base import InputError, parse
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Caption
from zhufeng.corpus.captions import CaptionConfig, Captioner, _endpoint, caption_hashes
from zhufeng.corpus.captions._caption import same
from zhufeng.corpus.captions._local import LocalModel
from zhufeng.corpus.media import picture


@dataclass
class Server:
    """What the local server was asked, and what it answers next."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    """Taken before the usual answer, one a question."""
    says: Callable[[int], str] = "it shows {}".format
    """The caption of a picture that shows a number."""
    models_status: int = 200


def image(body: dict[str, Any]) -> Image.Image:
    """The picture in a question."""
    ((message,),) = (body["messages"],)
    (url,) = [part["image_url"]["url"] for part in message["content"] if "image_url" in part]
    found = re.fullmatch(r"data:image/(jpeg|png);base64,(.+)", url)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[2], validate=True)))


def send(handler: BaseHTTPRequestHandler, status: int, data: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: send(handler, code, b"{}", **headers)


def text(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: send(handler, 200, data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/models"
            state.headers.append(dict(self.headers))
            send(self, state.models_status, b'{"data": []}')

        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(body)
            state.headers.append(dict(self.headers))
            if state.answers:
                state.answers.pop(0)(self)
                return
            luma = np.asarray(image(body).convert("L"))
            content = {"role": "assistant", "content": state.says(number(luma))}
            send(self, 200, json.dumps({"choices": [{"message": content}]}).encode())

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a stalled server is left alone, without waiting for it."""
    naps: list[float] = []
    monkeypatch.setattr(_endpoint, "time", SimpleNamespace(sleep=naps.append))
    return naps


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six seconds; the picture at t shows the number 10 t."""
    return write(tmp_path / "a.mp4", Clip(seconds=6, audio=None))


def ask(server: Server, **more: Any) -> CaptionConfig:
    return CaptionConfig(endpoint=server.url, endpoint_model="see-7b", **more)


SHOTS = ((0.0, 2.0), (2.0, 2.6), (2.6, 5.9))


def test_a_server_gets_the_middle_of_each_shot(server: Server, clip: Path) -> None:
    config = ask(server, prompt="What is it?", max_tokens=17, long_side=64, at_least_s=1.0)
    meter = Meter()
    captioned = Captioner(config).caption(clip, SHOTS, meter)
    assert captioned.captions == (
        Caption(t0=0.0, t1=2.0, text="it shows 10"),
        Caption(t0=2.6, t1=5.9, text="it shows 42"),
    )
    assert captioned.problems == ()
    assert set(meter.cpu_ms) == {"caption"}
    assert len(server.asked) == 2
    for body in server.asked:
        assert body["model"] == "see-7b"
        assert body["temperature"] == 0
        assert body["max_tokens"] == 17
        assert [message["role"] for message in body["messages"]] == ["user"]
        texts = [part["text"] for part in body["messages"][0]["content"] if "text" in part]
        assert texts == ["What is it?"]
        assert image(body).size == (64, 48)
    assert not any("Authorization" in headers for headers in server.headers)


def test_the_key_goes_with_every_question_and_to_nobody_else(
    server: Server, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "abc")
    captioner = Captioner(ask(server))
    server.answers = [status(302, Location=f"{server.url}/elsewhere")]
    captioned = captioner.caption(clip, SHOTS, Meter())
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer abc"] * 3
    assert captioned.problems == ("1 shot without a caption: HTTP 302",)
    assert len(captioned.captions) == 1


def test_what_is_said_again_lengthens_the_caption_before(server: Server, clip: Path) -> None:
    said = iter(
        [
            "A man in a red coat stands on a bridge.",
            "a man, in a red coat, stands on a bridge",
            "A man in a red coat stands on the bridge.",
            "A diagram of a river.",
            "A man in a red coat stands on a bridge.",
        ]
    )
    server.says = lambda _: next(said)
    shots = tuple((float(t), float(t + 1)) for t in range(5))
    captioned = Captioner(ask(server)).caption(clip, shots, Meter())
    assert [(c.t0, c.t1, c.text[:9]) for c in captioned.captions] == [
        (0.0, 3.0, "A man in "),
        (3.0, 4.0, "A diagram"),
        (4.0, 5.0, "A man in "),
    ]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("A cat.", "a cat", True),
        ("Ａ  cat", "a cat!", True),
        ("一张城市的照片。", "一张城市的照片", True),
        ("A cat sleeps on the sofa", "A dog runs through the snow", False),
        ("一张城市的照片", "两个人在下棋", False),
    ],
)
def test_near_repetitions(one: str, other: str, alike: bool) -> None:
    assert same(one, other) is alike
    assert same(other, one) is alike


def test_a_busy_server_is_asked_again(server: Server, clip: Path, naps: list[float]) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    server.answers = [status(429, Retry_After="7"), status(503), hang_up]
    captioned = Captioner(ask(server)).caption(clip, SHOTS[:1], Meter())
    assert [caption.text for caption in captioned.captions] == ["it shows 10"]
    assert captioned.problems == ()
    assert len(server.asked) == 4
    assert naps[0] == 7
    assert naps == sorted(naps)


def test_a_failed_question_costs_its_shot_only(
    server: Server, clip: Path, naps: list[float]
) -> None:
    shots = tuple((float(t), float(t + 1)) for t in range(6))
    captioner = Captioner(ask(server))
    server.answers = [
        status(400),
        text(b"<html>"),
        text(b'{"choices": []}'),
        text(b'{"choices": [{"message": {"content": null}}]}'),
        text(b'{"choices": [{"message": {"content": " \\n\\u0007 "}}]}'),
    ]
    captioned = captioner.caption(clip, shots, Meter())
    assert naps == []
    assert [caption.t0 for caption in captioned.captions] == [5.0]
    assert captioned.problems == (
        "1 shot without a caption: HTTP 400",
        "1 shot without a caption: the endpoint's answer has no text",
        "2 shots without a caption: the endpoint's answer is no chat completion",
        "1 shot without a caption: the model said nothing",
    )
    server.answers = [status(500)] * 99
    captioned = captioner.caption(clip, shots[:1], Meter())
    assert captioned.problems == ("1 shot without a caption: HTTP 500",)
    assert 90 <= len(server.answers) < 99


def test_a_shot_without_a_picture_is_a_problem(server: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", Clip(codec=None, audio="pcm_s16le"))
    captioned = Captioner(ask(server)).caption(path, ((0.0, 2.0),), Meter())
    assert captioned.captions == ()
    assert captioned.problems == ("1 shot without a caption: no picture could be decoded",)
    assert server.asked == []


def test_nobody_there(server: Server) -> None:
    server.models_status = 404
    Captioner(ask(server))
    server.models_status = 401
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        Captioner(ask(server))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gone = CaptionConfig(endpoint=f"http://127.0.0.1:{port}/v1", endpoint_model="m")
    with pytest.raises(InputError, match="Connection refused"):
        Captioner(gone)


def test_hashes(tmp_path: Path) -> None:
    assert caption_hashes(CaptionConfig()) == {}
    here = CaptionConfig(endpoint="http://a/v1", endpoint_model="m")
    there = replace(here, endpoint="http://b/v1")
    assert list(caption_hashes(here)) == ["m"]
    assert caption_hashes(here) != caption_hashes(there)

    folder = tmp_path / "seer"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "weights").write_bytes(b"1")
    config = CaptionConfig(model=str(folder))
    before = caption_hashes(config)
    assert list(before) == ["seer"]
    folder.rename(tmp_path / "other")
    moved = caption_hashes(CaptionConfig(model=str(tmp_path / "other")))
    assert list(moved.values()) == list(before.values())
    (tmp_path / "other" / "weights").write_bytes(b"2")
    assert caption_hashes(CaptionConfig(model=str(tmp_path / "other"))) != moved
    with pytest.raises(InputError, match="no such folder"):
        caption_hashes(config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "a", "endpoint": "http://a/v1", "endpoint_model": "m"},
        {"endpoint": "http://a/v1"},
        {"endpoint_model": "m"},
        {"endpoint": "localhost:8000", "endpoint_model": "m"},
        {"endpoint": "file:///etc/passwd", "endpoint_model": "m"},
        {"endpoint": "http://me:secret@a/v1", "endpoint_model": "m"},
        {"max_tokens": 0},
        {"timeout_s": 0.0},
    ],
)
def test_settings_that_contradict(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="f is not usable"):
        parse(CaptionConfig, wrong, "f")


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.corpus.tiny_vlm import save_llava

    return save_llava(tmp_path_factory.mktemp("llava"))


def greedy(folder: Path, question: str, shown: NDArray[np.uint8], tokens: int) -> str:
    """The likeliest token again and again, each time from the whole text before it."""
    import torch
    import transformers

    families: Any = transformers
    processor = families.LlavaProcessor.from_pretrained(folder)
    model = families.LlavaForConditionalGeneration.from_pretrained(folder).eval()
    given = processor(images=Image.fromarray(shown), text=question, return_tensors="pt")
    asked = given["input_ids"].shape[1]
    ids = given["input_ids"]
    with torch.inference_mode():
        for _ in range(tokens):
            logits = model(input_ids=ids, pixel_values=given["pixel_values"]).logits
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], 1)
            if ids[0, -1] == model.config.text_config.eos_token_id:
                break
    answer: str = processor.tokenizer.decode(ids[0, asked:], skip_special_tokens=True)
    return answer


def test_a_local_model_answers_greedily(llava: Path, clip: Path) -> None:
    config = CaptionConfig(model=str(llava), max_tokens=9, prompt="Describe this picture .")
    asked = "USER : <image> Describe this picture . ASSISTANT : "
    model = LocalModel(config, "cpu")
    pictures = [np.full((60, 80, 3), level, np.uint8) for level in (0, 255)]
    answers = [model.describe(shown) for shown in pictures]
    assert answers == [greedy(llava, asked, shown, 9) for shown in pictures]
    assert answers[0] != answers[1]

    captioned = Captioner(config).caption(clip, SHOTS[:2], Meter())
    assert captioned.problems == ()
    (caption,) = captioned.captions
    said = greedy(llava, asked, picture(clip, 1.0, config.long_side), 9)
    assert caption.text == " ".join(said.split())
    assert Captioner(config).caption(clip, SHOTS[:2], Meter()) == captioned


def test_a_local_model_without_a_chat_template(tmp_path: Path) -> None:
    from tests.corpus.tiny_vlm import save_llava

    folder = save_llava(tmp_path / "m", template=False)
    config = CaptionConfig(model=str(folder), max_tokens=6, prompt="Describe this picture .")
    shown = np.full((60, 80, 3), 255, np.uint8)
    said = LocalModel(config, "cpu").describe(shown)
    assert said
    assert said == greedy(folder, "<image>\nDescribe this picture .", shown, 6)


def test_a_local_captioner_that_takes_no_question(tmp_path: Path) -> None:
    import torch
    import transformers

    from tests.corpus.tiny_vlm import save_blip

    folder = save_blip(tmp_path / "m")
    config = CaptionConfig(model=str(folder), max_tokens=6)
    shown = np.full((60, 80, 3), 255, np.uint8)
    said = LocalModel(config, "cpu").describe(shown)
    families: Any = transformers
    processor = families.BlipProcessor.from_pretrained(folder)
    model = families.BlipForConditionalGeneration.from_pretrained(folder).eval()
    with torch.inference_mode():
        given = processor(images=Image.fromarray(shown), return_tensors="pt")
        tokens = model.generate(**given, max_new_tokens=6, do_sample=False)
    assert said == processor.decode(tokens[0], skip_special_tokens=True)
    assert re.fullmatch(r"\w+( \w+){4,5}", said)


def test_a_folder_that_sees_nothing(llava: Path, tmp_path: Path) -> None:
    for name in llava.iterdir():
        (tmp_path / name.name).write_bytes(name.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(InputError, match="not a model that describes pictures"):
        Captioner(CaptionConfig(model=str(tmp_path)))
    (tmp_path / "config.json").write_bytes((llava / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="not a model that describes pictures"):
        Captioner(CaptionConfig(model=str(tmp_path)))
