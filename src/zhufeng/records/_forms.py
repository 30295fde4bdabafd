"""Versioned file forms: how a record says of itself what it is, and who may read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from zhufeng.base import InputError, loads_json, parse, read_json, to_json, write_durable

T = TypeVar("T")

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Form(Generic[T]):
    """The file form of one record: a name, a version, and the way up from older versions.

    Every file begins with ``"record"`` and ``"version"``. A newer version is refused by name;
    an older one is brought up step by step by `upgrades` (from version n to n + 1).
    """

    name: str
    kind: type[T]
    version: int = 1
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def pack(self, value: T) -> dict[str, Any]:
        """The table that a file holds."""
        return {"record": self.name, "version": self.version, **to_json(value)}

    def unpack(self, data: Any, source: str) -> T:
        """The record in a file's table.

        Raises:
            InputError: another record, a newer version, or values that do not fit.
        """
        if not isinstance(data, dict) or data.get("record") != self.name:
            came = data.get("record") if isinstance(data, dict) else None
            raise InputError(
                f"{source} is not a {self.name}",
                expected=f'a table with record = "{self.name}"',
                came=f'record = "{came}"' if came else "none",
                do="check the path",
            )
        check_version(self.name, data.get("version"), self.version, source)
        fields = dict(data)
        for version in range(fields["version"], self.version):
            fields = self.upgrades[version](fields)
        del fields["record"], fields["version"]
        return parse(self.kind, fields, source)

    def read_json(self, path: Path) -> T:
        """Read a JSON file of this form."""
        return self.unpack(read_json(path), str(path))

    def write_json(self, path: Path, value: T) -> None:
        """Write a JSON file of this form, whole or not at all."""
        text = json.dumps(self.pack(value), indent=1, ensure_ascii=False)
        write_durable(path, text.encode() + b"\n")

    def loads_line(self, line: str | bytes, source: str) -> T:
        """Read one line of a JSONL file."""
        return self.unpack(loads_json(line, source), source)

    def dumps_line(self, value: T) -> bytes:
        """One line of a JSONL file."""
        return json.dumps(self.pack(value), ensure_ascii=False).encode() + b"\n"


def check_version(name: str, came: object, known: int, source: str) -> None:
    """Refuse a file whose version is newer than `known`, or is no version.

    Raises:
        InputError: refused.
    """
    if not isinstance(came, int) or isinstance(came, bool) or came < 1:
        raise InputError(
            f"{source} has no version that can be read",
            expected=f"{name} of version 1 to {known}",
            came=f"version {came!r}",
            do="restore the file from a copy, or make it again",
        )
    if came > known:
        raise InputError(
            f"{source} is a {name} of a newer version",
            expected=f"{name} of version {known} or older",
            came=f"version {came}",
            do="upgrade: pip install -U zhufeng",
        )
