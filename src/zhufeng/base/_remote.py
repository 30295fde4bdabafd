"""Files behind fsspec URLs (``s3://``, ``gs://``, ``https://``, …), fetched to the cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from zhufeng.base._cache import cache_folder
from zhufeng.base._errors import InputError, MissingExtraError, needs_extra
from zhufeng.base._files import UNFINISHED
from zhufeng.base._typed import brief, shown

# What was used longest ago goes when the fetched files take more than this.
CACHE_BYTES = 50_000_000_000
_CHUNK_BYTES = 4 << 20
_HERE = ("file", "local")
# Stores of other machines: fsspec has others too, which read this one's disk.
_ELSEWHERE = (
    *("http", "https", "webdav", "s3", "s3a", "gs", "gcs", "hf", "oss", "tos", "oci", "ocilake"),
    *("az", "abfs", "abfss", "adl", "hdfs", "webhdfs", "ftp", "sftp", "ssh", "smb"),
    *("box", "dropbox", "gdrive"),
)
_CHAIN = "::"
# What fsspec needs for https, and does not bring by itself.
_HTTP = "aiohttp"


def is_url(pattern: str) -> bool:
    """Whether a pattern names something behind a URL rather than on this machine's disk."""
    scheme, separator, _ = pattern.partition("://")
    known = all(one.isalnum() for one in scheme.split(_CHAIN))
    return bool(separator) and known and scheme.lower() not in _HERE


def file_path(pattern: str) -> str:
    """The path that a ``file://`` or ``local://`` URL means; any other text as it is."""
    scheme, separator, rest = pattern.partition("://")
    if not separator or scheme.lower() not in _HERE:
        return pattern
    if rest.startswith("localhost/"):
        rest = rest.removeprefix("localhost")
    return unquote(rest, errors="surrogateescape")


def beside(url: str, name: str) -> str:
    """The URL that a file behind `url` means by `name`: a path from its own folder, or a URL.

    What a store holds may be a stranger's: it can name nothing of this machine.

    Raises:
        ValueError: it does, or leaves its store.
    """
    scheme, _, place = url.partition("://")
    other, separator, _ = name.partition("://")
    if separator:
        if other.lower() not in {scheme.lower(), *_ELSEWHERE}:
            raise ValueError("is a URL that a list behind a URL may not name")
        return name
    if name.startswith("/"):
        raise ValueError("is a path of this machine, which a list behind a URL may not name")
    if scheme.lower() in ("http", "https"):
        place = place.partition("?")[0].partition("#")[0]
    store, *folders = place.split("/")
    folders = folders[:-1]
    for part in name.split("/"):
        if part != "..":
            folders += [part] if part not in ("", ".") else []
        elif folders:
            folders.pop()
        else:
            raise ValueError("leads out of the list's store")
    return f"{scheme}://" + "/".join([store, *folders])


def remote_files(pattern: str, where: str) -> list[tuple[str, str]]:
    """URLs of the files that a URL names (a file, a folder or a glob), and what identifies each.

    The identity is a hash of what the store says of the file (size, time, checksum, as far as
    it tells), so that nothing has to be fetched to see whether it has changed.

    Raises:
        InputError: it names nothing, or the store cannot be asked.
        MissingExtraError: without the extra ``corpus``.
    """
    if _CHAIN in pattern:
        raise InputError(
            f"{where}: '{shown(pattern)}' is a chain of URLs",
            expected="an fsspec URL of a file, a folder or a glob",
            came=f"several, joined by '{_CHAIN}'",
            do="unpack or copy what it means, and name that",
        )
    with needs_extra("corpus"):
        import fsspec  # noqa: PLC0415 (an extra)
    try:
        system, path = fsspec.core.url_to_fs(pattern)
        names = _names(system, path)
        found = [(system.unstrip_protocol(name), _identity(system, name)) for name in names]
    except Exception as error:  # noqa: BLE001 (every store has errors of its own)
        if isinstance(error, ImportError) and _HTTP in str(error):
            raise MissingExtraError("corpus", _HTTP) from None
        raise InputError(
            f"{where}: '{shown(pattern)}' is out of reach",
            expected="an fsspec URL of a file, a folder or a glob",
            came=f"{type(error).__name__}: {brief(error)}",
            do="check the URL, the rights, and that the store's package is installed",
        ) from None
    if not found:
        raise InputError(
            f"{where}: '{shown(pattern)}' names no file",
            expected="an fsspec URL of a file, a folder or a glob",
            came="nothing there",
            do="check the URL",
        )
    return found


def _names(system: Any, path: str) -> list[str]:
    if any(character in path for character in "*?["):
        return [name for name in sorted(system.glob(path)) if system.isfile(name)]
    # Asked whether it is a folder, a web server is read from for links, the whole file through.
    if not path.endswith("/") and system.isfile(path):
        return [path]
    if system.isdir(path):
        return sorted(system.find(path))
    return [path] if system.exists(path) else []


def _identity(system: Any, name: str) -> str:
    return hashlib.sha256(f"{name}\0{system.ukey(name)}".encode()).hexdigest()


def fetch(url: str, identity: str) -> Path:
    """The file behind `url` on this machine; fetched unless it is in the cache.

    Raises:
        OSError: it cannot be fetched.
    """
    folder = cache_folder("sources")
    place = folder / (identity + PurePosixPath(url.partition("?")[0]).suffix.lower())
    if place.exists():
        os.utime(place)
        return place
    import fsspec  # noqa: PLC0415 (an extra; `remote_files` has found it)

    descriptor, name = tempfile.mkstemp(suffix=UNFINISHED, dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file, fsspec.open(url, "rb") as remote:
            while chunk := remote.read(_CHUNK_BYTES):
                file.write(chunk)
        Path(name).rename(place)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    except Exception as error:
        Path(name).unlink(missing_ok=True)
        raise OSError(f"{type(error).__name__}: {brief(error)}") from error
    _make_room(folder, place)
    return place


def _make_room(folder: Path, newest: Path) -> None:
    files = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process makes room too
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    spare = CACHE_BYTES - sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if spare >= 0:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            spare += size
