"""How far along the media are: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from zhufeng.corpus.engine import Tally

if TYPE_CHECKING:
    from rich.table import Table

# Without a terminal (a log file, CI) a line as often as this.
_LINE_EVERY_S = 10.0
_TABLE_EVERY_S = 0.5


class Board:
    """Shows a `Tally` on stderr while inputs are being worked on."""

    def __init__(self, tally: Tally, statuses: Counter[str], total: int) -> None:
        self._tally = tally
        self._statuses = statuses
        self._total = total
        self._begun = time.monotonic()

    def watch(self, finished: Iterable[Any]) -> Iterator[Any]:
        """Pass `finished` on, showing how far along they are."""
        yield from self._table(finished) if sys.stderr.isatty() else self._lines(finished)

    def line(self) -> str:
        """Where it stands, on one line."""
        tally, spent = self._tally, time.monotonic() - self._begun
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self._statuses.copy().items()))
        rate = tally.fresh_s / spent if spent else 0.0
        return (
            f"media: {tally.done} of {self._total} after {spent:.0f} s"
            f" ({counts or 'none done'}); {rate:.1f} video hours per hour"
        )

    def _lines(self, finished: Iterable[Any]) -> Iterator[Any]:
        last = self._begun
        for one in finished:
            if time.monotonic() - last >= _LINE_EVERY_S:
                sys.stderr.write(self.line() + "\n")
                sys.stderr.flush()
                last = time.monotonic()
            yield one

    def _table(self, finished: Iterable[Any]) -> Iterator[Any]:
        from rich.console import Console  # noqa: PLC0415 (only where there is a terminal)
        from rich.live import Live  # noqa: PLC0415

        console = Console(stderr=True)
        with Live(
            get_renderable=self.table,
            console=console,
            transient=True,
            refresh_per_second=1 / _TABLE_EVERY_S,
        ):
            yield from finished

    def table(self) -> Table:
        """Where it stands: hours, cost by step, counts by status."""
        from rich.table import Table  # noqa: PLC0415 (only where there is a terminal)

        tally = self._tally
        table = Table(box=None, title=self.line(), title_justify="left", pad_edge=False)
        table.add_column("step")
        table.add_column("CPU s", justify="right")
        table.add_column("ms a video second", justify="right")
        for step, cpu_ms in sorted(tally.cpu_ms.copy().items(), key=lambda pair: -pair[1]):
            cost = f"{cpu_ms / tally.media_s:.1f}" if tally.media_s else ""
            table.add_row(step, f"{cpu_ms / 1000:.1f}", cost)
        return table
