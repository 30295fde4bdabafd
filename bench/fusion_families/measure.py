"""How many families come out exactly."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fusion_families.makers import SMALL, SPARK, Small, make
from fusion_families.spark import Spark
from harness import Figure, Report
from zhufeng.fusion.unify import Difference, export, unify, verify

_QUICK_SEEDS, _SEEDS = 1, 5
_PRECISIONS = ("fp64", "bf16")


def measure(quick: bool, seed: int) -> Report:
    """Every family at a small size, in fp64 and bf16, there and back."""
    seeds = range(seed, seed + (_QUICK_SEEDS if quick else _SEEDS))
    rows = [row(small, seeds) for small in SMALL]
    exact = sum(bool(one["exact"]) for one in rows)
    return Report({"families_exact": Figure(float(exact))}, {"families": rows})


def row(small: Small, seeds: Sequence[int]) -> dict[str, object]:
    """One family: the largest differences over all seeds."""
    found: list[Difference] = []
    back = True
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="families-") as name:
            one, same = differences(small, Path(name), seed)
        found += one
        back &= same
    told: dict[str, object] = {"family": small.name, "seeds": len(seeds)}
    for precision in _PRECISIONS:
        of = [one for one in found if one.precision == precision]
        told[f"{precision}_logits"] = max(one.logits for one in of)
        told[f"{precision}_gradient"] = max(one.gradient for one in of)
    return {**told, "back_to_the_byte": back, "exact": back and all(one.none for one in found)}


def differences(small: Small, scratch: Path, seed: int) -> tuple[list[Difference], bool]:
    """Of one model with random weights; and whether it comes back to the byte when exported."""
    theirs, ours = scratch / "theirs", scratch / "ours"
    theirs.mkdir()
    make(small, theirs, seed)
    unify(theirs, ours)
    export(ours, scratch / "back")
    unify(scratch / "back", scratch / "again")
    weights = "model.safetensors"
    same = (ours / weights).read_bytes() == (scratch / "again" / weights).read_bytes()
    spark = partial(Spark.load, theirs) if small.name == SPARK else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return verify(theirs, ours, seed=seed, theirs=spark), same
