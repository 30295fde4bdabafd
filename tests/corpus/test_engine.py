"""The engine: every part exactly once, whatever dies, and the same on every engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus.fake_stages import inputs, pipeline
from zhufeng.base import InputError, files_below
from zhufeng.corpus.engine import (
    Engine,
    InProcess,
    Limits,
    OnRay,
    PartStore,
    Pipeline,
    Pool,
    Schedule,
    Tally,
)

ROOT = Path(__file__).parents[2]
LIMITS = Limits(wall_s=60.0, memory_gb=0.5)
SHORT = replace(LIMITS, wall_s=1.5)
TEXTS = {"a": "one two three", "b": "four", "c": "five six seven eight", "d": "four"}
Make = Callable[[Pipeline], Engine]


@pytest.fixture(autouse=True)
def _workers_find_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def pool(line: Pipeline) -> Engine:
    return Pool(line.stages, 2, LIMITS)


def short(line: Pipeline) -> Engine:
    return Pool(line.stages, 2, SHORT)


def in_process(line: Pipeline) -> Engine:
    return InProcess(line.stages)


def ray(line: Pipeline) -> Engine:
    return OnRay(line.stages, 2, LIMITS, "local")


def walk(
    folder: Path, texts: Mapping[str, str], make: Make, line: Pipeline, limits: Limits = LIMITS
) -> tuple[dict[str, str], Tally]:
    """What each input became: its text and what went wrong, or its failure."""
    given = inputs(folder, texts)
    became = {}
    with make(line) as engine:
        schedule = Schedule(line, engine, PartStore(folder / "parts"), limits)
        for one, finished in schedule.run(given):
            value = finished.part.value
            became[one.name] = (
                value.captions[0].text + "".join(f" [{p}]" for p in value.problems)
                if value
                else f"failed: {finished.part.failure}"
            )
    return became, schedule.tally


def told(texts: Mapping[str, str], mark: str = "!", between: str = "") -> dict[str, str]:
    """What the fake stages must make of texts, worked out apart from them."""
    made = {}
    for name, text in texts.items():
        spans = [text[i : i + 5].upper() + mark for i in range(0, len(text), 5)]
        made[name] = between.join(spans)
    return made


@pytest.mark.parametrize("make", [in_process, pool, ray])
def test_every_engine_gives_the_same(tmp_path: Path, make: Make) -> None:
    if make is ray:
        pytest.importorskip("ray")
    became, tally = walk(tmp_path, TEXTS, make, pipeline())
    assert became == told(TEXTS)
    assert tally.done == tally.inputs == 4
    # "four" stands twice among the inputs and is worked on once.
    assert tally.made == {"probe": 3, "shout": 3 + 1 + 4, "compose": 3}


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    walk(tmp_path, TEXTS, in_process, pipeline())
    became, tally = walk(tmp_path, TEXTS, in_process, pipeline())
    assert became == told(TEXTS)
    assert not tally.made
    # A changed last stage leaves the others' parts; a changed middle one leaves the first's.
    became, tally = walk(tmp_path, TEXTS, in_process, pipeline(between="-"))
    assert (became, tally.made) == (told(TEXTS, between="-"), {"compose": 3})
    became, tally = walk(tmp_path, TEXTS, in_process, pipeline(mark="?"))
    assert (became, tally.made) == (told(TEXTS, mark="?"), {"shout": 8, "compose": 3})


def test_torn_and_unfinished_parts_are_made_again(tmp_path: Path) -> None:
    walk(tmp_path, TEXTS, in_process, pipeline())
    parts = tmp_path / "parts"
    names = files_below(parts)
    for number, name in enumerate(names):
        data = (parts / name).read_bytes()
        (parts / name).write_bytes([data[:-9], b"", b"[]", b'{"value": 3}'][number % 4])
    (parts / "shout" / "left.json.unfinished").write_text("half")
    became, tally = walk(tmp_path, TEXTS, in_process, pipeline())
    assert became == told(TEXTS)
    assert sum(tally.made.values()) == len(names)
    assert files_below(parts) == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("KILL", "it ended its worker twice: signal 9"),
        ("HOG", "it ended its worker twice: over 0.5 GB of memory"),
        ("SLEEP", "it ended its worker twice: over 1.5 s"),
        ("RAISE", "ValueError: as it was told"),
    ],
)
def test_a_bad_item_is_recorded_and_passed_over(
    tmp_path: Path, text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = tmp_path / "count"
    monkeypatch.setenv("COUNT", str(counted))
    texts = {**TEXTS, "bad": text}
    make, limits = (short, SHORT) if text == "SLEEP" else (pool, LIMITS)
    became, _ = walk(tmp_path, texts, make, pipeline(), limits)
    assert became == {**told(TEXTS), "bad": f" [{reason}]"}
    tries = Counter(counted.read_text().splitlines())[f"{text} 0.0"]
    assert tries == (1 if text == "RAISE" else 2)
    # It is on record: not tried again, unless the limits that ended it are others.
    _, tally = walk(tmp_path, texts, make, pipeline(), limits)
    assert not tally.made
    if text == "SLEEP":
        monkeypatch.setenv("AWAKE", "1")
        became, tally = walk(tmp_path, texts, pool, pipeline())
        assert tally.made["shout"] == 1
        assert became == told(texts)


@pytest.mark.parametrize("make", [in_process, pool])
def test_what_fails_for_a_passing_reason_is_tried_again(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {**TEXTS, "far": "FETCH", "odd": "HALF"}
    monkeypatch.setenv("NET", "down")
    became, _ = walk(tmp_path, texts, make, pipeline())
    assert became["far"] == " [ConnectionResetError: the net is down]"
    assert became["odd"] == "HA!"
    monkeypatch.setenv("NET", "up")
    became, tally = walk(tmp_path, texts, make, pipeline())
    assert became == told(texts)
    assert tally.made == {"shout": 2, "compose": 2}


def test_who_kills_once_is_forgiven(tmp_path: Path) -> None:
    texts = {**TEXTS, "o": "ONCE"}
    became, _ = walk(tmp_path, texts, pool, pipeline())
    assert became == told(texts)


def test_an_input_without_anything_fails_alone(tmp_path: Path) -> None:
    became, _ = walk(tmp_path, {**TEXTS, "e": ""}, pool, pipeline())
    assert became == {**told(TEXTS), "e": "failed: nothing in it"}


@pytest.mark.parametrize("make", [in_process, pool])
def test_a_missing_model_ends_the_walk_with_its_error(tmp_path: Path, make: Make) -> None:
    with pytest.raises(InputError, match="no model"):
        walk(tmp_path, TEXTS, make, pipeline(model="missing"))


def test_no_worker_outlives_its_caller(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.corpus.test_engine import *\n"
        "walk(Path(sys.argv[1]), {'s': 'SLEEP'}, lambda l: Pool(l.stages, 2, Limits()),"
        " pipeline(), Limits())\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not (children := _children(caller.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, children))


def _children(pid: int) -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [child.pid for child in psutil.Process(pid).children()]


def _alive(pid: int) -> bool:
    psutil = pytest.importorskip("psutil")
    try:
        return str(psutil.Process(pid).status()) != str(psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
