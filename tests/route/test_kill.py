"""Kill -9 anywhere: the finished run has the bytes of one that was never killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.route.stages import write_recipe

PROGRAM = Path(__file__).with_name("killed_run.py")
ROOT = Path(__file__).parents[2]
SEED = 20_261_122
KILLED = -signal.SIGKILL


class Caller:
    """Calls the command line in processes of their own."""

    def __init__(self, log: IO[str], *program: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def call(self, arguments: list[str], run: Path, moment: int = 0) -> tuple[int, int]:
        """Exit status, and how many moments there were."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([[*arguments, "-o", str(run)], str(run), moment]))
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        status, count = map(int, self._process.stdout.readline().split())
        return status, count

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, and every folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
    }


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Many documents in many shards, so that there is much to be interrupted."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(f"document {number} " * (2 * number + 1))
    return folder


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with (tmp_path / "log").open("w") as log:
        made = Caller(log, str(PROGRAM))
        yield made
        made.close()


def recipe(folder: Path, shard_tokens: int) -> list[str]:
    """The command that walks a recipe with shards of this size."""
    (folder / str(shard_tokens)).mkdir(exist_ok=True)
    keys = {"inputs": [str(folder / "texts")], "shard_tokens": shard_tokens}
    return ["run", str(write_recipe(folder / str(shard_tokens), corpus=keys))]


def kill_and_finish(
    caller: Caller,
    command: list[str],
    begun: Path | None,
    folder: Path,
    how_many: int | None,
) -> None:
    """Kill `command` at random moments, or at every one, and let it finish.

    Args:
        caller: calls it.
        command: the arguments, without -o.
        begun: a run that stands already and is copied for each kill.
        folder: where the runs go.
        how_many: moments; None for all.
    """

    def start(name: str) -> Path:
        run = folder / name / "run"  # a run made by one command is named after its folder
        run.parent.mkdir()
        if begun:
            shutil.copytree(begun, run)
        return run

    whole = start(f"{command[0]}-whole")
    status, moments = caller.call(command, whole)
    assert status == 0
    expected = tree(whole)
    every = range(1, moments + 1)
    incomplete = 0
    for moment in every if how_many is None else random.Random(SEED).sample(every, how_many):
        run = start(f"{command[0]}-killed-{moment}")
        assert caller.call(command, run, moment)[0] == KILLED
        if begun:
            places = [run / "corpus", run / ".corpus.replaced"]
            assert any((place / "manifest.json").exists() for place in places)
        incomplete += tree(run) != expected
        assert caller.call(command, run)[0] == 0
        assert tree(run) == expected, f"killed at moment {moment}"
        shutil.rmtree(run)
    # The kills came while there was work to lose, not after it.
    assert incomplete > 0.7 * (how_many or moments)


MANY = [pytest.param(20, id="20"), pytest.param(None, marks=pytest.mark.soak, id="all")]
SOME = [pytest.param(10, id="10"), pytest.param(None, marks=pytest.mark.soak, id="all")]


@pytest.mark.parametrize("how_many", MANY)
@pytest.mark.usefixtures("texts")
def test_kills_at_random_moments_of_a_run(
    tmp_path: Path, caller: Caller, how_many: int | None
) -> None:
    kill_and_finish(caller, recipe(tmp_path, 2000), None, tmp_path, how_many)


@pytest.mark.parametrize("how_many", SOME)
@pytest.mark.usefixtures("texts")
def test_kills_while_a_new_artifact_takes_an_old_ones_place(
    tmp_path: Path, caller: Caller, how_many: int | None
) -> None:
    """One of the two stands, whole, at every moment; and the next change finds a clean place."""
    old = tmp_path / "old"
    assert caller.call(recipe(tmp_path, 3000), old)[0] == 0
    kill_and_finish(caller, recipe(tmp_path, 2000), old, tmp_path, how_many)


@pytest.mark.parametrize("how_many", SOME)
def test_kills_of_a_command_that_makes_one_artifact(
    tmp_path: Path, caller: Caller, texts: Path, how_many: int | None
) -> None:
    command = ["corpus", "build", str(texts), "--shard-tokens", "2000"]
    kill_and_finish(caller, command, None, tmp_path, how_many)


@pytest.mark.soak
@pytest.mark.usefixtures("texts")
def test_100_kills_by_the_clock(tmp_path: Path) -> None:
    """Real processes, killed from outside with their whole group, at any instruction."""

    walk = recipe(tmp_path, 2000)

    def command(run: Path) -> list[str]:
        return [sys.executable, "-m", "zhufeng", *walk, "-o", str(run)]

    whole = tmp_path / "whole"
    begin = time.monotonic()
    subprocess.run(command(whole), check=True)
    lasts = time.monotonic() - begin
    expected = tree(whole)
    draw = random.Random(SEED)
    for number in range(100):
        run = tmp_path / f"run-{number}"
        with subprocess.Popen(command(run), start_new_session=True) as process:
            # Most in the second half: the first is spent on imports.
            time.sleep(lasts * (draw.random() if number % 4 == 0 else 0.5 + draw.random() / 2))
            os.killpg(process.pid, signal.SIGKILL)
        subprocess.run(command(run), check=True)
        assert tree(run) == expected
