"""Ours beside mergekit and the floor, round after round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion_merge.synthetic import LARGE, SMALL, Size, make
from harness import Figure, Report, median, ratios

_CHILD = Path(__file__).with_name("child.py")
# The rival's at its best: the faster of these counts in each round.
_RIVALS = ("mergekit", "mergekit-async")
_ROUNDS, _QUICK_ROUNDS = 5, 2
_GB = 1e9


@dataclass(frozen=True)
class Match:
    """One merge that is timed."""

    name: str
    size: Size
    models: int
    table: Mapping[str, Any]
    each: Mapping[str, float]
    with_base: bool


_ARITHMETIC = {"weight": 0.5, "density": 0.5}
MATCHES = (
    Match("linear", LARGE, 2, {"method": "linear"}, {"weight": 0.5}, with_base=False),
    Match("linear_3", LARGE, 3, {"method": "linear"}, {"weight": 0.5}, with_base=False),
    Match("slerp", LARGE, 2, {"method": "slerp", "parameters": {"t": 0.4}}, {}, with_base=True),
    Match("ties", SMALL, 3, {"method": "ties"}, _ARITHMETIC, with_base=True),
    Match("dare_ties", SMALL, 3, {"method": "dare_ties"}, _ARITHMETIC, with_base=True),
)


@dataclass(frozen=True)
class Took:
    """What one merge took."""

    wall_s: float
    cpu_s: float
    peak_bytes: float


def measure(quick: bool, seed: int, matches: tuple[Match, ...] = MATCHES) -> Report:
    """Every match, warm and cold, in a scratch folder of about 15 GB."""
    rows: list[dict[str, object]] = []
    figures: dict[str, Figure] = {}
    peaks: list[float] = []
    with tempfile.TemporaryDirectory(prefix="fusion-merge-") as name:
        scratch = Path(name)
        for match in matches:
            recipe = _recipe(match, scratch, seed)
            for cold in (False, True):
                took = _rounds(recipe, scratch, _QUICK_ROUNDS if quick else _ROUNDS, cold=cold)
                rows += _rows(match, took, cold=cold)
                peaks += [one.peak_bytes / _GB for one in took["ours"]]
                figures |= _figures(match.name + "_cold" * cold, took)
    figures["peak_gb"] = Figure(max(peaks), min(peaks), max(peaks), len(peaks))
    return Report(figures, {"rows": rows})


def _recipe(match: Match, scratch: Path, seed: int) -> dict[str, Any]:
    folders = [str(make(scratch, match.size, seed, number)) for number in range(match.models)]
    merged = folders[1:] if match.with_base and match.name != "slerp" else folders
    table: dict[str, Any] = {
        **match.table,
        "dtype": "bfloat16",
        "models": [{"model": folder, "parameters": dict(match.each)} for folder in merged],
    }
    return {**table, "base": folders[0]} if match.with_base else table


def _rounds(
    recipe: Mapping[str, Any], scratch: Path, count: int, *, cold: bool
) -> dict[str, list[Took]]:
    """All ways in turn, `count` times, so that a busy minute hits them all."""
    took: dict[str, list[Took]] = {}
    for _ in range(count):
        for how in ("floor", "ours", *_RIVALS):
            _cache(scratch, cold=cold)
            took.setdefault(how, []).append(_once(how, recipe, scratch / "out"))
    return took


def _once(how: str, recipe: Mapping[str, Any], out: Path) -> Took:
    ran = subprocess.run(
        [sys.executable, _CHILD, how, json.dumps(recipe), out],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    shutil.rmtree(out)
    return Took(**json.loads(ran.stdout.splitlines()[-1]))


def _cache(scratch: Path, *, cold: bool) -> None:
    """Have the sources in the page cache, or have none of them there."""
    block = bytearray(1 << 22)
    for path in scratch.glob("*/model.safetensors"):
        with path.open("rb", buffering=0) as file:
            if cold:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while not cold and file.readinto(block):
                pass


def _best(took: Mapping[str, list[Took]]) -> list[float]:
    """The rival's wall time in each round, in the faster of its ways."""
    return [min(r.wall_s for r in ways) for ways in zip(*(took[w] for w in _RIVALS), strict=True)]


def _figures(name: str, took: Mapping[str, list[Took]]) -> dict[str, Figure]:
    walls = [one.wall_s for one in took["ours"]]
    floors = [one.wall_s for one in took["floor"]]
    return {f"{name}_wall": ratios(_best(took), walls), f"{name}_over_floor": ratios(walls, floors)}


def _rows(match: Match, took: Mapping[str, list[Took]], *, cold: bool) -> list[dict[str, object]]:
    return [
        {
            "merge": match.name,
            "cache": "cold" if cold else "warm",
            "how": how,
            "wall_s": median([one.wall_s for one in runs]).value,
            "cpu_s": median([one.cpu_s for one in runs]).value,
            "peak_gb": max(one.peak_bytes for one in runs) / _GB,
        }
        for how, runs in took.items()
    ]
