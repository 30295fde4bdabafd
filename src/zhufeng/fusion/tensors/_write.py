"""Tensors written in any order by several threads, and taken up again after a kill."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from zhufeng.base import InputError, brief, sync_folder, write_durable
from zhufeng.fusion.tensors._layout import JOURNAL, Layout

# What is not yet known to be on the disk when the process dies is computed again: a second's
# work, or this much. Each step costs the journal a sync.
_STEP_BYTES = 256 << 20
_STEP_S = 1.0

Note = Mapping[str, Any]  # JSON that the journal keeps with a finished tensor
_END: tuple[str, Note] = ("", {})


class TensorWriter:
    """A folder's weights while they are written.

    Files get their headers and their full size at once. The journal names tensors whose bytes
    have reached the disk; a writer of the same layout and key takes them as done. When the block
    ends without an error all tensors are finished: the index is written, the journal removed.

    >>> with TensorWriter(folder, layout, key) as writer:
    ...     for name in layout.tensors.keys() - writer.finished.keys():
    ...         writer.write(name, 0, data)
    ...         writer.finish(name, {"sha256": digest})
    """

    def __init__(self, folder: Path, layout: Layout, key: str) -> None:
        """Begin, or take up what a killed writer left in `folder`, which exists.

        Args:
            folder: nobody else writes there.
            layout: what is written.
            key: of everything that the tensors' bytes follow from, beside the layout.

        Raises:
            InputError: the disk is full.
        """
        self.folder, self.layout = folder, layout
        self._identity = f"{layout.sha256} {key}"
        self.finished: dict[str, Note] = _journalled(folder, layout, self._identity)
        """Tensors that are on the disk, with the notes of `finish`."""
        self._open = {file: self._begin(file) for file in layout.headers}
        self._journal = self._begin_journal()
        self._waiting: queue.SimpleQueue[tuple[str, Note]] = queue.SimpleQueue()
        self._failure: InputError | None = None
        self._keeper = threading.Thread(target=self._keep_journal, daemon=True)
        self._keeper.start()

    def write(self, name: str, start: int, data: memoryview) -> None:
        """Write `data` (bytes) into the tensor from byte `start` on; any thread, any order.

        Raises:
            InputError: the disk is full or fails.
        """
        info = self.layout.tensors[name]
        assert start >= 0
        assert start + len(data) <= info.bytes
        at = info.offset + start
        try:
            while data:
                done = os.pwrite(self._open[info.file], data, at)
                data, at = data[done:], at + done
        except OSError as error:
            raise self._failed(error) from None

    def finish(self, name: str, note: Note) -> None:
        """Say that all bytes of a tensor are written.

        The journal has it, with the note (JSON), once the bytes are on the disk.
        """
        assert name in self.layout.tensors
        if self._failure is not None:
            raise self._failure
        self._waiting.put((name, note))

    def close(self, *, whole: bool) -> None:
        """End: `whole` if every tensor is finished, else the journal stays for the next."""
        self._waiting.put(_END)
        self._keeper.join()
        for descriptor in (self._journal, *self._open.values()):
            os.close(descriptor)
        if not whole:
            return
        if self._failure is not None:
            raise self._failure
        assert self.finished.keys() == self.layout.tensors.keys()
        for name, data in self.layout.files.items():
            write_durable(self.folder / name, data)
        (self.folder / JOURNAL).unlink()
        sync_folder(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(whole=kind is None)

    def _begin(self, file: str) -> int:
        descriptor = os.open(self.folder / file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(descriptor, self.layout.sizes[file])
            if hasattr(os, "posix_fallocate"):  # a full disk is found now, not after hours
                os.posix_fallocate(descriptor, 0, self.layout.sizes[file])
            os.pwrite(descriptor, self.layout.headers[file], 0)
        except OSError as error:
            os.close(descriptor)
            raise self._failed(error) from None
        return descriptor

    def _begin_journal(self) -> int:
        lines: list[Note] = [{"journal": self._identity}]
        lines += [{"tensor": name, "note": note} for name, note in self.finished.items()]
        write_durable(self.folder / JOURNAL, b"".join(map(_line, lines)))
        return os.open(self.folder / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _keep_journal(self) -> None:
        """The journal's thread: the disk works while the others compute."""
        pending: dict[str, Note] = {}
        unsynced, since, ended = 0, time.monotonic(), False
        while not ended:
            item = self._next(since if pending else None)
            ended = item is _END
            if item is not None and not ended:
                pending[item[0]] = item[1]
                unsynced += self.layout.tensors[item[0]].bytes
            late = time.monotonic() - since > _STEP_S
            if pending and (ended or late or unsynced >= _STEP_BYTES):
                self._sync(pending)
                pending, unsynced, since = {}, 0, time.monotonic()

    def _next(self, since: float | None) -> tuple[str, Note] | None:
        """The next finished tensor or `_END`; None when it is time to sync."""
        wait = None if since is None else max(0.0, since + _STEP_S - time.monotonic())
        try:
            return self._waiting.get(timeout=wait)
        except queue.Empty:
            return None

    def _sync(self, pending: Mapping[str, Note]) -> None:
        try:
            for file in {self.layout.tensors[name].file for name in pending}:
                os.fsync(self._open[file])
            lines = [{"tensor": name, "note": note} for name, note in pending.items()]
            os.write(self._journal, b"".join(map(_line, lines)))
            os.fsync(self._journal)
        except OSError as error:
            self._failure = self._failed(error)
        else:
            self.finished.update(pending)

    def _failed(self, error: OSError) -> InputError:
        wanted = sum(self.layout.sizes.values())
        return InputError(
            f"{self.folder} cannot be written",
            expected=f"room for {wanted} bytes",
            came=brief(error),
            do="make room there, or name another folder; what is done is kept",
        )


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True).encode() + b"\n"


def _journalled(folder: Path, layout: Layout, identity: str) -> dict[str, Note]:
    """What the journal in `folder` vouches for; a journal of something else is worth nothing."""
    try:
        # A torn last line has no end and is no tensor.
        lines = (folder / JOURNAL).read_bytes().split(b"\n")[:-1]
        entries = [json.loads(line) for line in lines]
        sizes = {file: (folder / file).stat().st_size for file in layout.sizes}
        done: dict[str, Note] = {entry["tensor"]: entry["note"] for entry in entries[1:]}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    if not entries or entries[0] != {"journal": identity} or sizes != layout.sizes:
        return {}
    return done if done.keys() <= layout.tensors.keys() else {}
