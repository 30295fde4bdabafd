"""What the code of this folder makes of the short union table, to the bit.

``python -m fusion_union_probe`` prints a `Probe`. It is no part of ``fusion_union``, whose code the
results hang on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

import fusion_union
from fusion_union.campaign import results_of
from fusion_union.documents import FILES
from fusion_union.identity import identity
from fusion_union.settings import FULL, QUICK
from zhufeng.base import sha256_file


class Probe(TypedDict):
    """What the code of a commit does."""

    identity: str
    """Of the full table's results."""
    own: dict[str, str]
    """Hashes of what the short table does not show: the table's own scripts and list of files."""
    rows: Any
    """Of the short table."""


def probe() -> Probe:
    """Of one seed."""
    scripts = sorted(Path(fusion_union.__file__).parent.glob("*.py"))
    own = {path.name: sha256_file(path) for path in (*scripts, FILES)}
    return Probe(identity=identity(FULL), own=own, rows=results_of(QUICK, [0])[0]["rows"])


if __name__ == "__main__":
    print(json.dumps(probe()))
