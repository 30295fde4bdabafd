"""Clients that go away, queues that are full, members that hang, servers that are killed."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fusion.serve.fakes import MODEL, Running, Script, running, until
from zhufeng.base import InputError
from zhufeng.fusion.ledger import Ledger, audit
from zhufeng.fusion.serve import Keys, ServeConfig, read_keys
from zhufeng.fusion.serve._serve import check_reach

TEXT = " one two three four five six seven eight nine ten"
BODY = {"model": MODEL, "prompt": "Count: ", "max_tokens": 100}
JSON = {"Content-Type": "application/json"}


class Gate:
    """Stops a member at one of its steps until it is opened."""

    def __init__(self, place: int) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._place = place

    def __call__(self, place: int) -> None:
        if place == self._place:
            self.reached.set()
            assert self.open.wait(30)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_the_answer_and_what_was_said_is_kept(
    tmp_path: Path, stream: bool
) -> None:
    gate = Gate(3)

    def step(place: int) -> None:
        gate(place)
        time.sleep(0.002)  # the server has seconds to see that the client is gone

    with running(tmp_path, Script("one", " word" * 3000, step), max_chunks=3000) as server:
        connection = server.connection()
        body = json.dumps({**BODY, "max_tokens": 3000, "stream": stream})
        connection.request("POST", "/v1/completions", body, JSON)
        assert gate.reached.wait(30)
        connection.close()
        gate.open.set()
        (line,) = server.lines_when(1)
        assert line["ended"] == "left"
        assert 3 <= line["chunks"] < 3000
        # And the next one is answered.
        assert server.complete(prompt="a").status == 200


def test_beyond_the_queue_clients_are_sent_away(tmp_path: Path) -> None:
    gate = Gate(1)
    with (
        running(tmp_path, Script("one", TEXT, gate), waiting=2, retry_after_s=7) as server,
        ThreadPoolExecutor(3) as clients,
    ):
        replies = [clients.submit(server.complete, prompt="a") for _ in range(3)]
        until(lambda: server.ask("GET", "/health").json["requests"] == 3)
        # Whoever waits holds no thread.
        assert len([t for t in threading.enumerate() if t.name.startswith("answer")]) == 1
        away = server.complete(prompt="a")
        assert (away.status, away.headers["retry-after"]) == (503, "7")
        assert away.json["error"]["code"] == "overloaded"
        gate.open.set()
        assert [reply.result().status for reply in replies] == [200] * 3
        assert server.complete(prompt="a").status == 200


def test_who_goes_away_while_waiting_is_not_answered(tmp_path: Path) -> None:
    gate = Gate(1)
    member = Script("one", TEXT, gate)
    with running(tmp_path, member, waiting=1) as server, ThreadPoolExecutor(1) as clients:
        first = clients.submit(server.complete, prompt="a")
        assert gate.reached.wait(30)
        waiting = server.connection()
        waiting.request("POST", "/v1/completions", json.dumps(BODY), JSON)
        until(lambda: server.ask("GET", "/health").json["requests"] == 2)
        waiting.close()
        until(lambda: server.ask("GET", "/health").json["requests"] == 1)
        gate.open.set()
        assert first.result().status == 200
        assert len(member.seen) == len(server.lines()) == 1


def test_a_member_that_hangs_is_left_behind(tmp_path: Path) -> None:
    gate = Gate(2)
    slow = Script("slow", TEXT, gate, bits=1.0)
    with running(tmp_path, slow, Script("fast", TEXT), member_timeout_s=0.2) as server:
        (choice,) = server.complete(prompt="a", max_tokens=100, seed=1).json["choices"]
        assert choice["text"] == TEXT
        assert choice["zhufeng"]["failed"] == ["slow"]
        assert threads("slow")
        gate.open.set()
        until(lambda: not threads("slow"))


def test_no_thread_of_an_answer_is_left(tmp_path: Path) -> None:
    with running(tmp_path, Script("left", TEXT)) as server:
        for _ in range(3):
            server.complete(prompt="a", max_tokens=100)
        until(lambda: not threads("left"))


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_a_member_that_always_hangs_is_soon_not_asked_any_more(tmp_path: Path) -> None:
    gate = Gate(0)
    hung = Script("hung", TEXT, gate)
    with running(tmp_path, hung, Script("fast", TEXT), member_timeout_s=0.02) as server:
        for seed in range(12):
            assert server.complete(prompt="a", max_tokens=100, seed=seed).status == 200
        assert len(threads("hung")) <= 5
        gate.open.set()


def test_a_server_that_is_told_to_stop_ends_what_it_has_begun(tmp_path: Path) -> None:
    gate = Gate(2)
    with (
        running(tmp_path, Script("one", TEXT, gate), drain_s=30) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        reply = clients.submit(server.complete, **BODY)
        assert gate.reached.wait(30)
        stopped = clients.submit(server.stop)
        gate.open.set()
        assert reply.result().json["choices"][0]["text"] == TEXT
        stopped.result()
        assert [line["ended"] for line in server.lines()] == ["stop"]


def test_a_server_stops_in_the_middle_when_the_limit_is_over(tmp_path: Path) -> None:
    gate = Gate(2)
    with (
        running(tmp_path, Script("one", TEXT, gate), drain_s=0) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        reply = clients.submit(server.complete, **BODY, stream=True)
        assert gate.reached.wait(30)
        stopped = clients.submit(server.stop)
        stopping = threading.Event()
        assert not stopping.wait(0.3)
        gate.open.set()
        stopped.result()
        assert [line["ended"] for line in server.lines()] == ["left"]
        try:
            data = reply.result().data
        except (OSError, http.client.HTTPException):
            data = b""
        assert b"[DONE]" not in data
    assert audit(server.ledger).fault is None


def test_an_answer_that_is_not_on_the_ledger_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with running(tmp_path, Script("one", TEXT)) as server:
        monkeypatch.setattr(Ledger, "append", full)
        told = server.complete(prompt="a", max_tokens=100)
        assert told.status == 500
        assert b"three" not in told.data
        stream = server.complete(prompt="a", max_tokens=100, stream=True).data
        assert b'"server_error"' in stream
        assert b'finish_reason": "stop' not in stream


def test_keys(tmp_path: Path) -> None:
    secret, hashed = "k" * 20, "another-secret-of-32-characters."
    digest = hashlib.sha256(hashed.encode()).hexdigest()
    (tmp_path / "keys").write_text(f"# two\nfirst {secret}\n\nsecond sha256:{digest}\n")
    keys = read_keys(tmp_path / "keys", {"ZHUFENG_SERVE_KEYS": "third " + "x" * 30})
    assert secret not in repr(keys)
    with running(tmp_path, Script("one", TEXT), keys=keys) as server:

        def asked(key: str | None, path: str = "/v1/completions") -> tuple[int, object]:
            headers = {"Authorization": key} if key is not None else {}
            method = "GET" if path == "/v1/models" else "POST"
            told = server.ask(method, path, BODY, headers)
            return told.status, told.json.get("error", {}).get("code")

        for key, name in ((secret, "first"), (hashed, "second"), ("x" * 30, "third")):
            assert asked(f"Bearer {key}") == (200, None)
            assert server.lines()[-1]["account"] == name
        for wrong in (None, "", "Bearer", f"Bearer {secret}x", f"Basic {secret}", digest):
            for path in ("/v1/completions", "/v1/chat/completions", "/v1/models"):
                assert asked(wrong, path) == (401, "invalid_api_key")
        assert asked(f"Bearer sha256:{digest}") == (401, "invalid_api_key")
        assert server.ask("GET", "/health").status == 200
        assert len(server.lines()) == 3


def test_a_client_that_leaves_while_it_asks_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, Script("one", TEXT)) as server:
        connection = server.connection()
        connection.putrequest("POST", "/v1/completions")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b'{"mo')
        time.sleep(0.1)
        connection.close()
        time.sleep(0.1)
        assert server.ask("GET", "/health").status == 200
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


def test_an_answer_that_outlasts_the_server_is_told_in_openai_s_form(tmp_path: Path) -> None:
    gate = Gate(2)
    with (
        running(tmp_path, Script("one", TEXT, gate), drain_s=1) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        asked = clients.submit(server.complete, prompt="a", max_tokens=9)
        assert gate.reached.wait(30)
        stopped = clients.submit(server.stop)
        told = asked.result(30)
        gate.open.set()
        stopped.result(30)
    assert (told.status, told.json["error"]["code"]) == (503, "overloaded")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_no_keys(host: str) -> None:
    check_reach(ServeConfig(host=host), Keys({}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_elsewhere_keys_are_needed(host: str) -> None:
    with pytest.raises(InputError, match="would answer everyone"):
        check_reach(ServeConfig(host=host), Keys({}))
    check_reach(ServeConfig(host=host), Keys({"a": b""}))


SERVER = """
import sys, time
from pathlib import Path
from tests.fusion.serve.fakes import MODEL, Script
from zhufeng.fusion.ledger import Ledger
from zhufeng.fusion.mix import Mixture
from zhufeng.fusion.serve import ServeConfig, serve

member = Script("one", " word" * 1000, lambda place: time.sleep(0.002))
ledger = Ledger(Path(sys.argv[1]))
serve(Mixture([member]), ledger, ServeConfig(model=MODEL, port=0, max_chunks=4, waiting=100))
"""


def started(folder: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "running on" in line:
            return process, int(line.partition("127.0.0.1:")[2].split()[0])
    raise AssertionError("the server does not start")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_real_server_that_is_killed_has_all_it_answered_on_its_ledger(
    tmp_path: Path, end: signal.Signals
) -> None:
    process, port = started(tmp_path / "ledger")
    server = Running(port, tmp_path / "ledger", process.kill)
    given: list[str] = []
    enough = threading.Event()

    def ask(_: int) -> None:
        while True:
            try:
                told = server.complete(prompt="a", max_tokens=4)
            except OSError:
                return
            if told.status == 200:
                given.append(told.json["id"] + "-0")
            if len(given) >= 6:
                enough.set()

    with ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(ask, number) for number in range(3)]
        assert enough.wait(30)
        process.send_signal(end)
        assert process.stderr is not None
        process.stderr.read()
        process.stderr.close()
        assert process.wait(30) in (-end, 0)
        for one in asking:
            one.exception()
    Ledger(tmp_path / "ledger")
    found = audit(tmp_path / "ledger")
    assert found.fault is None
    kept = {line["answer"] for line in server.lines()}
    assert set(given) <= kept
    assert len(kept) <= len(given) + 3


def test_nothing_of_prompt_or_answer_is_on_the_ledger(tmp_path: Path) -> None:
    with running(tmp_path, Script("one", " answersecret")) as server:
        server.complete(prompt="promptsecret", user="usersecret", max_tokens=9)
    data = b"".join(path.read_bytes() for path in server.ledger.iterdir())
    assert b"secret" not in data
