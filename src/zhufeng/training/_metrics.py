"""Metrics as JSON lines and as a TensorBoard file: the same numbers, and the same bytes each time.

A line belongs to a step. The TensorBoard file follows from the lines alone: its wall time is the
step, its name is fixed, for nothing in a run depends on the clock or the machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from zhufeng.base import write_durable
from zhufeng.training._artifact import METRICS, TENSORBOARD

Line: TypeAlias = Mapping[str, float | None]

# TensorBoard looks for "tfevents" in the name.
EVENTS = "events.out.tfevents.0.zhufeng"
_TAGS = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "gradient_norm": "train/gradient_norm",
    "held_out_loss": "held_out/loss",
    "bits_per_byte": "held_out/bits_per_byte",
}


class Metrics:
    """``metrics.jsonl`` and ``tensorboard/`` in a folder, written as the training goes."""

    def __init__(self, folder: Path, done: int | None) -> None:
        """Take them up.

        Args:
            folder: of the artifact.
            done: steps of the checkpoint that the training goes on from; lines of later steps
                are cut away. None: none, everything begins anew.
        """
        path = folder / METRICS
        kept = [] if done is None else [n for n in _whole_lines(path) if (n["step"] or 0) <= done]
        write_durable(path, b"".join(map(_spelt, kept)))
        (folder / TENSORBOARD).mkdir(exist_ok=True)
        self._lines = path.open("ab")
        self._events = (folder / TENSORBOARD / EVENTS).open("wb")
        self._records = RecordWriter(self._events)
        self._record(Event(file_version="brain.Event:2"))
        for line in kept:
            self._add_events(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._events.close()

    def add(self, line: Line) -> None:
        """Add a line; it has a ``step``, which never decreases."""
        self._lines.write(_spelt(line))
        self._lines.flush()
        self._add_events(line)
        self._events.flush()

    def sync(self) -> None:
        """Bring the lines to the disk: a checkpoint counts on them."""
        os.fsync(self._lines.fileno())

    def _add_events(self, line: Line) -> None:
        step = int(line["step"] or 0)
        for name, tag in _TAGS.items():
            if (value := line.get(name)) is not None:
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                self._record(Event(wall_time=step, step=step, summary=summary))

    def _record(self, event: Event) -> None:
        self._records.write(event.SerializeToString(deterministic=True))


def read_metrics(folder: Path) -> list[Line]:
    """The lines of a training's ``metrics.jsonl``."""
    return _whole_lines(folder / METRICS)


def _spelt(line: Line) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _whole_lines(path: Path) -> list[Line]:
    """All lines but one that a kill has cut."""
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
