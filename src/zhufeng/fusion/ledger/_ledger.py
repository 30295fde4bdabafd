"""The writer: lines are on the disk before anyone is told that they are written."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from zhufeng.base import UNFINISHED, InputError, sync_folder, write_durable
from zhufeng.fusion.ledger._files import (
    HEAD,
    PUBLIC,
    no_ledger,
    read_head_file,
    turn,
)
from zhufeng.fusion.ledger._keys import (
    key_beside,
    make_key,
    public_pem,
    public_text,
    read_key,
    signed,
)
from zhufeng.fusion.ledger._lines import Entry, Head, Repair
from zhufeng.fusion.ledger._tail import Tail, damaged

ROTATE_BYTES = 64 << 20


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False)
class _Waiting:
    """An answer on its way to the disk."""

    entry: Entry
    sequence: int = 0
    """Of its line, once that is on the disk."""
    error: BaseException | None = None
    """Why it is not there."""


class Ledger:
    """A ledger to which answers are added, by any number of threads and processes.

    Policy: `append` returns when its line and the head that counts it are on the disk (fsync).
    Answers that wait at the same time are written together, with one fsync for all.
    """

    def __init__(
        self,
        folder: Path,
        key: Path | None = None,
        *,
        rotate_bytes: int = ROTATE_BYTES,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Open a ledger, or make one where there is none; what a kill has left is mended.

        Args:
            folder: the ledger's.
            key: its private key; `key_beside` the folder without. Made with a new ledger.
            rotate_bytes: a file that has reached this size is followed by a new one; so is one
                of an earlier month.
            now: the clock; a ledger's times never go back, whatever it says.

        Raises:
            InputError: the folder is something else, the key is missing or not the ledger's,
                or the ledger's end does not hold.
        """
        self.folder = folder
        self._rotate_bytes = rotate_bytes
        self._now = now
        place = key or key_beside(folder)
        if not folder.exists() or not any(folder.iterdir()):
            _make(folder, place, now())
        self._key = read_key(place)
        self._gate = threading.Lock()
        self._commit = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._head_bytes: bytes | None = None
        self._head = Head(public_key=public_text(self._key.public_key()))
        self._write([])

    @property
    def head(self) -> Head:
        """As this process has left or found it last."""
        return self._head

    def append(self, entry: Entry) -> int:
        """Add an answer; returns the number of its line, when that is on the disk.

        Raises:
            InputError: another has changed the ledger's end.
            OSError: it cannot be written; the answer may still be found in the ledger later.
        """
        waiting = _Waiting(entry)
        with self._gate:
            self._waiting.append(waiting)
        # One writes at a time, and writes for all who have come to wait meanwhile.
        with self._commit:
            if not waiting.sequence and waiting.error is None:
                with self._gate:
                    batch, self._waiting = self._waiting, []
                self._write_all(batch)
        if waiting.error is not None:
            raise waiting.error
        return waiting.sequence

    def _write_all(self, batch: Sequence[_Waiting]) -> None:
        try:
            last = self._write([waiting.entry for waiting in batch])
        except BaseException as error:  # noqa: BLE001 (each who waits must be told, and is)
            for waiting in batch:
                waiting.error = error
            return
        for number, waiting in enumerate(batch, last - len(batch) + 1):
            waiting.sequence = number

    def _write(self, entries: Sequence[Entry]) -> int:
        """Write lines and head; returns the number of the last line."""
        with turn(self.folder):
            head = self._read_head()
            tail = Tail(self.folder, self._key, head)
            if cut := tail.take_up():
                tail.add(Repair(cut_bytes=cut), self._time(tail.head))
            time = self._time(tail.head)
            self._begin_day(tail, time)
            for entry in entries:
                tail.add(entry, time)
            tail.flush()
            if tail.head != head:
                data = signed(tail.head, self._key) + b"\n"
                write_durable(self.folder / HEAD, data)
                self._head_bytes = data
            self._head = tail.head
        return self._head.sequence

    def _begin_day(self, tail: Tail, time: str) -> None:
        head = tail.head
        if head.today is not None and head.today.day < time[:10]:
            tail.add(head.today, time)
        if head.file_bytes >= self._rotate_bytes or head.time[:7] < time[:7]:
            tail.turn_over(time)

    def _time(self, head: Head) -> str:
        return max(_spelt(self._now()), head.time)

    def _read_head(self) -> Head:
        """The head as another process may have left it."""
        path = self.folder / HEAD
        try:
            data = path.read_bytes()
            if data == self._head_bytes:
                return self._head
            head = read_head_file(path)
            public = (self.folder / PUBLIC).read_bytes()
        except OSError:
            raise no_ledger(self.folder) from None
        except ValueError as error:
            raise damaged(self.folder, f"{HEAD}: {error}") from None
        own = self._head.public_key
        if head.public_key != own:
            raise InputError(
                f"the key is not that of the ledger {self.folder}",
                expected=f"the private key to {head.public_key}",
                came=f"that to {own}",
                do="name the key that this ledger was made with",
            )
        if public != public_pem(head.public_key):
            raise damaged(self.folder, f"{PUBLIC} holds another key than {HEAD}")
        if head.sequence < self._head.sequence:
            raise damaged(self.folder, f"{head.sequence} lines, after this process has seen more")
        self._head_bytes, self._head = data, head
        return head


def _make(folder: Path, place: Path, now: datetime) -> None:
    """Make a ledger of one line; of several that do so at once the first stands."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        make_key(place)
    key = read_key(place)
    draft = Path(tempfile.mkdtemp(suffix=UNFINISHED, prefix=folder.name, dir=folder.parent))
    try:
        draft.chmod(0o755)
        tail = Tail(draft, key, Head(public_key=public_text(key.public_key())))
        tail.turn_over(_spelt(now))
        write_durable(draft / PUBLIC, public_pem(tail.head.public_key))
        write_durable(draft / HEAD, signed(tail.head, key) + b"\n")
        draft.rename(folder)
        sync_folder(folder.parent)
    except OSError:
        # Another has made it meanwhile, or will be told why it cannot be opened.
        rmtree(draft, ignore_errors=True)
        if not folder.exists():
            raise


def _spelt(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
