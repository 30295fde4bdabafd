"""The files of a ledger's folder, and the lock that its writers take turns by."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhufeng.base import InputError
from zhufeng.fusion.ledger._keys import is_signed
from zhufeng.fusion.ledger._lines import Head, read_spelt

HEAD = "head.json"
PUBLIC = "public.pem"
_FILE = re.compile(r"ledger-(\d{6,})\.jsonl")


def file_name(number: int) -> str:
    """The name of the file with that number."""
    return f"ledger-{number:06d}.jsonl"


def line_files(folder: Path) -> list[Path]:
    """All files of lines, in order of their numbers."""
    found = [path for path in folder.glob("ledger-*.jsonl") if _FILE.fullmatch(path.name)]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def read_head_file(path: Path) -> Head:
    """A head, signed with the key that it names.

    Raises:
        ValueError: it is not that.
        OSError: it cannot be read.
    """
    data, end, rest = path.read_bytes().partition(b"\n")
    if not end or rest:
        raise ValueError("it is not one whole line")
    head, signature = read_spelt(Head, data)
    if not is_signed(head, signature, head.public_key):
        raise ValueError("it is not signed with the key that it names")
    return head


def no_ledger(folder: Path) -> InputError:
    """The error for a folder that is not a ledger."""
    return InputError(
        f"{folder} is not a ledger",
        expected=f"a folder with {file_name(1)}, {HEAD} and {PUBLIC}",
        came="nothing there" if not folder.exists() else "something else",
        do="check the path; if a file of it is gone, restore the folder from a copy",
    )


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other writer is at work in `folder`, then hold it.

    The lock is on the folder itself and ends with the process, however it ends.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Said aloud: a child that was forked meanwhile has the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
