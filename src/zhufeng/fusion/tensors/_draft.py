"""A folder that is whole or absent, and goes on where it was killed."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, exclusive, sha256_json, sync_folder
from zhufeng.fusion.tensors._folder import TensorFolder


@contextmanager
def drafted(out: Path, key: str) -> Iterator[Path]:
    """A hidden folder beside `out`, which becomes `out` when the block ends without an error.

    What a block that was killed has left there, another of the same key finds.

    Args:
        out: nothing stands there; its parent does.
        key: of everything that the folder's bytes follow from, in hexadecimal digits.

    Raises:
        InputError: something stands at `out`, or it has no parent.
    """
    if out.exists() or out.is_symlink():
        raise InputError(
            f"{out} stands already",
            expected="a name that is free",
            came="a folder" if out.is_dir() else "a file",
            do="name another folder, or remove it",
        )
    if not out.parent.is_dir():
        raise InputError(
            f"{out} has no place",
            expected="a name in a folder that stands",
            came=f"no folder {out.parent}",
            do="make that folder first",
        )
    draft = out.with_name(f".{out.name}.draft-{key[:16]}")
    with exclusive(out.parent):
        draft.mkdir(exist_ok=True)
        yield draft
        sync_folder(draft)
        draft.rename(out)
        sync_folder(out.parent)
        for left in out.parent.glob(f".{glob.escape(out.name)}.draft-*"):
            shutil.rmtree(left)


def draft_key(version: int, what: Any, sources: Iterable[TensorFolder]) -> str:
    """A key for `drafted`; a source that has changed has another time.

    Args:
        version: of the code whose output it is.
        what: JSON: everything else that the bytes follow from.
        sources: the weights that are read.
    """
    files = [
        [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for source in sources
        for path in sorted({source.folder / info.file for info in source.tensors.values()})
    ]
    return sha256_json([version, what, files])
