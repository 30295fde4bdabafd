"""The one trace writer: Chrome's trace-event JSON, which Perfetto (ui.perfetto.dev) opens.

Format: "Trace Event Format" (the Chromium project). Times are in microseconds.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from zhufeng.base import durable

# Rounding of times to the nanosecond may let neighbours overlap by this much.
_TOLERANCE_US = 1e-3


class Track:
    """A row of the trace on which slices follow or nest."""

    def __init__(self, trace: Trace, process: int, thread: int, name: str) -> None:
        self._trace = trace
        self._ids = {"pid": process, "tid": thread}
        self._name = name
        self._open: list[tuple[str, float]] = []
        self._last_us = float("-inf")

    def slice(self, name: str, start_us: float, duration_us: float, **arguments: Any) -> None:
        """Add a slice. Slices come in order of their start, an outer one before its inner ones.

        Raises:
            ValueError: it starts before the last one, or sticks out of the one it begins in
                (the viewer would draw it wrongly without a word).
        """
        end_us = start_us + duration_us
        if start_us < self._last_us - _TOLERANCE_US or duration_us < 0:
            raise ValueError(
                f"slice {name!r} on track {self._name!r} starts at {start_us} us, before the last "
                f"one at {self._last_us} us, or lasts less than nothing"
            )
        around = [one for one in self._open if one[1] > start_us + _TOLERANCE_US]
        if around and end_us > around[-1][1] + _TOLERANCE_US:
            outer, outer_end_us = around[-1]
            raise ValueError(
                f"slice {name!r} on track {self._name!r} ends at {end_us} us, after {outer!r} "
                f"in which it begins ends at {outer_end_us} us; use another track"
            )
        self._open = [*around, (name, end_us)]
        self._last_us = start_us
        event = {"ph": "X", "name": name, "ts": round(start_us, 3), "dur": round(duration_us, 3)}
        self._trace.write(event | self._ids | ({"args": arguments} if arguments else {}))

    def flow(self, name: str, start_us: float, to: Track, end_us: float) -> None:
        """Draw an arrow from the slice here at `start_us` to the one on `to` at `end_us`."""
        number = self._trace.next_flow()
        common = {"cat": "flow", "name": name, "id": number}
        self._trace.write({"ph": "s", "ts": round(start_us, 3)} | common | self._ids)
        ids = to._ids
        self._trace.write({"ph": "f", "bp": "e", "ts": round(end_us, 3)} | common | ids)


class Trace:
    """Writes a trace; ``.json``, or ``.json.gz`` compressed. Whole when the block ends.

    >>> with Trace(Path("step.json.gz")) as trace:
    ...     compute = trace.track("chip 0", "compute")
    ...     compute.slice("matmul", 0.0, 12.5, m=128, n=128, k=64)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._processes: dict[str, int] = {}
        self._threads: dict[tuple[str, str], Track] = {}
        self._flows = 0
        self._first = True

    def __enter__(self) -> Self:
        target: BinaryIO = self._stack.enter_context(durable(self._path))
        self._write: Callable[[bytes], object] = target.write
        if self._path.suffix == ".gz":
            # Neither name nor time in the header: the same trace gives the same bytes.
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0)
            self._write = self._stack.enter_context(packed).write
        self._write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write(b"\n]}\n")
        self._stack.__exit__(kind, error, traceback)

    def track(self, process: str, thread: str) -> Track:
        """The row `thread` in the group `process`, made on first use."""
        if (process, thread) not in self._threads:
            ids = {"pid": self._process(process), "tid": len(self._threads) + 1}
            self.write({"ph": "M", "name": "thread_name", "args": {"name": thread}} | ids)
            order = {"sort_index": ids["tid"]}
            self.write({"ph": "M", "name": "thread_sort_index", "args": order} | ids)
            self._threads[process, thread] = Track(self, ids["pid"], ids["tid"], thread)
        return self._threads[process, thread]

    def counter(self, process: str, name: str, time_us: float, value: float) -> None:
        """Set the counter `name` of the group `process` from `time_us` on."""
        pid = self._process(process)
        event = {"ph": "C", "name": name, "pid": pid, "ts": round(time_us, 3)}
        self.write(event | {"args": {"value": value}})

    def next_flow(self) -> int:
        """A number no other arrow has."""
        self._flows += 1
        return self._flows

    def write(self, event: dict[str, Any]) -> None:
        """Add one event as the format spells it."""
        text = json.dumps(event, separators=(",", ":"), allow_nan=False)
        separator = "" if self._first else ",\n"
        self._write((separator + text).encode())
        self._first = False

    def _process(self, name: str) -> int:
        if name not in self._processes:
            pid = self._processes[name] = len(self._processes) + 1
            self.write({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}})
        return self._processes[name]
