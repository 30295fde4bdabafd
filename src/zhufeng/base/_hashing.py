"""Content hashes: of files (remembered while the file is unchanged) and of JSON values."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from zhufeng.base._cache import cache_folder

# Below this size hashing is cheaper than asking the database.
_REMEMBER_FROM_BYTES = 4 << 20
# A file changed more recently than this may change again without a new time stamp.
_SETTLED_AFTER_S = 2.0


def sha256_json(value: Any) -> str:
    """Hash of a JSON value; equal values hash alike whatever the order of their keys."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value that hashes are taken of."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True
    ).encode()


def sha256_file(path: Path, *, remember: bool = True) -> str:
    """Hash of a file's bytes.

    For large files the hash is kept in the cache under the file's identity (device, inode,
    size, times), so that asking a run for its status does not read a terabyte of video;
    without `remember` every byte is read.
    """
    status = path.stat()
    settled = time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED_AFTER_S
    if not remember or not settled or status.st_size < _REMEMBER_FROM_BYTES:
        return _hash_bytes(path)
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    identity = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{times}"
    try:
        return _remembered(path, identity)
    except (sqlite3.Error, OSError):
        # The cache is a convenience: a read-only or damaged one must not stop the work.
        return _hash_bytes(path)


def _remembered(path: Path, identity: str) -> str:
    database = cache_folder("hashes") / "files.sqlite"
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS hashes (identity TEXT PRIMARY KEY, sha256)")
        found = connection.execute(
            "SELECT sha256 FROM hashes WHERE identity = ?", (identity,)
        ).fetchone()
        if found:
            return str(found[0])
    digest = _hash_bytes(path)
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?)", (identity, digest))
    return digest


def _hash_bytes(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
