"""What results depend on, as hashes: a result of other code counts for nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import zhufeng
from convergence_runs.identity import plain
from fusion_union.documents import FILES
from fusion_union.settings import Size
from zhufeng.base import sha256_file, sha256_json

_ROOT = Path(zhufeng.__file__).parent
_HERE = Path(__file__).parent
_TRAINED_BY = (
    "fusion/mix/_chunks.py",
    "fusion/small/*.py",
    "models/_attention.py",
    "models/_decoder.py",
    "models/_layers.py",
    "training/_loop.py",
    "training/_optimizer.py",
    "training/_stream.py",
    "training/_task.py",
)
_ASKED_BY = (
    "fusion/distil/*.py",
    "fusion/mix/_local.py",
    "fusion/mix/_tape.py",
    "fusion/mix/_tokens.py",
    "fusion/mix/_weights.py",
    "fusion/vocabulary/_read.py",
    "fusion/vocabulary/_spelling.py",
)


@cache
def training() -> str:
    """Of the code that trains members."""
    return _code(_ROOT, _TRAINED_BY)


@cache
def identity(size: Size) -> str:
    """Of all code, settings and files that a seed's result depends on; not of the machine, nor of
    the versions of libraries.
    """
    own = _code(_HERE, ("*.py",))
    return sha256_json([size.name, training(), _code(_ROOT, _ASKED_BY), own, sha256_file(FILES)])


def _code(root: Path, patterns: Sequence[str]) -> str:
    """Of some code, without its comments and docstrings."""
    paths = sorted(path for pattern in patterns for path in root.glob(pattern))
    return hashlib.sha256("\n".join(plain(path.read_text()) for path in paths).encode()).hexdigest()
