"""Progress of long work: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# Without a terminal (a log file, CI) a line as often as this.
LINE_EVERY_S = 10.0


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` while showing how far along they are.

    Args:
        items: what is worked through.
        what: the work, as a user would name it ("tokenising").
        total: how many items; taken from `items` where it has a length.
    """
    if total is None and isinstance(items, Sequence):
        total = len(items)
    yield from _bar(items, what, total) if sys.stderr.isatty() else _lines(items, what, total)


def _bar(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    from rich.console import Console  # noqa: PLC0415 (only where there is a terminal)
    from rich.progress import track as rich_track  # noqa: PLC0415

    yield from rich_track(
        items, description=what, total=total, console=Console(stderr=True), transient=True
    )


def _lines(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    of = f" of {total}" if total is not None else ""
    begin = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= LINE_EVERY_S:
            sys.stderr.write(f"{what}: {done}{of} after {now - begin:.0f} s\n")
            sys.stderr.flush()
            last = now
        yield item
