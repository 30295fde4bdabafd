"""Text that is the same bytes everywhere: Python source out of packages of pinned versions.

The packages come with every installation of the extra [train] (torch requires all four), and
their wheels are of pure Python, so that they hold the same files on every platform. Every file
is a document; its name's hash decides where it stands in the order, and whether it is held out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import TypeAlias

import numpy as np

from zhufeng.base import InputError
from zhufeng.models.reference._settings import TextData

Tokens: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint16]]
Packages: TypeAlias = tuple[tuple[str, str], ...]

END = 256
"""The token after every document; below it, tokens are bytes."""

# Of 256 files as many are held out: about 3%.
_HELD_OUT_OF_256 = 8
# Parsers and tables written by programs; read as text they teach repetition.
_GENERATED = re.compile(rb"(?i)auto-?generated|automatically generated|generated (from|by) ")
_HEAD_BYTES = 2000
# Above this share of digits a file is a table of numbers.
_DIGITS_AT_MOST = 0.2


def assemble(data: TextData) -> tuple[Tokens, Tokens]:
    """Training and held-out tokens; takes about half a second the first time.

    Raises:
        InputError: a package is missing or is not of the version that the hashes were taken of,
            or its files were changed.
    """
    train, held_out = _assembled(data.packages)
    if (digest(train), digest(held_out)) != (data.train_sha256, data.held_out_sha256):
        raise _other_text(data.packages)
    return train, held_out


@cache
def _assembled(packages: Packages) -> tuple[Tokens, Tokens]:
    train: list[bytes] = []
    held_out: list[bytes] = []
    for key, document in sorted(_documents(packages)):
        (held_out if key[0] < _HELD_OUT_OF_256 else train).append(document)
    return _join(train), _join(held_out)


def digest(tokens: Tokens) -> str:
    """SHA-256 of tokens as little-endian uint16."""
    return hashlib.sha256(tokens.astype("<u2", copy=False).tobytes()).hexdigest()


def _documents(packages: Packages) -> Iterator[tuple[bytes, bytes]]:
    """Hash of the name, and content, of each distinct file that a person wrote."""
    seen: set[bytes] = set()
    for package, _ in packages:
        for name, content in _files(package, packages):
            content_hash = hashlib.sha256(content).digest()
            if content_hash not in seen and _written(content):
                seen.add(content_hash)
                yield hashlib.sha256(name.encode()).digest(), content


def _files(package: str, packages: Packages) -> Iterator[tuple[str, bytes]]:
    """The Python files of a package's wheel by name, each with its bytes."""
    try:
        files = metadata.files(package) or []
        for file in sorted(files, key=str):
            if file.suffix == ".py" and file.parts[0] == package.lower():
                yield file.as_posix(), file.read_binary()
    except (metadata.PackageNotFoundError, OSError):
        raise _other_text(packages) from None


def _written(content: bytes) -> bool:
    """Whether a person wrote it: neither empty, nor generated, nor a table of numbers."""
    if not content.strip() or _GENERATED.search(content[:_HEAD_BYTES]):
        return False
    digits = len(content) - len(content.translate(None, b"0123456789"))
    return digits <= _DIGITS_AT_MOST * len(content)


def _join(documents: list[bytes]) -> Tokens:
    """All documents' bytes, each document ended by `END`."""
    tokens = np.full(sum(map(len, documents)) + len(documents), END, np.uint16)
    begin = 0
    for document in documents:
        tokens[begin : begin + len(document)] = np.frombuffer(document, np.uint8)
        begin += len(document) + 1
    return tokens


def _other_text(packages: Packages) -> InputError:
    wanted = " ".join(f"{name}=={version}" for name, version in packages)
    return InputError(
        "the references' text is not the one that their figures were measured on",
        expected=f"the files of {wanted}, as their wheels hold them",
        came=", ".join(f"{name} {_version(name)}" for name, _ in packages),
        do=f"pip install --force-reinstall --no-deps {wanted}",
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"
