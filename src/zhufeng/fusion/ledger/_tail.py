"""The end of a ledger, where lines are added and where a kill leaves its traces."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhufeng.base import InputError, write_durable
from zhufeng.fusion.ledger._chain import BrokenError, after, follow
from zhufeng.fusion.ledger._files import file_name
from zhufeng.fusion.ledger._keys import signed
from zhufeng.fusion.ledger._lines import Body, Head, Line, Opening


class Tail:
    """The end of a ledger, and lines on their way to it; its owner holds the folder."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey, head: Head) -> None:
        self.head = head
        self._folder = folder
        self._key = key
        self._buffer = bytearray()

    @property
    def _path(self) -> Path:
        return self._folder / file_name(self.head.file)

    def take_up(self) -> int:
        """Take up lines that a killed writer has left beyond the head; cut what is not whole.

        Returns:
            Bytes that were cut.
        """
        try:
            cut = self._take_up_file(self.head.file_bytes)
            while not cut and (self._folder / file_name(self.head.file + 1)).exists():
                data = (self._folder / file_name(self.head.file + 1)).read_bytes()
                first, _, _ = data.partition(b"\n")
                self.head, _ = follow(self.head, first)
                cut = self._take_up_file(self.head.file_bytes)
        except FileNotFoundError:
            raise damaged(self._folder, f"{self._path.name} is gone") from None
        except BrokenError as error:
            where = f"line number {self.head.sequence + 1}: {error}"
            raise damaged(self._folder, where) from None
        return cut

    def _take_up_file(self, known: int) -> int:
        size = self._path.stat().st_size
        if size < known:
            raise BrokenError(f"{self._path.name} has been cut off before it")
        if size == known:
            return 0
        with self._path.open("r+b") as file:
            file.seek(known)
            *lines, rest = file.read().split(b"\n")
            for line in lines:
                self.head, _ = follow(self.head, line)
            if rest:
                if (self._folder / file_name(self.head.file + 1)).exists():
                    raise BrokenError("it is not whole, and another file follows")
                file.truncate(size - len(rest))
                os.fsync(file.fileno())
        return len(rest)

    def add(self, body: Body, time: str) -> None:
        """Put a line behind the last."""
        self._buffer += self._extend(body, time)

    def _extend(self, body: Body, time: str) -> bytes:
        line = Line(sequence=self.head.sequence + 1, time=time, before=self.head.hash, body=body)
        data = signed(line, self._key)
        self.head = after(self.head, line, data)
        return data + b"\n"

    def flush(self) -> None:
        """Bring what has been added to the disk."""
        if not self._buffer:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        size = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, self._buffer)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        finally:
            os.close(descriptor)
        self._buffer.clear()

    def turn_over(self, time: str) -> None:
        """Go on in a new file."""
        self.flush()
        opening = Opening(file=self.head.file + 1, public_key=self.head.public_key)
        line = self._extend(opening, time)
        # Whole or absent, so that no file ever lacks its first line.
        write_durable(self._path, line)


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def damaged(folder: Path, why: str) -> InputError:
    """The error for a ledger whose end does not hold."""
    return InputError(
        f"nothing can be added to the ledger {folder}",
        expected="lines and a head as its key has signed them",
        came=why,
        do="audit it, and restore the folder from a copy",
    )
