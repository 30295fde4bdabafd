"""The ledger's key: Ed25519, in a file that nobody else reads and that is never written over."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from zhufeng.base import UNFINISHED, InputError, canonical_json, sync_folder
from zhufeng.fusion.ledger._lines import Head, Line, spelt, unsigned

_OTHERS = 0o077


def key_beside(folder: Path) -> Path:
    """Where the key of the ledger `folder` is if nothing else is said: beside it, not in it.

    So that the whole folder can be given away to be audited.
    """
    return folder.absolute().with_name(folder.absolute().name + ".key")


def make_key(path: Path) -> None:
    """Write a new key, readable by its owner alone; a file that is there is left as it is."""
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # Made with mode 600, whole before it takes its name, and linked: that fails where renaming
    # would put it over a key that another process has made meanwhile.
    descriptor, name = tempfile.mkstemp(suffix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
        sync_folder(path.parent)
    finally:
        Path(name).unlink()


def read_key(path: Path) -> Ed25519PrivateKey:
    """The key in a file.

    Raises:
        InputError: there is none, it is no Ed25519 key, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise _unusable(path, "no file", "restore it: without it nothing can be added") from None
    except (OSError, ValueError, TypeError):
        raise _unusable(path, "something else", "name the file that the ledger made") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "a key of another kind", "name the file that the ledger made")
    if mode & _OTHERS:
        raise _unusable(path, f"mode {mode & 0o777:03o}", f"chmod 600 {path}")
    return key


def _unusable(path: Path, came: str, do: str) -> InputError:
    return InputError(
        f"{path} cannot be used as the ledger's key",
        expected="a private Ed25519 key in PEM, mode 600",
        came=came,
        do=do,
    )


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as 64 hexadecimal digits."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def public_pem(text: str) -> bytes:
    """The file that other programs read a public key from."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(value: Line | Head, key: Ed25519PrivateKey) -> bytes:
    """A line without its end, or the content of ``head.json``, signed."""
    return spelt(value, key.sign(canonical_json(unsigned(value))).hex())


def is_signed(value: Line | Head, signature: str, public_key: str) -> bool:
    """Whether `signature`, in its one spelling, is of `value` and by that key."""
    try:
        data = bytes.fromhex(signature)
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(data, canonical_json(unsigned(value)))
    except (ValueError, InvalidSignature):
        return False
    return data.hex() == signature
