"""Who may ask: keys, of which only hashes are held."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import InputError, read_text

VARIABLE = "ZHUFENG_SERVE_KEYS"
_HASH = "sha256:"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w.@-]{1,100}")
# A hash without salt is enough for what nobody can guess.
_LEAST_CHARACTERS = 20


@dataclass(frozen=True)
class Keys:
    """Names and the SHA-256 of each one's key; without any, everyone may ask."""

    digests: Mapping[str, bytes]

    def owner(self, key: str) -> str | None:
        """Whose key that is, in a time that does not depend on how far it is right."""
        asked = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        found = None
        for name, digest in self.digests.items():
            if hmac.compare_digest(asked, digest):
                found = name
        return found


def read_keys(path: Path | None, environment: Mapping[str, str] = os.environ) -> Keys:
    """The keys of a file and of the variable ``ZHUFENG_SERVE_KEYS``, a line each.

    A line is a name, a space and the key itself, or ``sha256:`` and the hash of the key; empty
    lines and those that begin with ``#`` are left out.

    Raises:
        InputError: the file cannot be read or holds no key, or a line is not that.
    """
    sources = {VARIABLE: environment.get(VARIABLE, "")}
    if path is not None:
        sources[str(path)] = read_text(path, "a file of keys")
    digests: dict[str, bytes] = {}
    for source, text in sources.items():
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                name, digest = _read(line, f"{source}, line {number}")
                if name in digests:
                    raise _unusable(f"{source}, line {number}", "a name that another key has")
                digests[name] = digest
    if path is not None and not digests:
        raise InputError(
            f"{path} holds no key",
            expected="a line with a name and a key: without one everybody may ask",
            came="empty lines and comments",
            do="add a key, or leave the file out where everybody may ask",
        )
    return Keys(digests)


def _read(line: str, where: str) -> tuple[str, bytes]:
    name, _, key = line.strip().partition(" ")
    key = key.strip()
    if not _NAME.fullmatch(name):
        raise _unusable(where, "no such name")
    if key.startswith(_HASH):
        if not _DIGEST.fullmatch(key.removeprefix(_HASH)):
            raise _unusable(where, "a hash that is not 64 digits of 0 to 9 and a to f")
        return name, bytes.fromhex(key.removeprefix(_HASH))
    if len(key) < _LEAST_CHARACTERS or not key.isascii():
        raise _unusable(where, f"a key of {len(key)} characters, or of others than ASCII")
    return name, hashlib.sha256(key.encode()).digest()


def _unusable(where: str, came: str) -> InputError:
    # What stands there is a secret, and is not shown.
    return InputError(
        f"{where} is not a key",
        expected=f"a name, a space, and a key of at least {_LEAST_CHARACTERS} characters, "
        f"or {_HASH} and its hash",
        came=came,
        do="correct the line; `openssl rand -hex 24` makes a key",
    )
