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

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.corpus.screen_clips import encode, font
from zhufeng.base import files_below

pytest.importorskip("rapidocr")
SEED = 20_261_122
ROOT = Path(__file__).parents[2]
CLIPS = 6
SETTINGS = """
[corpus]
inputs = ["clips", "note.txt"]
span_s = 1.0
workers = 1
"""


def clip(path: Path, text: str, seconds: float = 1.5, fps: int = 8) -> None:
    """A picture with two lines of text, the second there for the latter half."""
    frames = []
    for number in range(int(seconds * fps)):
        picture = Image.new("RGB", (640, 360), (235, 235, 235))
        draw = ImageDraw.Draw(picture)
        draw.text((60, 80), text, (20, 20, 20), font=font(36))
        if number >= seconds * fps / 2:
            draw.text((60, 200), text[::-1], (20, 20, 20), font=font(36))
        frames.append(np.asarray(picture))
    encode(path, frames, fps)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "clips").mkdir()
    words = [
        "summit",
        "glacier",
        "ridge",
        "valley",
        "ascent",
        "camp",
        "rope",
        "snow",
        "wind",
        "sun",
    ]
    for number in range(CLIPS):
        clip(folder / "clips" / f"{number}.mp4", f"Clip {number} {words[number]}")
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


def kill_until_done(sources: Path, run: Path, kills: int, whole_s: float) -> int:
    """Start it again and again, killing its group after a random while; how often it was killed.

    The moments are drawn over the time that a start takes beside the work that is left, so that
    they fall into all of it.
    """
    draw = random.Random(SEED)
    done = 0
    while done < kills:
        process = start(sources, run)
        try:
            process.wait(timeout=draw.uniform(0.2, whole_s))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            done += 1
        process.communicate()
        if process.returncode == 0 and done < kills:
            # Done before its time: begin again, with what there is thrown away but for parts.
            for name in files_below(run / "corpus"):
                (run / "corpus" / name).unlink()
            forget(run, draw)
    process = start(sources, run)
    _, talk = process.communicate()
    assert process.returncode == 0, talk.decode()
    return done


def forget(run: Path, draw: random.Random) -> None:
    """Throw a part of the parts away, so that there is work to be killed at."""
    shutil.rmtree(run / "corpus")
    parts = files_below(run / "corpus.parts")
    for name in draw.sample(parts, len(parts) // 2):
        (run / "corpus.parts" / name).unlink()


@pytest.mark.parametrize("kills", [20, pytest.param(500, marks=pytest.mark.soak)])
def test_killed_and_taken_up_it_ends_with_the_same_bytes(
    sources: Path, tmp_path: Path, kills: int
) -> None:
    begun = time.monotonic()
    process = start(sources, tmp_path / "whole")
    _, talk = process.communicate()
    whole_s = time.monotonic() - begun
    assert process.returncode == 0, talk.decode()
    expected = artifact(tmp_path / "whole")
    assert {"documents.parquet", "_SUCCESS", "manifest.json"} <= set(expected)
    assert kill_until_done(sources, tmp_path / "run", kills, whole_s) == kills
    assert artifact(tmp_path / "run") == expected
