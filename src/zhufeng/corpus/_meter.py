"""CPU time by step, so that a run can say where its cost goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Adds up the CPU time of this process under the names of steps; never of a step twice.

    Told to people (`zhufeng corpus show`, `plan`), never part of an artifact: it is not the
    same in two runs.
    """

    def __init__(self) -> None:
        self.cpu_ms: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the block under `name`; blocks must not be nested."""
        begin = time.process_time()
        try:
            yield
        finally:
            spent = 1000 * (time.process_time() - begin)
            self.cpu_ms[name] = self.cpu_ms.get(name, 0.0) + spent
