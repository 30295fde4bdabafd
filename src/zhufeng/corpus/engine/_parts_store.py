"""The folder of parts: what has been done, each whole and on the disk, under its key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zhufeng.base import UNFINISHED, InputError, parse, record, to_json, write_durable
from zhufeng.base import files_below as names_below
from zhufeng.corpus.engine._worker import Limits


@record
class Died:
    """How a worker that was given an item came to its end."""

    how: str
    """For a person: "killed by signal 9", "over 4 GB of memory"."""
    limits: Limits
    """Those that held: with others the item deserves another try."""


@dataclass(frozen=True)
class Part:
    """What one stage made of one item, or why it made nothing."""

    value: Any | None = None
    failure: str | None = None
    died: Died | None = None
    passing: bool = False
    """Whether another try may give more; such a part is never kept."""
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    """Told to people; the same item may cost more or less another time."""


class PartStore:
    """Parts by stage and key below one folder. What is there is done; there is no other list."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in names_below(folder) if folder.exists() else ():
            if name.endswith(UNFINISHED):
                (folder / name).unlink()

    def find(self, stage: str, key: str, kind: type) -> Part | None:
        """The part under `key`, or None; a damaged one counts as none and is made again."""
        path = self._place(stage, key)
        try:
            table = json.loads(path.read_bytes())
            value = table["value"]
            return Part(
                value=None if value is None else parse(kind, value, str(path)),
                failure=table["failure"],
                died=table["died"] and parse(Died, table["died"], str(path)),
                cpu_ms=table["cpu_ms"],
            )
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None

    def put(self, stage: str, key: str, part: Part) -> None:
        """Write the part: it is there whole or not at all, also after a power cut."""
        path = self._place(stage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = {
            "value": None if part.value is None else to_json(part.value),
            "failure": part.failure,
            "died": None if part.died is None else to_json(part.died),
            "cpu_ms": {name: round(ms, 3) for name, ms in part.cpu_ms.items()},
        }
        text = json.dumps(table, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        write_durable(path, text.encode())

    def _place(self, stage: str, key: str) -> Path:
        # Two letters of the key a folder: a million parts in one would be slow to list.
        return self._folder / stage / key[:2] / f"{key}.json"
