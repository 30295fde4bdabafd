"""Results of the full run, kept in ``bench/results/fusion_union.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from fusion_union.rows import Row
from zhufeng.base import write_durable

RESULTS = Path(__file__).parents[1] / "results" / "fusion_union.json"


class Result(TypedDict):
    """What is kept of a seed."""

    rows: Mapping[str, Row]
    identity: str
    machine: str
    torch: str
    date: str


Results = dict[int, Result]
"""By seed."""


def standing(identity: str) -> Results:
    """The results that today's code, settings and files would give, as far as they are there."""
    if not RESULTS.exists():
        return {}
    kept: dict[str, Result] = json.loads(RESULTS.read_text())
    return {int(seed): one for seed, one in kept.items() if one["identity"] == identity}


def keep(results: Results) -> None:
    """Keep these and no others."""
    text = json.dumps({str(seed): one for seed, one in sorted(results.items())}, indent=1) + "\n"
    write_durable(RESULTS, text.encode())
