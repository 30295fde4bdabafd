"""Who is answered now, who waits, and who is sent away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

from zhufeng.fusion.serve._errors import ApiError

T = TypeVar("T")


class Job(Generic[T]):
    """One request's work: in a thread of its own once it is its turn."""

    def __init__(self, run: Callable[[Job[T]], Coroutine[None, None, None]]) -> None:
        self.left = threading.Event()
        """Set when nobody waits for the work any more; it then ends at its next step."""
        self.begun = False
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[T | Exception | None] = asyncio.Queue()
        self.task = asyncio.create_task(run(self))
        self.task.add_done_callback(lambda _: self._events.put_nowait(None))

    def put(self, event: T | Exception) -> None:
        """Hand an event over, from the work's thread."""
        with suppress(RuntimeError):  # the server has ended without waiting any longer
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def events(self) -> AsyncIterator[T]:
        """What the work hands over, until it is done.

        Raises:
            Exception: the work has failed with it.
        """
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def leave(self) -> None:
        """Nobody waits any more: work that has not begun never does."""
        self.left.set()
        if not self.begun:
            self.task.cancel()


class Desk:
    """Takes jobs in turn. Those that wait hold no thread."""

    def __init__(self, at_once: int, waiting: int, retry_after_s: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._retry_after_s = retry_after_s
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="answer")
        self._tasks: dict[asyncio.Task[None], Job[Any]] = {}
        self._closed = False

    @property
    def jobs(self) -> int:
        """Answered now or waiting."""
        return len(self._tasks)

    def take(self, work: Callable[[Job[T]], None]) -> Job[T]:
        """Put work in the line; it is called with its job, in a thread, when it is its turn.

        Raises:
            ApiError: 503, when too many wait or the server is about to stop.
        """
        if self._closed or self.jobs >= self._most:
            why = "is stopping" if self._closed else "has too many requests waiting"
            error = ApiError(503, f"The server {why}; try again later.", code="overloaded")
            error.retry_after_s = self._retry_after_s
            raise error
        job = Job[T](lambda own: self._run(own, work))
        self._tasks[job.task] = job
        job.task.add_done_callback(self._tasks.pop)
        return job

    async def _run(self, job: Job[T], work: Callable[[Job[T]], None]) -> None:
        async with self._free:
            job.begun = True
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, _guarded, job, work)

    async def close(self) -> None:
        """Take no more, tell all to end at their next step, and wait until they have."""
        self._closed = True
        for job in [*self._tasks.values()]:
            job.leave()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown()


def _guarded(job: Job[T], work: Callable[[Job[T]], None]) -> None:
    try:
        work(job)
    except Exception as error:  # noqa: BLE001 (whatever it is, someone waits for an answer)
        job.put(error)
