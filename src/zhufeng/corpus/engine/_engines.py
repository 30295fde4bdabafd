"""Where tasks are worked on: in this process, in a pool of processes, on a Ray cluster.

All three give the same answers; they differ in what they cost and in how far they reach.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Protocol, Self

from zhufeng.base import InputError, brief, needs_extra
from zhufeng.corpus.engine._stage import UnitStage
from zhufeng.corpus.engine._worker import Answer, Death, Handler, Limits, Task, Worker

if TYPE_CHECKING:
    from types import TracebackType

# How often a pool looks whether a worker is overdue.
_LOOK_EVERY_S = 1.0


class Engine(Protocol):
    """Takes as many tasks as it has room for, and gives them back answered, in any order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @property
    def room(self) -> int:
        """How many more tasks it takes now."""

    def submit(self, task: Task) -> None:
        """Take a task; there must be room."""

    def wait(self) -> tuple[Task, Answer]:
        """The next task that is answered; there must be one at work."""


class InProcess:
    """This process itself: no start, no limits, and a file that kills it kills it."""

    def __init__(self, stages: Sequence[UnitStage]) -> None:
        self._handler = Handler(stages)
        self._waiting: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def room(self) -> int:
        """See `Engine.room`."""
        return 1 - len(self._waiting)

    def submit(self, task: Task) -> None:
        """See `Engine.submit`."""
        self._waiting.append(task)

    def wait(self) -> tuple[Task, Answer]:
        """See `Engine.wait`."""
        task = self._waiting.popleft()
        return task, self._handler.process(task)


class Pool:
    """Processes of this machine, started when there is work for them."""

    def __init__(self, stages: Sequence[UnitStage], workers: int, limits: Limits) -> None:
        self._stages = tuple(stages)
        self._size = workers
        self._limits = limits
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self._idle, *self._busy):
            worker.stop()

    @property
    def room(self) -> int:
        """See `Engine.room`."""
        return self._size - len(self._busy)

    def submit(self, task: Task) -> None:
        """See `Engine.submit`."""
        worker = self._idle.pop() if self._idle else Worker(self._stages, self._limits)
        self._busy.append(worker)
        worker.give(task)

    def wait(self) -> tuple[Task, Answer]:
        """See `Engine.wait`."""
        worker = self._next()
        task = worker.task
        assert task is not None
        answer = worker.take()
        self._busy.remove(worker)
        if isinstance(answer, Death):
            worker.stop()
        else:
            self._idle.append(worker)
        return task, answer

    def _next(self) -> Worker:
        """A worker that has answered, has died, or is overdue."""
        while True:
            ready = wait([worker.connection for worker in self._busy], _LOOK_EVERY_S)
            for worker in self._busy:
                if worker.connection in ready or worker.overdue_s() < 0:
                    return worker


class OnRay:
    """A Ray cluster: each actor holds one worker process, so that limits are the same there."""

    def __init__(
        self, stages: Sequence[UnitStage], workers: int, limits: Limits, address: str
    ) -> None:
        self._stages = tuple(stages)
        self._size = workers
        self._limits = limits
        self._address = address
        self._stack = ExitStack()
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Task]] = {}  # what is waited for: by whom, on what

    def __enter__(self) -> Self:
        with needs_extra("ray"):
            import ray  # noqa: PLC0415 (an extra)
        # Given outright, so that a cluster which happens to run here, or which an environment
        # variable names, is never joined by accident.
        local = self._address == "local"
        try:
            ray.init(
                address=self._address,
                num_cpus=self._size if local else None,
                include_dashboard=False if local else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster at '{self._address}'",
                expected="the address of a running cluster, or 'local'",
                came=brief(error),
                do="check --ray-address, and that the cluster runs the same Ray and Python",
            ) from None
        self._stack.callback(ray.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def room(self) -> int:
        """See `Engine.room`."""
        return self._size - len(self._busy)

    def submit(self, task: Task) -> None:
        """See `Engine.submit`."""
        host = self._idle.pop() if self._idle else self._new_host()
        self._busy[host.process.remote(task)] = (host, task)

    def wait(self) -> tuple[Task, Answer]:
        """See `Engine.wait`."""
        import ray  # noqa: PLC0415 (an extra)

        (reference, *_), _ = ray.wait(list(self._busy), num_returns=1)
        host, task = self._busy.pop(reference)
        try:
            answer: Answer = ray.get(reference)
        except ray.exceptions.RayError:
            # The actor, its machine or its memory is lost; what the task itself does is an answer.
            return task, Death("the loss of its machine")
        self._idle.append(host)
        return task, answer

    def _new_host(self) -> Any:
        import ray  # noqa: PLC0415 (an extra)

        gpus = max((stage.resources.gpus for stage in self._stages), default=0.0)
        cpus = max((stage.resources.cpus for stage in self._stages), default=1)
        made = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(Host)
        return made.remote(self._stages, self._limits)


class Host:
    """What an actor runs: a worker process of its own, replaced when it dies."""

    def __init__(self, stages: Sequence[UnitStage], limits: Limits) -> None:
        self._stages, self._limits = stages, limits
        self._worker: Worker | None = None

    def process(self, task: Task) -> Answer:
        """Have a task worked on."""
        worker = self._worker or Worker(self._stages, self._limits)
        self._worker = worker
        worker.give(task)
        answer = worker.take()
        if isinstance(answer, Death):
            worker.stop()
            self._worker = None
        return answer
