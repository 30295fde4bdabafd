"""Figures of the table: means over seeds with their 95% t-intervals, and of paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from convergence_runs.compare import interval
from fusion_union.rows import BEST_SINGLE, MEAN, Row
from fusion_union.settings import MEMBERS, OVERLAPPING
from fusion_union.split import SETS
from fusion_union.store import Results
from harness import Figure

Rows = Mapping[str, Row]

ROWS = (
    *(BEST_SINGLE, "uniform", "router", "oracle", "mixture", "student", "corpus_alone", "dense"),
    *(f"{OVERLAPPING}_{row}" for row in (BEST_SINGLE, "uniform", "router", "oracle", "mixture")),
)
"""Each gives a figure: its name and ``_bpb``."""
PAIRS = (
    ("mixture", BEST_SINGLE),
    ("mixture", "uniform"),
    ("mixture", "router"),
    ("mixture", "oracle"),
    ("student", "corpus_alone"),
    ("student", "dense"),
    ("student", "mixture"),
    (f"{OVERLAPPING}_mixture", f"{OVERLAPPING}_router"),
)
"""Each gives a figure: what the first takes more than the second, in bits a byte."""


def figures(results: Results) -> dict[str, Figure]:
    """All of them; without a value where nothing is known, without an interval of one seed."""
    known = [one["rows"] for one in results.values()]
    found = {f"{name}_bpb": _over([_mean(rows, name) for rows in known]) for name in ROWS}
    for first, second in PAIRS:
        differences = [_difference(rows, first, second) for rows in known]
        found[f"{first}_minus_{second}_bpb"] = _over(differences)
    return found


def table(results: Results) -> list[str]:
    """The rows as text, means over seeds."""
    lines = [" " * 24 + "".join(f"{name:>10}" for name in (*SETS, MEAN))]
    for name in (*MEMBERS, OVERLAPPING, *ROWS):
        known = [one["rows"][name] for one in results.values() if name in one["rows"]]
        if known:
            means = (sum(row[key] for row in known) / len(known) for key in (*SETS, MEAN))
            lines.append(f"{name:<24}" + "".join(f"{value:>10.3f}" for value in means))
    return lines


def _over(values: Sequence[float | None]) -> Figure:
    """Without a value where a seed's is infinite: someone could not say a text at all."""
    known = [value for value in values if value is not None]
    return (interval(known) if all(map(math.isfinite, known)) else None) or Figure(None)


def _mean(rows: Rows, name: str) -> float | None:
    return rows[name][MEAN] if name in rows else None


def _difference(rows: Rows, first: str, second: str) -> float | None:
    one, other = _mean(rows, first), _mean(rows, second)
    return None if one is None or other is None else one - other
