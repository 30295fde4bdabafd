"""Members that are not waited for longer than is said."""

from __future__ import annotations

import queue
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import brief
from zhufeng.fusion.mix import PLAIN, Draw, Member, MemberError, Voice

T = TypeVar("T")

# Calls of one member that have been given up and still run: beyond these it is not asked.
_MOST_STUCK = 4


class Patience:
    """How long members may take; one for all answers of a server."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._stuck: Counter[str] = Counter()
        self._lock = threading.Lock()

    def is_stuck(self, name: str) -> bool:
        """Whether too many calls of that member never ended."""
        with self._lock:
            return self._stuck[name] >= _MOST_STUCK

    def stuck(self, name: str, change: int) -> None:
        """Count a call that is given up, or one that has ended after all."""
        with self._lock:
            self._stuck[name] += change


class PatientMember:
    """A member of one answer; fails instead of taking too long."""

    def __init__(self, member: Member, patience: Patience) -> None:
        self.name = member.name
        self._member = member
        self._patience = patience

    def score(self, chunks: Sequence[str], context: Sequence[str] = ()) -> NDArray[np.float64]:
        """See `Member.score`."""
        told = self._thread().call(lambda: self._member.score(chunks, context))
        return _checked(told, (len(chunks),))

    def begin(self, context: Sequence[str]) -> Voice:
        """See `Member.begin`."""
        thread = self._thread()
        return _PatientVoice(thread.call(lambda: self._member.begin(context)), thread)

    def _thread(self) -> _Thread:
        if self._patience.is_stuck(self.name):
            raise MemberError("it is still busy with what it was not waited for")
        return _Thread(self.name, self._patience)


class _PatientVoice:
    def __init__(self, voice: Voice, thread: _Thread) -> None:
        self._voice = voice
        self._thread = thread

    def propose(self, rng: np.random.Generator, draw: Draw = PLAIN, stub: str = "") -> str | None:
        return self._thread.call(lambda: self._voice.propose(rng, draw, stub))

    def bits(self, chunk: str) -> float:
        told = self._thread.call(lambda: self._voice.bits(chunk))
        return float(_checked(told, ()))

    def say(self, chunk: str) -> None:
        self._thread.call(lambda: self._voice.say(chunk))


def _checked(bits: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Bits that can be counted: income is shared by them, so that no member may make them up.

    Raises:
        MemberError: they are not numbers of at least 0, or not one a chunk.
    """
    try:
        told = np.asarray(bits, np.float64)
    except (TypeError, ValueError):
        raise MemberError("bits that are no numbers") from None
    if told.shape != shape:
        raise MemberError(f"bits of shape {told.shape} in place of {shape}")
    if not (told >= 0).all():  # "not a number" neither
        raise MemberError("bits that are not numbers of at least 0")
    return told


class _Thread:
    """Calls functions one after another in a thread, which ends with this object."""

    def __init__(self, name: str, patience: Patience) -> None:
        self._name = name
        self._patience = patience
        self._calls: queue.SimpleQueue[_Call[Any] | None] = queue.SimpleQueue()
        # A daemon: one that never comes back must not keep the process.
        threading.Thread(target=_work, args=(self._calls,), daemon=True, name=name).start()
        weakref.finalize(self, self._calls.put, None)

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns.

        Raises:
            MemberError: it fails, or takes too long.
        """
        call = _Call(function)
        self._calls.put(call)
        if not call.done.wait(self._patience.timeout_s):
            name, patience = self._name, self._patience
            patience.stuck(name, 1)
            call.give_up(lambda: patience.stuck(name, -1))
            raise MemberError(f"it took longer than {patience.timeout_s:g} s")
        if call.error is not None:
            raise MemberError(brief(call.error)) from call.error
        return call.results[0]


class _Call(Generic[T]):
    """One call on its way, and what came of it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._later: Callable[[], None] | None = None
        self.done = threading.Event()
        self.results: list[T] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.results.append(self._function())
        except Exception as error:  # noqa: BLE001 (a member's failure, whatever it is)
            self.error = error
        with self._lock:
            self.done.set()
            if self._later is not None:
                self._later()

    def give_up(self, later: Callable[[], None]) -> None:
        """Wait no more; `later` is called when it ends after all."""
        with self._lock:
            if self.done.is_set():
                later()
            else:
                self._later = later


def _work(calls: queue.SimpleQueue[_Call[Any] | None]) -> None:
    while _has_run(calls.get()):
        pass


def _has_run(call: _Call[Any] | None) -> bool:
    """Run it, unless it is the end. A function, so that nothing of the call outlives it: what
    still knew the voice would keep this thread."""
    if call is not None:
        call.run()
    return call is not None
