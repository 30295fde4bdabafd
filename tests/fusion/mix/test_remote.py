"""Members behind a server: what is asked, what is read, and everything that may go wrong."""

from __future__ import annotations

import json
import math
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

from tests.fusion.mix import server as served
from tests.fusion.mix.server import Server, serving, tokens_of, value_of
from zhufeng.fusion.mix import Draw, Member, MemberError, MemberSpec, open_member, split

TEXT = "the mountain stands, in 10 clouds."


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("zhufeng.fusion.mix._http._FIRST_PAUSE_S", 0.001)
    with serving(Server()) as one:
        yield one


def member(server: Server, **keys: Any) -> Member:
    return open_member(MemberSpec(name="far", url=server.url, model="m", **keys))


def costs(text: str) -> list[float]:
    """What each chunk costs: its tokens by where they begin, the first 8 bits a byte."""
    ends = list(accumulate(map(len, split(text))))
    bits = [0.0] * len(ends)
    for number, token in enumerate(tokens_of(text)):
        place = next(i for i, end in enumerate(ends) if 3 * number < end)
        bits[place] += -value_of(token) / math.log(2) if number else 8.0 * len(token.encode())
    return bits


def test_tokens_count_to_the_chunk_in_which_they_begin(server: Server) -> None:
    bits = member(server).score(split(TEXT))
    np.testing.assert_allclose(bits, costs(TEXT))
    (asked,) = server.asked
    assert asked["prompt"] == TEXT
    assert asked["model"] == "m"
    assert asked["echo"] is True


def test_with_a_context_only_what_comes_after_it_is_told(server: Server) -> None:
    chunks = split(TEXT)
    bits = member(server).score(chunks[4:], chunks[:4])
    np.testing.assert_allclose(bits, costs(TEXT)[4:])
    assert member(server).score([]).shape == (0,)


def test_a_long_text_is_asked_in_windows_of_the_context(server: Server) -> None:
    chunks = [" one", " two", " six"] * 4
    bits = member(server, context=8).score(chunks)
    assert [len(split(body["prompt"])) for body in server.asked] == [8, 8]
    assert server.asked[1]["prompt"] == "".join(chunks[4:])
    expected = [*costs("".join(chunks[:8])), *costs("".join(chunks[4:]))[4:]]
    np.testing.assert_allclose(bits, expected)


def vllm(*, before: bool) -> Any:
    """vLLM's answer; with a token before the text or none."""

    def answer(body: served.Body) -> Any:
        tokens = tokens_of(body["prompt"])
        told = [
            {str(number): {"logprob": value_of(token), "rank": 1, "decoded_token": token}}
            for number, token in enumerate(tokens)
        ]
        entries = [None, *told] if before else [None, *told[1:]]
        return {"choices": [{"text": "!", "logprobs": None, "prompt_logprobs": entries}]}

    return answer


def test_vllm_tells_the_first_token_too_where_one_stands_before_the_text(server: Server) -> None:
    server.answer = vllm(before=True)
    bits = member(server, dialect="vllm").score(split(TEXT))
    first = -value_of("the") / math.log(2)
    np.testing.assert_allclose(bits, [first, *costs(TEXT)[1:]])


@pytest.mark.parametrize("text", [TEXT, "aaaaaaaaaa", "the"])
def test_vllm_without_a_token_before_the_text_tells_nothing_of_the_first(
    server: Server, text: str
) -> None:
    server.answer = vllm(before=False)
    bits = member(server, dialect="vllm").score(split(text))
    np.testing.assert_allclose(bits, costs(text))


def test_a_token_before_the_text_is_left_out_of_an_echo(server: Server) -> None:
    def answer(body: served.Body) -> Any:
        tokens = ["<s>", *tokens_of(body["prompt"]), "!"]
        values = [None, *map(value_of, tokens[1:])]
        return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values}}]}

    server.answer = answer
    first = -value_of("the") / math.log(2)
    np.testing.assert_allclose(member(server).score(split(TEXT)), [first, *costs(TEXT)[1:]])


def test_parts_of_characters_are_found_again_by_the_next_whole_token(server: Server) -> None:
    tokens, values = (
        ["I", " ", "\ufffd", "\ufffd", " am", "bytes:\\xe4", "."],
        [None, -1, -2, -3, -4, -5, -6],
    )
    text = "I 珠 am中."
    server.answer = lambda _: {
        "choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values}}]
    }
    bits = member(server).score(split(text)) * math.log(2)
    assert split(text) == ["I", " 珠", " am", "中", "."]
    np.testing.assert_allclose(bits, [8 * math.log(2), 6, 4, 5, 6])


def test_a_first_token_of_a_part_of_a_character_costs_all_of_it(server: Server) -> None:
    tokens = ["\ufffd", "\ufffd", " am"]
    server.answer = lambda _: told(tokens, [None, -2, -3])
    chunks = ["珠", " am"]
    np.testing.assert_allclose(
        member(server).score(chunks), [24 + 2 / math.log(2), 3 / math.log(2)]
    )
    entries = [None, *({"1": {"logprob": -2, "decoded_token": token}} for token in tokens[1:])]
    server.answer = lambda _: {"choices": [{"prompt_logprobs": entries}]}
    bits = member(server, dialect="vllm").score(chunks)
    np.testing.assert_allclose(bits, [24 + 2 / math.log(2), 2 / math.log(2)])


def test_a_token_of_no_text_after_a_part_of_a_character_costs_where_it_stands(
    server: Server,
) -> None:
    server.answer = lambda _: told(["a", "\ufffd", "", "\ufffd"], [-1, -2, -3, -4])
    bits = member(server).score(["a", "珠"]) * math.log(2)
    np.testing.assert_allclose(bits, [1, 9])


BAD = {
    "not json": (b"<html>", "an answer that is not JSON"),
    "deep": (b"[" * 100_000, "an answer that is not JSON"),
    "a list": ([], "an answer that is no completion"),
    "no choices": ({"choices": []}, "an answer that is no completion"),
    "a choice of text": ({"choices": ["a"]}, "an answer that is no completion"),
    "no log-probabilities": (
        {"choices": [{"text": "a", "logprobs": None}]},
        "an answer without the prompt's log-probabilities",
    ),
}


def told(tokens: Any, values: Any) -> Any:
    return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values}}]}


WRONG = {
    "fewer": told(["a", "b"], [None]),
    "no lists": told("ab", "cd"),
    "numbers for tokens": told([1, 2], [None, -1.0]),
    "another text": told(["x", "y"], [-1.0, -1.0]),
    "another text after a part of a character": told(["\ufffd", "zzz"], [-1.0, -1.0]),
    "too short": told(["the"], [None]),
    "text for numbers": told(tokens_of(TEXT), ["-1"] * 12),
    "true": told(tokens_of(TEXT), [True] * 12),
    "nan": told(tokens_of(TEXT), [math.nan] * 12),
    "above one": told(tokens_of(TEXT), [0.5] * 12),
    "none within": told(tokens_of(TEXT), [None] * 12),
    "vllm, two a token": {"choices": [{"prompt_logprobs": [None, {"1": {}, "2": {}}]}]},
    "vllm, no text": {"choices": [{"prompt_logprobs": [None, {"1": {"logprob": -1}}]}]},
    "vllm, empty": {"choices": [{"prompt_logprobs": []}]},
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_of_a_wrong_shape_is_the_members_failure(server: Server, name: str) -> None:
    answer, why = BAD[name]
    server.answer = lambda _: answer
    with pytest.raises(MemberError, match=why):
        member(server).score(split(TEXT))


@pytest.mark.parametrize("name", WRONG)
def test_log_probabilities_that_do_not_fit_are_refused(server: Server, name: str) -> None:
    server.answer = lambda _: WRONG[name]
    with pytest.raises(MemberError):
        member(server).score(split(TEXT))


def test_minus_infinity_is_a_cost(server: Server) -> None:
    values = [None, -math.inf, *map(value_of, tokens_of(TEXT)[2:])]
    server.answer = lambda _: json.dumps(told(tokens_of(TEXT), values)).encode()
    assert math.isinf(member(server).score(split(TEXT))[0] + member(server).score(split(TEXT))[1])


def test_an_integer_beyond_every_float_is_a_cost(server: Server) -> None:
    server.answer = lambda _: told(["the"], [-(10**400)])
    assert math.isinf(member(server).score(["the"])[0])


def test_a_slow_server_is_not_waited_for(server: Server) -> None:
    server.answer = lambda _: time.sleep(0.2)
    with pytest.raises(MemberError, match="no answer in time"):
        member(server, timeout_s=0.05, attempts=1).score(["a"])


@contextmanager
def raw(*parts: bytes, every_s: float = 0.0) -> Iterator[tuple[Server, list[bytes]]]:
    """A server that reads nothing and sends parts of an answer, one after another; then ends.

    With it, all that it has sent, complete when it has ended.
    """
    sent: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            one.asked.append({})
            with suppress(OSError):  # whoever asked has hung up
                for part in parts:
                    self.request.sendall(part)
                    sent.append(part)
                    time.sleep(every_s)

    one = Server()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        one.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield one, sent
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 90],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 90,
        [b"HTTP/1.1 200 OK\r\n\r\n", *[b" "] * 90],
    ],
    ids=["headers", "continue", "body"],
)
def test_an_answer_in_drops_is_over_when_its_time_is(parts: list[bytes]) -> None:
    with (
        raw(*parts, every_s=0.05) as (dripping, sent),
        pytest.raises(MemberError, match="no answer in time"),
    ):
        member(dripping, timeout_s=0.3, attempts=1).score(["a"])
    assert 0 < len(sent) < len(parts), "it is hung up on"


def test_an_answer_that_breaks_off_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhufeng.fusion.mix._http._FIRST_PAUSE_S", 0.001)
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}") as (broken, _):
        with pytest.raises(MemberError, match="IncompleteRead"):
            member(broken, attempts=3).score(["a"])
        assert len(broken.asked) == 3


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.statuses = [503, 429]
    np.testing.assert_allclose(member(server).score(split(TEXT)), costs(TEXT))
    server.statuses = [500, 500, 500]
    with pytest.raises(MemberError, match="HTTP 500"):
        member(server).score(split(TEXT))
    assert len(server.asked) == 6


def test_a_refusal_is_not_repeated(server: Server) -> None:
    server.statuses = [400]
    with pytest.raises(MemberError, match="HTTP 400"):
        member(server).score(split(TEXT))
    assert len(server.asked) == 1


def test_the_key_comes_from_the_environment_and_follows_no_redirection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", "secret-1")
    far = member(server, key="FAR_KEY")
    far.score(split(TEXT))
    assert server.keys == ["Bearer secret-1"]
    with serving(Server()) as other:
        server.statuses, server.headers = [307], {"Location": f"{other.url}/completions"}
        with pytest.raises(MemberError, match="HTTP 307") as caught:
            far.score(split(TEXT))
        assert other.asked == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_not_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("FAR_KEY", key)
    with pytest.raises(MemberError, match="no usable key in the environment variable FAR_KEY"):
        member(server, key="FAR_KEY").score(["a"])


def test_nobody_listens() -> None:
    with serving(Server()) as gone:
        pass
    with pytest.raises(MemberError, match="refused"):
        member(gone, attempts=1).score(["a"])


def test_too_much_is_not_read(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhufeng.fusion.mix._http._MOST_BYTES", 1000)
    server.answer = lambda _: b" " * 200_000
    with pytest.raises(MemberError, match="more than 1000 bytes"):
        member(server).score(["a"])


def test_what_it_writes_is_cut_at_the_first_chunk(server: Server) -> None:
    rng = np.random.default_rng(0)
    voice = member(server).begin(["the"])
    assert voice.propose(rng, Draw(0.5, 0.9)) == " cloud"
    assert server.asked[0]["temperature"] == 0.5
    assert server.asked[0]["top_p"] == 0.9
    assert voice.propose(rng, stub=" ") == "  cloud"
    server.answer = lambda _: {"choices": [{"text": "s", "finish_reason": "stop"}]}
    assert voice.propose(rng) is None, "it goes on with a chunk that is over"
    server.answer = lambda _: {"choices": [{"text": "", "finish_reason": "stop"}]}
    assert voice.propose(rng) == ""
    server.answer = lambda body: {
        "choices": [{"text": " long" + "g" * body["max_tokens"], "finish_reason": "length"}]
    }
    assert voice.propose(rng) == " long" + "g" * 28
    server.answer = lambda _: {"choices": [{"text": 5}]}
    with pytest.raises(MemberError, match="without text"):
        voice.propose(rng)
    server.answer = lambda _: {"choices": [{"text": " \ud800", "finish_reason": "stop"}]}
    with pytest.raises(MemberError, match="without text"):
        voice.propose(rng)


def test_what_is_said_is_the_next_questions_prompt(server: Server) -> None:
    voice = member(server).begin(split("the mountain"))
    bits = voice.bits(" stands")
    voice.say(" stands")
    assert bits == pytest.approx(costs("the mountain stands")[2])
    voice.bits(",")
    assert server.asked[-1]["prompt"] == "the mountain stands,"
