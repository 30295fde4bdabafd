"""Metrics: the TensorBoard file tells what the lines tell, and nothing of time or place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.tasks import configured, token_task
from zhufeng.training import read_metrics, train
from zhufeng.training._metrics import _TAGS, EVENTS, Line, Metrics

LINES: list[Line] = [
    {"step": 0, "held_out_loss": 5.5, "bits_per_byte": 8.0},
    {"step": 1, "loss": 5.25, "learning_rate": 0.1, "gradient_norm": 1.5, "targets": 64},
    {"step": 1, "held_out_loss": 5.0, "bits_per_byte": None},
    {"step": 2, "loss": 5.125, "learning_rate": 0.2, "gradient_norm": 1.25, "targets": 128},
]


def written(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "metrics.jsonl").read_bytes(), (folder / "tensorboard" / EVENTS).read_bytes()


def whole(folder: Path) -> tuple[bytes, bytes]:
    folder.mkdir()
    with Metrics(folder, None) as metrics:
        for line in LINES:
            metrics.add(line)
    return written(folder)


def test_tensorboard_reads_what_the_lines_tell(tmp_path: Path) -> None:
    task, schedule = token_task(tmp_path / "shards", configured())
    (tmp_path / "run").mkdir()
    train(task, schedule, tmp_path / "run", 1)
    lines = read_metrics(tmp_path / "run")
    read = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    read.Reload()
    assert set(read.Tags()["scalars"]) == set(_TAGS.values())
    for name, tag in _TAGS.items():
        told = [(line["step"], np.float32(line[name] or 0)) for line in lines if name in line]
        scalars = read.Scalars(tag)
        assert [(s.step, np.float32(s.value)) for s in scalars] == told
        assert all(s.wall_time == s.step for s in scalars)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 7))
    assert [line["targets"] for line in lines if "loss" in line] == list(range(64, 448, 64))
    assert [line["step"] for line in lines if "held_out_loss" in line] == list(range(7))


@pytest.mark.parametrize("done", [1, 2])
@pytest.mark.parametrize("torn", [b"", b'{"step": 2, "lo'])
def test_both_files_are_cut_back_to_the_checkpoint(tmp_path: Path, done: int, torn: bytes) -> None:
    expected = whole(tmp_path / "whole")
    folder = tmp_path / "run"
    whole(folder)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    (folder / "tensorboard" / EVENTS).write_bytes(b"torn")
    with Metrics(folder, done) as metrics:
        assert read_metrics(folder) == LINES[: done + 2]
        for line in LINES[3:] if done == 1 else []:
            metrics.add(line)
    assert written(folder) == expected


def test_without_a_checkpoint_everything_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    whole(folder)
    with Metrics(folder, None):
        pass
    assert read_metrics(folder) == []
    assert whole(tmp_path / "other")[1].startswith(written(folder)[1])


def test_lines_are_json_a_line(tmp_path: Path) -> None:
    lines, _ = whole(tmp_path / "run")
    assert [json.loads(line) for line in lines.splitlines()] == LINES
