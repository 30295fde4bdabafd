"""What may follow on what: the one law that the writer keeps and the audit checks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from zhufeng.fusion.ledger._keys import is_signed
from zhufeng.fusion.ledger._lines import (
    DaySums,
    Entry,
    Head,
    Line,
    Opening,
    line_hash,
    read_spelt,
)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class BrokenError(Exception):
    """A line does not follow on those before it; the message says why, for "line 3: it …"."""


def follow(head: Head, data: bytes) -> tuple[Head, Line]:
    """The head after one more line, which is checked in every respect.

    Args:
        head: before the line.
        data: the line, without its end.

    Raises:
        BrokenError: it is not signed by the ledger's key, or does not follow.
    """
    try:
        line, signature = read_spelt(Line, data)
    except ValueError as error:
        raise BrokenError(str(error)) from None
    if not is_signed(line, signature, head.public_key):
        raise BrokenError("it is not signed with the ledger's key")
    _check(head, line)
    return after(head, line, data), line


def after(head: Head, line: Line, data: bytes) -> Head:
    """The head after `line`, which follows."""
    body = line.body
    opens = isinstance(body, Opening)
    today = head.today
    if isinstance(body, Entry):
        today = with_answer(today or no_sums(line.day), body)
    elif isinstance(body, DaySums):
        today = None
    return dataclasses.replace(
        head,
        file=head.file + opens,
        file_bytes=(0 if opens else head.file_bytes) + len(data) + 1,
        sequence=line.sequence,
        hash=line_hash(data),
        time=line.time,
        today=today,
    )


def no_sums(day: str) -> DaySums:
    """A day without answers."""
    return DaySums(day=day, answers=0, text_bytes=0, contribution_nanobits={})


def with_answer(sums: DaySums, entry: Entry) -> DaySums:
    """The sums with one answer more."""
    parts = dict(zip(entry.members, entry.contribution_nanobits, strict=True))
    return DaySums(
        day=sums.day,
        answers=sums.answers + 1,
        text_bytes=sums.text_bytes + entry.text_bytes,
        contribution_nanobits=added(sums.contribution_nanobits, parts),
    )


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Two tables of numbers by name, added up."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}


def _check(head: Head, line: Line) -> None:
    if line.sequence != head.sequence + 1:
        raise BrokenError(f"it has number {line.sequence} after number {head.sequence}")
    if line.before != head.hash:
        raise BrokenError("it does not follow on the line before it")
    if not _TIME.fullmatch(line.time) or line.time < head.time:
        raise BrokenError("its time is before that of the line before it, or is none")
    body = line.body
    if isinstance(body, Opening):
        if (body.file, body.public_key) != (head.file + 1, head.public_key):
            raise BrokenError("it opens another file or another ledger")
    elif isinstance(body, DaySums):
        if body != head.today or line.day <= body.day:
            raise BrokenError("its sums are not those of the day's answers")
    elif isinstance(body, Entry) and head.today is not None and head.today.day != line.day:
        raise BrokenError("the sums of the day before are missing")
