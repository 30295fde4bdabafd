"""One worker: a process that loads its models once and is given one item after another.

It is a plain program with a socket, not a fork and not a copy of the caller's: it starts fast,
holds nothing of the caller's, and may die of a stranger's file without taking anything along.
"""

from __future__ import annotations

import math
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from zhufeng.base import record
from zhufeng.corpus.engine._stage import Item, Outcome, UnitStage

# Exit codes of a worker that its own watch has ended.
_OVER_MEMORY, _OVER_TIME, _ORPHAN = 71, 72, 73
_WATCH_EVERY_S = 0.1
_GB = 1e9
# One thread each: workers must not fight over cores, and threads change the order of sums.
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


@record
class Limits:
    """What one item may take before its worker is ended."""

    wall_s: float = 3600.0
    memory_gb: float = 4.0
    """Of the whole worker, models included."""

    def __post_init__(self) -> None:
        # "Not a number" is neither; and no system waits for ever.
        if not (0 < self.wall_s < math.inf and 0 < self.memory_gb < math.inf):
            raise ValueError("finite limits above 0")


@dataclass(frozen=True)
class Task:
    """An item for a stage, under the key of the part that it will give."""

    stage: str
    key: str
    item: Item


@dataclass(frozen=True)
class Death:
    """A worker ended while it had a task."""

    how: str


@dataclass(frozen=True)
class Refusal:
    """A stage could not be opened at all: a model or a package is missing."""

    error: Exception


Answer = Outcome | Death | Refusal


class Worker:
    """The caller's end of a worker process."""

    def __init__(self, stages: Sequence[UnitStage], limits: Limits) -> None:
        self._limits = limits
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "zhufeng.corpus.engine", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_THREADS},
            )
        self.connection = Connection(ours.detach())
        self.task: Task | None = None
        self._begun = 0.0
        self.connection.send((tuple(stages), limits))

    def give(self, task: Task) -> None:
        """Hand over a task; the worker must have none."""
        self.task, self._begun = task, time.monotonic()
        with suppress(OSError):  # it has died; `take` will tell
            self.connection.send(task)

    def overdue_s(self) -> float:
        """Seconds until the task is taken from it by force, its own watch having failed."""
        return self._begun + 1.5 * self._limits.wall_s + 10.0 - time.monotonic()

    def take(self) -> Answer:
        """Its answer; waits for it. After a death the worker is of no more use."""
        try:
            if not self.connection.poll(max(0.0, self.overdue_s())):
                self._process.kill()
                self._process.wait()
                return Death(f"over {self._limits.wall_s:g} s")
            answer: Outcome | Refusal = self.connection.recv()
        except (EOFError, OSError):
            return Death(self._how(self._process.wait()))
        self.task = None
        return answer

    def stop(self) -> None:
        """End it."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _how(self, code: int) -> str:
        if code == _OVER_MEMORY:
            return f"over {self._limits.memory_gb:g} GB of memory"
        if code == _OVER_TIME:
            return f"over {self._limits.wall_s:g} s"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


class _Watch(threading.Thread):
    """Ends the process when an item takes too much, or when nobody waits for it any more."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(daemon=True)
        self._limits = limits
        self._parent = os.getppid()
        self.begun: float | None = None

    def run(self) -> None:
        import psutil  # noqa: PLC0415 (only in workers)

        process = psutil.Process()
        while True:
            time.sleep(_WATCH_EVERY_S)
            begun = self.begun
            if os.getppid() != self._parent:
                os._exit(_ORPHAN)
            if begun is None:
                continue
            if time.monotonic() - begun > self._limits.wall_s:
                os._exit(_OVER_TIME)
            if process.memory_info().rss > self._limits.memory_gb * _GB:
                os._exit(_OVER_MEMORY)


def serve(descriptor: int) -> None:
    """Answer tasks until the caller hangs up."""
    connection = Connection(descriptor)
    stages, limits = connection.recv()
    handler = Handler(stages)
    watch = _Watch(limits)
    watch.start()
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        watch.begun = time.monotonic()
        outcome = handler.process(task)
        watch.begun = None
        connection.send(outcome)


class Handler:
    """Stages that are opened when first needed."""

    def __init__(self, stages: Sequence[UnitStage]) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._open: set[str] = set()

    def process(self, task: Task) -> Outcome | Refusal:
        """Work on one task."""
        stage = self._stages[task.stage]
        begun = time.process_time()
        if task.stage not in self._open:
            try:
                stage.open()
            except Exception as error:  # noqa: BLE001 (for the caller to raise)
                return Refusal(error)
            self._open.add(task.stage)
        load_ms = 1000 * (time.process_time() - begun)
        return replace(stage.process(task.item), load_ms=load_ms, peak_gb=_peak_gb())


def _peak_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / _GB
