"""CPU time."""

from __future__ import annotations

import resource


def children_s() -> float:
    """Of all programs that this process has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
