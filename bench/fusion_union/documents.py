"""The documents: pieces of files inside of pinned packages, each known by its SHA-256.

``files.json`` names them; ``python -m fusion_union.make_list`` has made it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from zhufeng.base import InputError, parse, read_json, record

FILES = Path(__file__).with_name("files.json")
LONGEST = 12_000
"""Bytes of a file that become a document, at most."""

SCORED_BYTES = 4_000
"""Of a document that is scored, at most: from its middle, for many files begin alike."""

Domain = Literal["python", "headers", "prose"]
DOMAINS: tuple[Domain, ...] = ("python", "headers", "prose")


@record
class Listed:
    """One file."""

    domain: Domain
    package: str
    path: str
    """As the package's own list of files has it."""
    sha256: str
    alone: bool
    """Whether no other document holds half of what is scored of this one; only such are scored."""


@record
class Files:
    """All of them."""

    packages: Mapping[str, str]
    """Their versions."""
    files: tuple[Listed, ...]


@dataclass(frozen=True)
class Document:
    """What is learned from or scored as one text."""

    domain: Domain
    name: str
    text: str
    alone: bool
    """See `Listed.alone`."""


def read_list(path: Path = FILES) -> Files:
    """Which files there are."""
    return parse(Files, read_json(path), str(path))


def read_documents(listed: Files) -> list[Document]:
    """The documents, in the list's order.

    Raises:
        InputError: a package or a file is missing, of another version or content.
    """
    for package, version in listed.packages.items():
        _check_version(package, version)
    return [_read(one) for one in listed.files]


def cut(text: str, longest: int) -> str:
    """The first lines of `text` that fit into so many bytes of UTF-8."""
    data = text.encode()
    if len(data) <= longest:
        return text
    end = data.rfind(b"\n", 0, longest) + 1
    return data[: end or longest].decode(errors="ignore")


def middle(text: str, longest: int) -> str:
    """Lines that fit into so many bytes, from the middle of `text`: many files begin alike."""
    lines = text.splitlines(keepends=True)
    spare, skipped = len(text.encode()) - longest, 0
    while lines and 2 * skipped < spare:
        skipped += len(lines.pop(0).encode())
    return cut("".join(lines), longest) if lines else cut(text, longest)


def document_text(path: str, data: bytes) -> str:
    """What of a file becomes a document: of a package's metadata only its long description.

    Raises:
        UnicodeDecodeError: the file is no UTF-8.
    """
    text = data.decode().replace("\r\n", "\n")
    if path.endswith("METADATA"):
        text = text.partition("\n\n")[2]
    return cut(text, LONGEST)


def _check_version(package: str, expected: str) -> None:
    try:
        came = metadata.version(package)
    except metadata.PackageNotFoundError:
        came = "none"
    if came.partition("+")[0] != expected:
        raise InputError(
            f"the texts of the union table are not those of {package} here",
            expected=f"{package} {expected}",
            came=came,
            do="pip install -c constraints.txt 'zhufeng[all,bench,dev]'",
        )


def _read(one: Listed) -> Document:
    path = Path(str(metadata.distribution(one.package).locate_file(one.path)))
    data = path.read_bytes() if path.is_file() else None
    if data is None or hashlib.sha256(data).hexdigest() != one.sha256:
        raise InputError(
            f"{one.path} is not the file that the union table was made with",
            expected=f"SHA-256 {one.sha256}, as {one.package} brings it",
            came="no such file" if data is None else f"SHA-256 {hashlib.sha256(data).hexdigest()}",
            do=f"install the package again: pip install --force-reinstall -c constraints.txt "
            f"{one.package}",
        )
    return Document(
        one.domain, f"{one.package}:{one.path}", document_text(one.path, data), one.alone
    )
