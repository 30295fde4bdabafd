"""Ledgers to be tried, with a clock of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from zhufeng.fusion.ledger import Entry, Ledger, Tally

BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Clock:
    """Goes on by a second at every look."""

    def __init__(self, begin: datetime = BEGIN) -> None:
        self.time = begin

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def wait(self, **time: float) -> None:
        self.time += timedelta(**time)


def answer(name: str = "answer", *, account: str | None = None) -> Entry:
    """An answer of two chunks by two members, one of which cannot say the first."""
    tally = Tally(["first", "second"])
    tally.add("Hello", [11.25, float("inf")], [0.5, 0.5])
    tally.add(" wörld", [30.0, 21.5], [0.9, 0.1])
    return tally.entry(answer=name, account=account, ended="stop")


def filled(folder: Path, *, days: int = 4, each: int = 2) -> Clock:
    """A ledger of some days, which go over the end of a month."""
    clock = Clock()
    ledger = Ledger(folder, now=clock)
    for _ in range(days):
        for number in range(each):
            ledger.append(answer(f"answer-{number}"))
        clock.wait(days=1)
    return clock
