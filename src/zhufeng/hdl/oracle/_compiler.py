"""The compiler of C and C++: the machine's, or the one that pip brings."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from zhufeng.base import MissingExtraError

EXTRA = "hdl"


def package(name: str) -> Path | None:
    """The folder of an installed package."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def has_compiler() -> bool:
    """Whether there is one."""
    return shutil.which("c++") is not None or package("ziglang") is not None


def compiler() -> Sequence[str]:
    """The command.

    Raises:
        MissingExtraError: there is none, and the extra ``hdl`` would bring one.
    """
    if shutil.which("c++"):
        return ("c++",)
    if package("ziglang") is None:
        raise MissingExtraError(EXTRA, "ziglang")
    # It would trap what Verilator's code does on purpose.
    return (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined")
