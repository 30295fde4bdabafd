"""Writing: killed anywhere, by many at once, with the right key and with others."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fusion.ledger.samples import BEGIN, Clock, answer
from zhufeng.base import InputError
from zhufeng.fusion.ledger import Ledger, audit, key_beside, read_head

WRITER = """
import sys
from pathlib import Path
from tests.fusion.ledger.samples import answer
from zhufeng.fusion.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]), rotate_bytes=4000)
for number in range(int(sys.argv[3])):
    name = f"{sys.argv[2]}-{number}"
    ledger.append(answer(name))
    print(name, flush=True)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answers(folder: Path) -> list[str]:
    """Ids of all answers, read without our reader."""
    return [
        body["answer"]
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
        if (body := json.loads(line)["body"])["kind"] == "answer"
    ]


def test_the_key_is_private_and_not_in_the_folder(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger")
    assert stat.S_IMODE(key_beside(tmp_path / "ledger").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "ledger.key"]
    secret = b"PRIVATE"
    assert not any(secret in path.read_bytes() for path in (tmp_path / "ledger").iterdir())


def test_a_key_that_is_there_is_used_and_never_written_over(tmp_path: Path) -> None:
    Ledger(tmp_path / "one", tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    Ledger(tmp_path / "two", tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before
    assert read_head(tmp_path / "one").public_key == read_head(tmp_path / "two").public_key


def test_files_turn_over_by_size_and_by_month_and_the_chain_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    ledger = Ledger(tmp_path / "l", rotate_bytes=3000, now=clock)
    for number in range(20):
        ledger.append(answer(str(number)))
    by_size = len([*(tmp_path / "l").glob("*.jsonl")])
    assert by_size > 2
    clock.wait(days=40)
    ledger.append(answer("next month"))
    files = sorted((tmp_path / "l").glob("*.jsonl"))
    assert len(files) == by_size + 1
    assert all(path.stat().st_size < 3000 + 1000 for path in files)
    assert audit(tmp_path / "l").fault is None
    assert answers(tmp_path / "l") == [*map(str, range(20)), "next month"]


def test_a_past_day_is_summed_when_the_ledger_is_opened(tmp_path: Path) -> None:
    Ledger(tmp_path / "l", now=Clock()).append(answer())
    Ledger(tmp_path / "l", now=Clock(BEGIN + timedelta(days=1)))
    lines = (tmp_path / "l" / "ledger-000001.jsonl").read_bytes().splitlines()
    sums = json.loads(lines[-1])["body"]
    assert (sums["kind"], sums["day"], sums["answers"]) == ("day", "2026-11-29", 1)
    assert sums["contribution_nanobits"] == dict(
        zip(answer().members, answer().contribution_nanobits, strict=True)
    )


def test_a_clock_set_back_does_not_set_the_ledger_back(tmp_path: Path) -> None:
    Ledger(tmp_path / "l", now=Clock()).append(answer("a"))
    Ledger(tmp_path / "l", now=Clock(BEGIN - timedelta(days=3))).append(answer("b"))
    assert audit(tmp_path / "l").fault is None
    assert answers(tmp_path / "l") == ["a", "b"]


def crashed(folder: Path) -> Iterator[int]:
    """The folder as kills between the first byte of a line and the writing of the head leave it."""
    path, head = folder / "ledger-000001.jsonl", folder / "head.json"
    ledger = Ledger(folder)
    ledger.append(answer("before"))
    good, good_head = path.read_bytes(), head.read_bytes()
    ledger.append(answer("killed"))
    line = path.read_bytes()[len(good) :]
    for cut in range(0, len(line), 23):
        path.write_bytes(good + line[: len(line) - cut])
        head.write_bytes(good_head)
        yield len(line) - cut


def test_a_kill_at_any_byte_of_a_line_is_repaired_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    for left in crashed(folder):
        whole = (folder / "ledger-000001.jsonl").read_bytes().endswith(b"\n")
        assert audit(folder).unfinished_bytes == (0 if whole else left)
        Ledger(folder).append(answer("after"))
        found = audit(folder)
        assert found.fault is None
        assert found.repairs == (0 if whole else 1)
        assert answers(folder) == ["before", *(["killed"] if whole else []), "after"]


def test_a_kill_between_a_new_file_and_the_head(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    ledger = Ledger(folder, rotate_bytes=1)
    ledger.append(answer("a"))
    head = (folder / "head.json").read_bytes()
    ledger.append(answer("b"))
    (folder / "head.json").write_bytes(head)
    Ledger(folder).append(answer("c"))
    assert audit(folder).fault is None
    assert answers(folder) == ["a", "b", "c"]


def test_what_was_confirmed_survives_kills(tmp_path: Path) -> None:
    confirmed: list[str] = []
    for round_ in range(3):
        process = writer(tmp_path / "l", str(round_), 10_000)
        assert process.stdout is not None
        confirmed += [process.stdout.readline().strip() for _ in range(3 + 4 * round_)]
        process.send_signal(signal.SIGKILL)
        confirmed += process.stdout.read().split()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    Ledger(tmp_path / "l")
    assert audit(tmp_path / "l").fault is None
    kept = answers(tmp_path / "l")
    assert set(confirmed) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(confirmed) + 3


def test_processes_and_threads_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    processes = [writer(folder, name, 8) for name in ("p", "q")]
    ledger = Ledger(folder, rotate_bytes=4000)
    numbers: list[int] = []

    def work(name: str) -> None:
        numbers.extend(ledger.append(answer(f"{name}-{number}")) for number in range(8))

    threads = [threading.Thread(target=work, args=(name,)) for name in "rstu"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        assert len(out.split()) == 8
    assert sorted(answers(folder)) == sorted(f"{name}-{n}" for name in "pqrstu" for n in range(8))
    assert len(set(numbers)) == len(numbers) == 32
    found = audit(folder)
    assert (found.fault, found.answers) == (None, 48)
    assert found.files > 3


def test_waiting_answers_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "l")
    first, go, count = threading.Event(), threading.Event(), [0]
    real = os.fsync

    def slow(descriptor: int) -> None:
        count[0] += 1
        if not first.is_set():
            first.set()
            assert go.wait(30)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    threads = [threading.Thread(target=ledger.append, args=(answer(str(n)),)) for n in range(9)]
    threads[0].start()
    assert first.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(ledger._waiting) < 8:
        threading.Event().wait(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert audit(tmp_path / "l").answers == 9
    assert count[0] == 2 * 3  # twice: the lines, the head, the folder's names


def test_a_full_disk_leaves_the_ledger_whole_and_is_told_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.append(answer("a"))
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 100:
            return real(descriptor, data[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            ledger.append(answer("b"))
    assert audit(tmp_path / "l").unfinished_bytes == 0
    ledger.append(answer("c"))
    found = audit(tmp_path / "l")
    assert (found.fault, found.repairs) == (None, 0)
    assert answers(tmp_path / "l") == ["a", "c"]


def test_a_ledger_is_made_once_by_several_at_once(tmp_path: Path) -> None:
    processes = [writer(tmp_path / "l", name, 1) for name in "abc"]
    assert [process.communicate()[0].strip() for process in processes] == ["a-0", "b-0", "c-0"]
    assert audit(tmp_path / "l").answers == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l", "l.key"]


def test_nothing_is_added_behind_a_writer_s_back_when_the_end_is_cut(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.append(answer())
    path = tmp_path / "l" / "ledger-000001.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="cut off"):
        ledger.append(answer())
    with pytest.raises(InputError, match="cut off"):
        Ledger(tmp_path / "l")
