"""Kill -9 anywhere: the finished run has the bytes of one that was never killed."""

from __future__ import annotations

import os
import random
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
SEED = 20_261_122
KILLED = -signal.SIGKILL


class Walker:
    """Walks a recipe in processes of their own."""

    def __init__(self, recipe: Path, log: IO[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(recipe)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def walk(self, run: Path, moment: int = 0) -> tuple[int, int]:
        """Exit status, and how many moments there were."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{run} {moment}\n")
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
def recipe(tmp_path: Path) -> Path:
    """Many documents in many shards, so that there is much to be interrupted."""
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(40):
        (texts / f"{number}.txt").write_text(f"document {number} " * (number + 1))
    return write_recipe(tmp_path, corpus={"inputs": ["texts"], "shard_tokens": 2000})


@pytest.fixture
def walker(recipe: Path, tmp_path: Path) -> Iterator[Walker]:
    with (tmp_path / "log").open("w") as log:
        made = Walker(recipe, log)
        yield made
        made.close()


def kill_and_finish(walker: Walker, tmp_path: Path, how_many: int | None) -> None:
    whole = tmp_path / "whole"
    status, moments = walker.walk(whole)
    assert status == 0
    assert moments > 50
    expected = tree(whole)
    every = range(1, moments + 1)
    incomplete = 0
    for moment in every if how_many is None else random.Random(SEED).sample(every, how_many):
        run = tmp_path / f"killed-{moment}"
        assert walker.walk(run, moment)[0] == KILLED
        incomplete += tree(run) != expected
        assert walker.walk(run)[0] == 0
        assert tree(run) == expected, f"killed at moment {moment}"
    # The kills came while there was work to lose, not after it.
    assert incomplete > 0.8 * (how_many or moments)


def test_20_kills_at_random_moments(tmp_path: Path, walker: Walker) -> None:
    kill_and_finish(walker, tmp_path, 20)


@pytest.mark.soak
def test_a_kill_at_every_moment(tmp_path: Path, walker: Walker) -> None:
    kill_and_finish(walker, tmp_path, None)


def test_kills_while_a_new_artifact_takes_an_old_ones_place(
    tmp_path: Path, recipe: Path, walker: Walker
) -> None:
    """One of the two stands, whole, at every moment."""

    def write(shard_tokens: int) -> None:
        write_recipe(recipe.parent, corpus={"inputs": ["texts"], "shard_tokens": shard_tokens})

    wholes = {}
    for size in (2000, 3000):
        write(size)
        status, moments = walker.walk(tmp_path / f"whole-{size}")
        assert status == 0
        wholes[size] = tree(tmp_path / f"whole-{size}")
    run = tmp_path / "run"
    walker.walk(run)
    draw = random.Random(SEED)
    for number in range(10):
        size = (2000, 3000)[number % 2]
        write(size)
        assert walker.walk(run, draw.randrange(1, moments))[0] == KILLED
        places = [run / "corpus", run / ".corpus.replaced"]
        assert any((place / "manifest.json").exists() for place in places)
        assert walker.walk(run)[0] == 0
        assert tree(run) == wholes[size]


@pytest.mark.soak
def test_100_kills_by_the_clock(tmp_path: Path, recipe: Path) -> None:
    """Real processes, killed from outside with their whole group, at any instruction."""

    def command(run: Path) -> list[str]:
        return [sys.executable, "-m", "zhufeng", "run", str(recipe), "-o", str(run)]

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
