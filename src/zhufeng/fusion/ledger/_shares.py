"""Who earned what share of a time's income."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from zhufeng.base import InputError, record
from zhufeng.fusion.ledger._audit import walk_lines
from zhufeng.fusion.ledger._chain import added, no_sums, with_answer
from zhufeng.fusion.ledger._lines import DaySums, Entry, Line


@record
class Share:
    """One member's part."""

    member: str
    contribution_nanobits: int
    """May be below 0: the member then cost more than it gave."""
    fraction: float | None
    """Of the income. A sum below 0 counts as 0; None where nobody has one above."""


@record
class DayShares:
    """One day, UTC, by its own sums."""

    day: str
    answers: int
    text_bytes: int
    members: tuple[Share, ...]


@record
class Shares:
    """A time from day to day; its fractions are of its own sums, not means of the days'."""

    since: str | None
    until: str | None
    answers: int
    text_bytes: int
    members: tuple[Share, ...]
    days: tuple[DayShares, ...]


def shares(folder: Path, since: date | None = None, until: date | None = None) -> Shares:
    """Contributions by member and day, and the fractions by which income is shared.

    Contributions are added up over the whole time first, good and bad answers alike; only then
    does a member's sum below 0 count as 0: nobody pays in, and a bad answer is set against the
    same member's good ones. The fractions sum to 1.

    Args:
        folder: the ledger's; every line of it is audited on the way.
        since: the first day, UTC; the ledger's first without.
        until: the last day, itself included; the ledger's last without.

    Raises:
        InputError: `folder` is no ledger, the days are the wrong way round, or the ledger does
            not hold.
    """
    first = since.isoformat() if since else None
    last = until.isoformat() if until else None
    if first and last and first > last:
        raise InputError(
            "there are no days to share",
            expected="a first day that is not after the last",
            came=f"{first} to {last}",
            do="exchange them",
        )
    days: dict[str, DaySums] = {}

    def seen(line: Line) -> None:
        within = (first or "") <= line.day and (last is None or line.day <= last)
        if isinstance(line.body, Entry) and within:
            days[line.day] = with_answer(days.get(line.day) or no_sums(line.day), line.body)

    fault = walk_lines(folder, seen).fault
    if fault is not None:
        raise InputError(
            f"the ledger {folder} does not hold",
            expected="a ledger that nobody has changed",
            came=str(fault),
            do="share nothing by it; restore the folder from a copy",
        )
    sums: dict[str, int] = {}
    for day in days.values():
        sums = added(sums, day.contribution_nanobits)
    return Shares(
        since=first,
        until=last,
        answers=sum(day.answers for day in days.values()),
        text_bytes=sum(day.text_bytes for day in days.values()),
        members=_fractions(sums),
        days=tuple(
            DayShares(
                day=day.day,
                answers=day.answers,
                text_bytes=day.text_bytes,
                members=_fractions(day.contribution_nanobits),
            )
            for day in days.values()
        ),
    )


def _fractions(sums: Mapping[str, int]) -> tuple[Share, ...]:
    total = sum(max(0, part) for part in sums.values())
    return tuple(
        Share(
            member=member,
            contribution_nanobits=part,
            fraction=max(0, part) / total if total else None,
        )
        for member, part in sums.items()
    )
