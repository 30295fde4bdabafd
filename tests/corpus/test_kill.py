"""SIGKILL of the process group at random moments: the bytes are those of an unkilled build."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.corpus.screen_clips import two_lines
from zhufeng.base import files_below

pytest.importorskip("rapidocr")
SEED = 20_261_122
ROOT = Path(__file__).parents[2]
CLIPS = 3
SETTINGS = """
[corpus]
inputs = ["clips", "note.txt"]
span_s = 1.0
workers = 1
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "clips").mkdir()
    for number in range(CLIPS):
        two_lines(folder / "clips" / f"{number}.mp4", f"Clip {number} of a summit")
    (folder / "clips" / "broken.mp4").write_bytes(b"not a film at all" * 100)
    (folder / "note.txt").write_text("A note beside the films, so that texts are there too.\n" * 3)
    (folder / "corpus.toml").write_text(SETTINGS)
    return folder


def start(sources: Path, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "zhufeng", "corpus", "build", "--config"]
    return subprocess.Popen(
        [*command, str(sources / "corpus.toml"), "-o", str(run)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def artifact(run: Path) -> dict[str, bytes]:
    folder = run / "corpus"
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


def kill_until_done(sources: Path, run: Path, kills: int, longest_s: float) -> None:
    """Start it again and again, killing its group so often, each time after a random while."""
    draw = random.Random(SEED)
    done = 0
    while done < kills:
        process = start(sources, run)
        try:
            process.wait(timeout=draw.uniform(0.2, longest_s))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            done += 1
        process.communicate()
        if process.returncode == 0:
            forget(run, draw)
    finish(sources, run)


def finish(sources: Path, run: Path) -> None:
    process = start(sources, run)
    _, talk = process.communicate()
    assert process.returncode == 0, talk.decode()


def forget(run: Path, draw: random.Random) -> None:
    """Throw the corpus and half of the parts away, so that there is work to be killed at."""
    shutil.rmtree(run / "corpus")
    parts = files_below(run / "corpus.parts")
    for name in draw.sample(parts, len(parts) // 2):
        (run / "corpus.parts" / name).unlink()


@pytest.mark.parametrize("kills", [20, pytest.param(500, marks=pytest.mark.soak)])
def test_killed_and_taken_up_it_ends_with_the_same_bytes(
    sources: Path, tmp_path: Path, kills: int
) -> None:
    finish(sources, tmp_path / "whole")
    expected = artifact(tmp_path / "whole")
    assert {"documents.parquet", "_SUCCESS", "manifest.json"} <= set(expected)
    # Starting, reading and writing take so long where all parts are there: moments within it
    # fall into the work too where they are not.
    shutil.rmtree(tmp_path / "whole" / "corpus")
    begun = time.monotonic()
    finish(sources, tmp_path / "whole")
    again_s = time.monotonic() - begun
    assert artifact(tmp_path / "whole") == expected
    kill_until_done(sources, tmp_path / "run", kills, again_s)
    assert artifact(tmp_path / "run") == expected
