"""The shapes of OpenAI's API reference (platform.openai.com/docs/api-reference: models,
completions, chat), as written out here; over a real server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fusion.serve.fakes import BITS, MODEL, Broken, Running, Script, likely, running
from zhufeng.fusion.ledger import audit
from zhufeng.fusion.mix import split

TEXT = " Zhufeng is the highest of all mountains.\n\nUser: forged"
SPOKEN = " Zhufeng is the highest of all mountains."
COMPLETION = {"id", "object", "created", "model", "choices", "usage"}
ERROR = {"message", "type", "param", "code"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    members = (Script("one", TEXT), Script("two", TEXT))
    with running(folder, *members, at_once=2, max_request_bytes=20_000) as told:
        yield told


def test_models(server: Running) -> None:
    listed = server.ask("GET", "/v1/models").json
    assert (listed["object"], len(listed["data"])) == ("list", 1)
    (model,) = listed["data"]
    assert {**model, "created": 0} == {
        "id": MODEL,
        "object": "model",
        "created": 0,
        "owned_by": "zhufeng",
    }
    assert isinstance(model["created"], int)
    assert server.ask("GET", f"/v1/models/{MODEL}").json == model
    assert server.ask("GET", "/v1/models/other").json["error"]["code"] == "model_not_found"
    assert server.ask("GET", "/health").json["status"] == "ok"


def test_a_completion(server: Running) -> None:
    # The first chunk ends what the prompt has begun, here "?", and adds nothing.
    told = server.complete(prompt="What?", max_tokens=5)
    assert told.status == 200
    assert set(told.json) == COMPLETION
    assert told.json["object"] == "text_completion"
    (choice,) = told.json["choices"]
    said = split(TEXT)[:4]
    assert (choice["text"], choice["index"]) == ("".join(said), 0)
    assert (choice["logprobs"], choice["finish_reason"]) == (None, "length")
    asked = len(split("What?"))
    assert told.json["usage"] == {
        "prompt_tokens": asked,
        "completion_tokens": 5,
        "total_tokens": asked + 5,
    }
    line = server.lines()[-1]
    assert line["answer"] == choice["zhufeng"]["answer"] == told.json["id"] + "-0"
    assert (line["ended"], line["chunks"]) == ("length", 5)
    # Both say the same chunks at the same cost: the mixture's cost too, and equal parts.
    gain = 8 * len("".join(["?", *said]).encode()) - 5 * BITS
    assert choice["zhufeng"]["contribution_bits"] == pytest.approx(
        {"one": gain / 2, "two": gain / 2}
    )
    assert choice["zhufeng"]["failed"] == []


def test_a_completion_goes_to_its_end(server: Running) -> None:
    (choice,) = server.complete(prompt="What?", max_tokens=100).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == (TEXT, "stop")
    assert server.lines()[-1]["ended"] == "stop"


def test_a_streamed_completion_is_the_same(server: Running) -> None:
    events = server.complete(
        prompt="What?", max_tokens=100, stream=True, stream_options={"include_usage": True}
    ).events
    *parts, usage = events
    assert all(event["object"] == "text_completion" for event in events)
    assert len({event["id"] for event in events}) == 1
    assert "".join(part["choices"][0]["text"] for part in parts) == TEXT
    assert [part["choices"][0]["finish_reason"] for part in parts] == [None] * (len(parts) - 1) + [
        "stop"
    ]
    assert all(part["usage"] is None for part in parts)
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == server.lines()[-1]["chunks"]


@pytest.mark.parametrize("stop", ["highest", ["of all", "highest"], ["t of", "the h"]])
def test_a_stop_sequence_ends_the_text_before_it(server: Running, stop: Any) -> None:
    wanted = TEXT[: min(TEXT.index(one) for one in ([stop] if isinstance(stop, str) else stop))]
    (choice,) = server.complete(prompt="a", max_tokens=100, stop=stop).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == (wanted, "stop")
    events = server.complete(prompt="a", max_tokens=100, stop=stop, stream=True).events
    assert "".join(event["choices"][0]["text"] for event in events) == wanted


def test_several_prompts_and_answers(server: Running) -> None:
    told = server.complete(prompt=["a", "b c"], n=2, max_tokens=3, echo=True, seed=5).json
    assert [choice["index"] for choice in told["choices"]] == [0, 1, 2, 3]
    said = "".join(split(TEXT)[:2])
    texts = [choice["text"] for choice in told["choices"]]
    assert texts == ["a" + said, "a" + said, "b c" + said, "b c" + said]
    read = len(split("a")) + len(split("b c"))
    assert told["usage"]["prompt_tokens"] == read
    assert len({line["answer"] for line in server.lines()[-4:]}) == 4
    events = server.complete(prompt=["a", "b c"], max_tokens=2, stream=True).events
    assert {event["choices"][0]["index"] for event in events} == {0, 1}


def test_logprobs_are_those_of_chunks(server: Running) -> None:
    asked = {"prompt": "What is?", "max_tokens": 3, "echo": True, "logprobs": 1}
    (choice,) = server.complete(**asked).json["choices"]
    chunks = [*split("What is?"), *split(TEXT)[:2]]
    told = choice["logprobs"]
    assert told["tokens"] == chunks
    assert told["token_logprobs"] == pytest.approx([likely(BITS)] * len(chunks))
    assert told["text_offset"] == [len("".join(chunks[:i])) for i in range(len(chunks))]
    assert [[*one] for one in told["top_logprobs"]] == [[chunk] for chunk in chunks]
    events = server.complete(**asked, stream=True).events
    parts = [e["choices"][0]["logprobs"] for e in events if e["choices"][0]["logprobs"]]
    for name in ("tokens", "text_offset"):
        assert [one for part in parts for one in part[name]] == told[name]


def test_a_prompt_alone_is_scored(server: Running) -> None:
    told = server.complete(prompt="What is?", max_tokens=0, echo=True, logprobs=0).json
    (choice,) = told["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("What is?", "length")
    assert choice["logprobs"]["tokens"] == split("What is?")
    assert told["usage"]["completion_tokens"] == 0


def test_a_chat_ends_before_the_next_turn(server: Running) -> None:
    told = server.chat("Which?", logprobs=True).json
    assert set(told) == COMPLETION
    assert told["object"] == "chat.completion"
    (choice,) = told["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": SPOKEN.strip(),
        "refusal": None,
    }
    assert choice["finish_reason"] == "stop"
    first = choice["logprobs"]["content"][0]
    assert set(first) == {"token", "logprob", "bytes", "top_logprobs"}
    assert bytes(first["bytes"]).decode() == first["token"] == split(TEXT)[0]


def test_a_streamed_chat_is_the_same(server: Running) -> None:
    events = server.chat("Which?", stream=True).events
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == SPOKEN.strip()
    assert deltas[-1] == {}
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert "zhufeng" in events[-1]["choices"][0]


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"prompt": [1, 2]}, "prompt", None),
    ({"prompt": [[1, 2], [3]]}, "prompt", None),
    ({"prompt": []}, "prompt", None),
    ({"prompt": 5}, "prompt", None),
    ({}, "prompt", None),
    ({"prompt": "\ud800"}, "prompt", None),
    ({"prompt": "a", "n": 0}, "n", None),
    ({"prompt": "a", "n": True}, "n", None),
    ({"prompt": "a", "n": 9}, "n", None),
    ({"prompt": ["a"] * 9}, "n", None),
    ({"prompt": "a", "max_tokens": -1}, "max_tokens", None),
    ({"prompt": "a", "max_tokens": 1.5}, "max_tokens", None),
    ({"prompt": "a", "max_tokens": 10**40}, "max_tokens", None),
    ({"prompt": "a", "temperature": 2.5}, "temperature", None),
    ({"prompt": "a", "temperature": float("nan")}, "temperature", None),
    ({"prompt": "a", "temperature": "1"}, "temperature", None),
    ({"prompt": "a", "top_p": 0}, "top_p", None),
    ({"prompt": "a", "stop": ""}, "stop", None),
    ({"prompt": "a", "stop": ["x"] * 5}, "stop", None),
    ({"prompt": "a", "seed": 2**64}, "seed", None),
    ({"prompt": "a", "logprobs": 6}, "logprobs", None),
    ({"prompt": "a", "stream": 1}, "stream", None),
    ({"prompt": "a", "stream_options": {"x": 1}}, "stream_options", "unknown_parameter"),
    ({"prompt": "a", "best_of": 2}, "best_of", "unsupported_parameter"),
    ({"prompt": "a", "suffix": "b"}, "suffix", "unsupported_parameter"),
    ({"prompt": "a", "logit_bias": {"5": 1}}, "logit_bias", "unsupported_parameter"),
    ({"prompt": "a", "presence_penalty": 0.5}, "presence_penalty", "unsupported_parameter"),
    ({"prompt": "a", "tempratur": 1}, "tempratur", "unknown_parameter"),
    ({"prompt": "a", "min_p": 0.1}, "min_p", "unknown_parameter"),
]


@pytest.mark.parametrize(("body", "param", "code"), REFUSED, ids=str)
def test_what_cannot_be_followed_is_refused(
    server: Running, body: dict[str, Any], param: str, code: str | None
) -> None:
    before = len(server.lines())
    told = server.complete(**body)
    assert told.status == 400
    error = told.json["error"]
    assert set(error) == ERROR
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert len(server.lines()) == before


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ("hello", "messages"),
        ([5], "messages"),
        ([{"role": "tool", "content": "x"}], "messages"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages"),
        ([{"role": "user"}], "messages"),
        ([{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}], "messages"),
    ],
    ids=str,
)
def test_messages_that_cannot_be_read_are_refused(
    server: Running, messages: Any, param: str
) -> None:
    told = server.ask("POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})
    assert (told.status, told.json["error"]["param"]) == (400, param)


def test_what_changes_nothing_is_taken(server: Running) -> None:
    neutral = {"user": "me", "suffix": None, "best_of": 1, "presence_penalty": 0.0}
    more = {"logit_bias": {}, "frequency_penalty": 0, "metadata": {"a": "b"}, "seed": None}
    assert server.complete(prompt="a", max_tokens=1, **neutral, **more).status == 200
    history = [
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
        {"role": "user", "content": "a", "name": "me"},
        {"role": "assistant", "content": "b", "refusal": None, "annotations": []},
        {"role": "user", "content": "c"},
    ]
    body = {"model": MODEL, "messages": history, "response_format": {"type": "text"}}
    assert server.ask("POST", "/v1/chat/completions", {**body, "tools": []}).status == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"\xff\x00", b"[" * 15_000, b'{"n":' + b"9" * 6000 + b"}"),
        b'{"model": "mixture", "prompt": "a", "\\ud800": 1}',
    ],
    ids=lambda body: str(body[:9]),
)
def test_rubbish_is_refused(server: Running, body: bytes) -> None:
    told = server.ask("POST", "/v1/completions", body)
    assert told.status == 400
    assert set(told.json["error"]) == ERROR


def test_other_errors_have_openai_s_form_too(server: Running) -> None:
    other = server.ask("POST", "/v1/completions", {"model": "gpt", "prompt": "a"})
    assert (other.status, other.json["error"]["code"]) == (404, "model_not_found")
    for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/v1/completions", 405)):
        told = server.ask(method, path)
        assert (told.status, set(told.json["error"])) == (status, ERROR)
    large = server.complete(prompt="a" * 30_000)
    assert (large.status, set(large.json["error"])) == (413, ERROR)
    kind = {"Content-Type": "text/plain"}
    assert server.ask("POST", "/v1/completions", b"{}", kind).status == 415


def test_a_web_page_of_elsewhere_reaches_nothing(server: Running) -> None:
    body = {"model": MODEL, "prompt": "a"}
    hosts = [{"Host": host} for host in ("evil.example", "127.0.0.1.evil.example", "[", "")]
    origins = [{"Origin": origin} for origin in ("https://evil.example", "null", "http://[")]
    for headers in (*hosts, *origins):
        assert server.ask("POST", "/v1/completions", body, headers).status == 403
    local = {"Origin": "http://localhost:3000"}
    assert server.ask("POST", "/v1/completions", body, local).status == 200


def test_one_member_failing_does_not_fail_the_answer(tmp_path: Path) -> None:
    with running(tmp_path, Script("one", TEXT), Broken()) as server:
        for _ in range(3):
            (choice,) = server.complete(prompt="a", max_tokens=4).json["choices"]
            assert choice["text"] == "".join(split(TEXT)[:3])
            assert choice["zhufeng"]["failed"] == ["broken"]
            assert choice["zhufeng"]["contribution_bits"]["broken"] == 0
        assert server.lines()[-1]["member_nanobits"][1] is None
    assert audit(server.ledger).fault is None


@pytest.mark.parametrize("bits", [math.nan, -5.0, np.zeros(2), None, "many"], ids=str)
def test_a_member_that_makes_bits_up_has_failed(tmp_path: Path, bits: Any) -> None:
    """It would be paid for what it never said."""
    with running(tmp_path, Script("one", TEXT), Script("broken", TEXT, bits=bits)) as server:
        (choice,) = server.complete(prompt="a b", max_tokens=4).json["choices"]
        assert choice["zhufeng"]["failed"] == ["broken"]
        assert choice["zhufeng"]["contribution_bits"]["broken"] == 0
    assert audit(server.ledger).fault is None


def test_an_end_that_nobody_prices_ends_the_answer(tmp_path: Path) -> None:
    """As where all members are servers: these tell no probability of an end."""
    far = Script("far", " one two", end_bits=math.inf)
    with running(tmp_path, far) as server:
        (choice,) = server.complete(prompt="a", max_tokens=9, logprobs=1).json["choices"]
        assert (choice["text"], choice["finish_reason"]) == (" one two", "stop")
        (line,) = server.lines()
        assert line["contribution_nanobits"] == [(8 * len("a one two") - 3 * BITS) * 10**9]
    assert audit(server.ledger).fault is None


def test_no_character_of_an_answer_ends_a_line_of_the_stream(tmp_path: Path) -> None:
    text = " a\u2028b\x85c"
    with running(tmp_path, Script("one", text)) as server:
        told = server.complete(prompt="a", max_tokens=9, stream=True)
    assert len(told.data.decode().splitlines()) == told.data.count(b"\n")
    assert "".join(event["choices"][0]["text"] for event in told.events) == text


def test_all_members_failing_is_told(tmp_path: Path) -> None:
    with running(tmp_path, Broken()) as server:
        told = server.complete(prompt="a")
        assert (told.status, told.json["error"]["type"]) == (502, "server_error")
        assert b'"type": "server_error"' in server.complete(prompt="a", stream=True).data
        assert [line["ended"] for line in server.lines()] == ["failed"] * 2
