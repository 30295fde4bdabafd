"""Ours beside mergekit and the floor, round after round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion_merge.synthetic import LARGE, SMALL, Size, make
from harness import Figure, Report, median, ratios
from zhufeng.base import parse
from zhufeng.fusion.merge import Recipe, plan

_CHILD = Path(__file__).with_name("child.py")
# The rival's at its best: the faster of these counts in each round.
_RIVALS = ("mergekit", "mergekit-async")
_ROUNDS = 5
_QUICK_RIVALS = ("mergekit-async",)
_QUICK_S = 60.0  # for one match, unless a single round takes longer
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
    quick: bool = True


_ARITHMETIC = {"weight": 0.5, "density": 0.5}
MATCHES = (
    Match("linear", LARGE, 2, {"method": "linear"}, {"weight": 0.5}, with_base=False),
    Match("linear_3", LARGE, 3, {"method": "linear"}, {"weight": 0.5}, False, quick=False),
    Match("slerp", LARGE, 2, {"method": "slerp", "parameters": {"t": 0.4}}, {}, with_base=True),
    Match("ties", SMALL, 3, {"method": "ties"}, _ARITHMETIC, with_base=True),
    Match("dare_ties", SMALL, 3, {"method": "dare_ties"}, _ARITHMETIC, with_base=True),
)


@dataclass(frozen=True)
class Took:
    """What one merge took."""

    wall_s: float
    sync_s: float
    """Until the output is on the disk too: ours and the floor have waited for it already."""
    cpu_s: float
    peak_bytes: float

    @property
    def to_disk_s(self) -> float:
        """All in all."""
        return self.wall_s + self.sync_s


def measure(quick: bool, seed: int, matches: tuple[Match, ...] = MATCHES) -> Report:
    """Every match, warm and cold, in a scratch folder of about 15 GB.

    With `quick` two models at most and files in memory, against one of mergekit's ways; the
    other figures are null.
    """
    rows: list[dict[str, object]] = []
    figures: dict[str, Figure] = {}
    peaks: list[float] = []
    with tempfile.TemporaryDirectory(prefix="fusion-merge-") as folder:
        scratch = Path(folder)
        for match in matches:
            for cold in (False, True):
                name = match.name + "_cold" * cold
                if quick and (cold or not match.quick):
                    figures |= dict.fromkeys(_named(name), Figure(None))
                    continue
                recipe = _recipe(match, scratch, seed)
                took = _rounds(recipe, scratch, quick=quick, cold=cold)
                rows += [*_rows(match, took, cold=cold), _predicted(match, recipe, cold=cold)]
                peaks += [one.peak_bytes / _GB for one in took["ours"]]
                figures |= _figures(name, took)
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
    recipe: Mapping[str, Any], scratch: Path, *, quick: bool, cold: bool
) -> dict[str, list[Took]]:
    """All ways in turn, again and again, so that a busy minute hits them all."""
    # Uncounted: a guest's memory costs most where it is touched for the first time.
    _once("floor", recipe, scratch / "out")
    took: dict[str, list[Took]] = {}
    began = time.monotonic()
    for done in range(_ROUNDS):
        # In a hurry another round is begun if one as long as those before ends in time.
        if quick and done and (time.monotonic() - began) * (1 + 1 / done) > _QUICK_S:
            break
        for how in ("floor", "ours", *(_QUICK_RIVALS if quick else _RIVALS)):
            _cache(recipe, cold=cold)
            took.setdefault(how, []).append(_once(how, recipe, scratch / "out"))
    return took


def _once(how: str, recipe: Mapping[str, Any], out: Path) -> Took:
    threads = {name: text for name, text in os.environ.items() if name != "OMP_NUM_THREADS"}
    ran = subprocess.run(
        [sys.executable, _CHILD, how, json.dumps(recipe), out],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=threads,  # every core, for all alike
    )
    shutil.rmtree(out)
    return Took(**json.loads(ran.stdout.splitlines()[-1]))


def _folders(recipe: Mapping[str, Any]) -> list[str]:
    """The sources, each once."""
    named = [source["model"] for source in recipe["models"]]
    return list(dict.fromkeys([*named, recipe.get("base", named[0])]))


def _cache(recipe: Mapping[str, Any], *, cold: bool) -> None:
    """Have the sources in the page cache, or have none of them there."""
    block = bytearray(1 << 22)
    for folder in _folders(recipe):
        with (Path(folder) / "model.safetensors").open("rb", buffering=0) as file:
            if cold:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while not cold and file.readinto(block):
                pass


def _best(took: Mapping[str, list[Took]]) -> list[Took]:
    """The rival in each round, in the faster of its ways."""
    ways = [runs for how, runs in took.items() if how in _RIVALS]
    return [min(runs, key=lambda one: one.wall_s) for runs in zip(*ways, strict=True)]


def _named(name: str) -> tuple[str, ...]:
    return f"{name}_wall", f"{name}_to_disk_wall", f"{name}_cpu", f"{name}_over_floor"


def _figures(name: str, took: Mapping[str, list[Took]]) -> dict[str, Figure]:
    best, ours, floor = _best(took), took["ours"], took["floor"]
    found = (
        ratios([one.wall_s for one in best], [one.wall_s for one in ours]),
        ratios([one.to_disk_s for one in best], [one.to_disk_s for one in ours]),
        ratios([one.cpu_s for one in best], [one.cpu_s for one in ours]),
        ratios([one.to_disk_s for one in ours], [one.to_disk_s for one in floor]),
    )
    return dict(zip(_named(name), found, strict=True))


def _predicted(match: Match, recipe: Mapping[str, Any], *, cold: bool) -> dict[str, object]:
    """What the plan says before data moves."""
    settled = plan(parse(Recipe, recipe, "recipe"))
    return {
        "merge": match.name,
        "cache": "cold" if cold else "warm",
        "how": "predicted",
        "wall_s": settled.seconds(),
        "peak_gb": settled.memory_bytes() / _GB,
    }


def _rows(match: Match, took: Mapping[str, list[Took]], *, cold: bool) -> list[dict[str, object]]:
    return [
        {
            "merge": match.name,
            "cache": "cold" if cold else "warm",
            "how": how,
            "wall_s": median([one.wall_s for one in runs]).value,
            "sync_s": median([one.sync_s for one in runs]).value,
            "cpu_s": median([one.cpu_s for one in runs]).value,
            "peak_gb": max(one.peak_bytes for one in runs) / _GB,
        }
        for how, runs in took.items()
    ]
