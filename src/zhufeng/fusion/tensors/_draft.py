"""A folder that is whole or absent, and goes on where it was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhufeng.base import InputError, exclusive, sync_folder


@contextmanager
def drafted(out: Path, key: str) -> Iterator[Path]:
    """A hidden folder beside `out`, which becomes `out` when the block ends without an error.

    What a block that was killed has left there, another of the same key finds.

    Args:
        out: nothing stands there; its parent does.
        key: of everything that the folder's bytes follow from, in hexadecimal digits.

    Raises:
        InputError: something stands at `out`.
    """
    if out.exists() or out.is_symlink():
        raise InputError(
            f"{out} stands already",
            expected="a name that is free",
            came="a folder" if out.is_dir() else "a file",
            do="name another folder, or remove it",
        )
    draft = out.with_name(f".{out.name}.draft-{key[:16]}")
    with exclusive(out.parent):
        draft.mkdir(exist_ok=True)
        yield draft
        sync_folder(draft)
        draft.rename(out)
        sync_folder(out.parent)
        for left in out.parent.glob(f".{out.name}.draft-*"):
            shutil.rmtree(left)
