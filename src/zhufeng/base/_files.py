"""Files that are whole or absent, whatever kills the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zhufeng.base._errors import InputError

# A name that ends so is an unfinished write; nothing ever reads it.
UNFINISHED = ".unfinished"
_held: set[int] = set()  # descriptors of the folders that this process holds


@contextmanager
def durable(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the name `path` when the block ends without an error.

    `path` holds the old bytes or the new ones, also after a power cut: they go to a file
    beside it, reach the disk, and take the name in one step.

    Raises:
        InputError: it is a folder.
    """
    if path.is_dir():
        raise InputError(
            "a file cannot be written",
            expected="the name of a file",
            came=f"the folder {path}",
            do="name a file in it",
        )
    beside = path.with_name(path.name + UNFINISHED)
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    beside.rename(path)
    sync_folder(path.parent)


def write_durable(path: Path, data: bytes) -> None:
    """Write a whole file; see `durable`."""
    with durable(path) as file:
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a rename reaches the disk only with its folder)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file and every name below `folder` durable, leaves first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            descriptor = os.open(Path(parent, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone; the lock ends with the process, however it ends.

    The lock is on the folder itself, so that no lock file is left to be cleaned away.

    Raises:
        InputError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{folder} is in use",
                expected="a folder that no other process is writing",
                came="another zhufeng process at work in it",
                do="wait until it ends, or name another folder with -o",
            ) from None
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _let_go() -> None:
    """A forked worker must not keep the lock when its parent is killed."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def files_below(folder: Path) -> list[str]:
    """Paths of all files below `folder`, relative to it with '/' between parts, sorted."""
    return sorted(
        Path(parent, name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
    )
