"""Whether a ledger holds: every line of it, against its key, its head and heads kept elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from zhufeng.base import InputError, brief, record
from zhufeng.fusion.ledger._chain import BrokenError, follow
from zhufeng.fusion.ledger._files import (
    HEAD,
    PUBLIC,
    file_name,
    line_files,
    no_ledger,
    read_head_file,
)
from zhufeng.fusion.ledger._keys import public_pem
from zhufeng.fusion.ledger._lines import Entry, Head, Line, Repair

# A writer's lines are far shorter; rubbish need not be held in memory.
_LONGEST = 64 << 20

Seen = Callable[[Line], None]


@record
class Fault:
    """The first thing that does not hold."""

    file: str
    line: int | None = None
    """In that file, from 1; None where it is of the whole file."""
    why: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}: {self.why}"


@record
class Audit:
    """What an audit has found."""

    fault: Fault | None
    """None: the ledger holds."""
    public_key: str | None
    """Of the key that signed it, 64 hexadecimal digits; None where the head does not tell it."""
    files: int
    """Read and found good, up to the fault."""
    lines: int
    answers: int
    repairs: int
    """Places where a writer was killed in the middle of a line."""
    first: str | None
    """Time of the first line."""
    last: str | None
    """Time of the last."""
    hash: str | None
    """Of the last line."""
    unfinished_bytes: int
    """Of a line that is being written, or was when its writer was killed."""


class _BadError(Exception):
    def __init__(self, why: str, file: str, line: int | None = None) -> None:
        super().__init__(why)
        self.fault = Fault(file=file, line=line, why=why)


def read_head(path: Path) -> Head:
    """A head, from a ledger's folder or from a copy of its ``head.json``.

    Raises:
        InputError: it is none, or its signature is not by the key that it names.
    """
    file = path / HEAD if path.is_dir() else path
    try:
        return read_head_file(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} is not a ledger's head",
            expected=f"a {HEAD}, as its ledger has signed it",
            came=brief(error),
            do="check the path, or take another copy",
        ) from None


def audit(folder: Path, *, public_key: str | None = None, published: Iterable[Head] = ()) -> Audit:
    """Check chain, signatures, numbers, times, contributions and daily sums of every line.

    A ledger in use can be audited: lines that come meanwhile are read as far as they are whole.

    Args:
        folder: the ledger's; nothing in it is changed.
        public_key: what its key must be, known from elsewhere. Without, the folder is believed:
            whoever can write it may have signed everything anew.
        published: heads that were given away earlier (`read_head`); their lines must be there.

    Raises:
        InputError: `folder` is not a ledger at all.
    """
    walk = _Walk(folder, [*published])
    fault = walk.fault(public_key, _pass)
    return walk.found(fault)


def _pass(_: Line) -> None:
    """An audit keeps no line."""


def walk_lines(folder: Path, seen: Seen) -> Audit:
    """Audit, and hand over every line that holds."""
    walk = _Walk(folder, [])
    fault = walk.fault(None, seen)
    return walk.found(fault)


class _Walk:
    """One way through all lines."""

    def __init__(self, folder: Path, published: list[Head]) -> None:
        if not any((folder / name).exists() for name in (HEAD, PUBLIC, file_name(1))):
            raise no_ledger(folder)
        self._folder = folder
        self._published = published
        self._head: Head | None = None
        """After the last good line."""
        self._first: str | None = None
        self._answers = self._repairs = self._files = self._unfinished = 0

    def fault(self, public_key: str | None, seen: Seen) -> Fault | None:
        try:
            self._all(public_key, seen)
        except _BadError as bad:
            return bad.fault
        return None

    def found(self, fault: Fault | None) -> Audit:
        head = self._head
        read = head if head is not None and head.sequence else None
        return Audit(
            fault=fault,
            public_key=head.public_key if head else None,
            files=self._files,
            lines=head.sequence if head else 0,
            answers=self._answers,
            repairs=self._repairs,
            first=self._first,
            last=read.time if read else None,
            hash=read.hash if read else None,
            unfinished_bytes=self._unfinished,
        )

    def _all(self, public_key: str | None, seen: Seen) -> None:
        # The head first: lines that come meanwhile are beyond it.
        last = self._read_ends(public_key)
        heads = [*self._published, last]
        self._head = Head(public_key=last.public_key)
        paths = line_files(self._folder)
        for number, path in enumerate(paths, 1):
            if path.name != file_name(number):
                raise _BadError("the file before it is missing", path.name)
            try:
                self._file(path, path is paths[-1], heads, seen)
            except OSError as error:
                raise _BadError(f"it cannot be read: {brief(error)}", path.name) from None
            self._files += 1
        most = max(head.sequence for head in heads)
        if self._head.sequence < most:
            raise _BadError(
                f"the ledger ends at line number {self._head.sequence}; there were {most}",
                paths[-1].name if paths else file_name(1),
            )

    def _read_ends(self, public_key: str | None) -> Head:
        try:
            head = read_head_file(self._folder / HEAD)
        except OSError as error:
            raise _BadError(f"it cannot be read: {brief(error)}", HEAD) from None
        except ValueError as error:
            raise _BadError(str(error), HEAD) from None
        for other in (public_key, *(one.public_key for one in self._published)):
            if other is not None and other != head.public_key:
                raise _BadError(f"its key is {head.public_key}, not {other}", HEAD)
        try:
            public = (self._folder / PUBLIC).read_bytes()
        except OSError as error:
            raise _BadError(f"it cannot be read: {brief(error)}", PUBLIC) from None
        if public != public_pem(head.public_key):
            raise _BadError("it is not the key that the head names", PUBLIC)
        return head

    def _file(self, path: Path, is_last: bool, heads: list[Head], seen: Seen) -> None:
        assert self._head is not None
        before = self._head.file
        with path.open("rb") as file:
            for number, data in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
                if not data.endswith(b"\n"):
                    if not is_last:
                        raise _BadError("it is not whole", path.name, number)
                    self._unfinished = len(data)
                    return
                self._line(path.name, number, data[:-1], heads, seen)
                if self._head.file != before + 1:
                    raise _BadError("it belongs into another file", path.name, number)
        if self._head.file == before:
            raise _BadError("it is empty", path.name)

    def _line(self, name: str, number: int, data: bytes, heads: list[Head], seen: Seen) -> None:
        assert self._head is not None
        try:
            self._head, line = follow(self._head, data)
        except BrokenError as error:
            raise _BadError(str(error), name, number) from None
        for head in heads:
            if head.sequence == line.sequence and head != self._head:
                raise _BadError("it is not the line of which a head tells", name, number)
        self._first = self._first or line.time
        self._answers += isinstance(line.body, Entry)
        self._repairs += isinstance(line.body, Repair)
        seen(line)
