"""The one folder for what can be made again: weights fetched, hashes known, code compiled."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_root() -> Path:
    """`ZHUFENG_CACHE` if set, else `zhufeng` in the user's cache folder (XDG); may not exist."""
    if named := os.environ.get("ZHUFENG_CACHE"):
        return Path(named).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "zhufeng"
    try:
        return Path.home() / ".cache" / "zhufeng"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / f"zhufeng-{os.getuid()}"


def cache_folder(purpose: str) -> Path:
    """The folder of the cache for one purpose (``"hashes"``, ``"weights"``), made if absent."""
    folder = cache_root() / purpose
    folder.mkdir(parents=True, exist_ok=True)
    return folder
