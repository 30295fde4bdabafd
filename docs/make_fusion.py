"""Writes the tables of the pages on fusion.

python docs/make_fusion.py

From ``bench/results/fusion_union.json`` and ``bench/results/fusion.json``, which
``python bench/fusion.py --json > bench/results/fusion.json`` writes; the table of forgetting is
computed here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zhufeng.fusion.mix import mix

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from fusion_union import store  # noqa: E402
from fusion_union.figures import PAIRS, ROWS, figures  # noqa: E402
from fusion_union.identity import identity  # noqa: E402
from fusion_union.rows import MEAN  # noqa: E402
from fusion_union.settings import FULL, MEMBERS, OVERLAPPING  # noqa: E402
from fusion_union.split import SETS  # noqa: E402
from harness import Figure  # noqa: E402

DOCS = ROOT / "docs"
MERGES = ROOT / "bench" / "results" / "fusion.json"

RATES = (0, 0.001, 0.01, 0.02, 0.05, 0.1)
PERIODS = (None, 1000, 100, 30, 10)
_MEMBERS, _CHUNKS, _TEXTS = 3, 1200, 6
_WORSE, _SPREAD = 3, 3  # bits
_TITLES = {
    "linear": "linear",
    "linear_3": "linear, 3 models",
    "slerp": "slerp",
    "ties": "TIES",
    "dare_ties": "DARE-TIES",
}
_RIVALS = ("mergekit", "mergekit-async")
_COLUMNS = (
    *("merge", "sources", "ours, s", "mergekit, s", "wall", "CPU", "to the disk"),
    *("over the floor", "memory, ours", "mergekit"),
)


def union_table(results: store.Results) -> str:
    """Every row of the union table, means over seeds with the interval of the mean of sets."""
    found = figures(results)
    lines = [
        f"| row | {' | '.join(SETS)} | {MEAN} | 95% interval |",
        f"|---|{'---|' * (len(SETS) + 2)}",
    ]
    for name in (*MEMBERS, OVERLAPPING, *ROWS):
        rows = [one["rows"][name] for one in results.values()]
        means = (sum(row[key] for row in rows) / len(rows) for key in (*SETS, MEAN))
        cells = " | ".join(f"{value:.3f}" for value in means)
        lines.append(f"| `{name}` | {cells} | {_interval(found.get(f'{name}_bpb'))} |")
    lines += ["", "| difference of | from | bits a byte | 95% interval |", "|---|---|---|---|"]
    for first, second in PAIRS:
        one = found[f"{first}_minus_{second}_bpb"]
        assert one.value is not None
        lines.append(f"| `{first}` | `{second}` | {one.value:+.3f} | {_interval(one, '+')} |")
    return "\n".join([f"{len(results)} seeds.", "", *lines])


def _interval(figure: Figure | None, sign: str = "") -> str:
    if figure is None or figure.low is None:
        return ""
    return f"{figure.low:{sign}.3f} to {figure.high:{sign}.3f}"


def forgetting_table() -> str:
    """Bits a chunk above the best member of each stretch, by how often that one changes."""
    head = f"| the best member changes every | {' | '.join(map(str, RATES))} |"
    lines = [head, f"|---|{'---|' * len(RATES)}"]
    for period in PERIODS:
        cells = " | ".join(f"{excess(period, rate):.3f}" for rate in RATES)
        lines.append(f"| {f'{period:,} chunks' if period else 'never'} | {cells} |")
    return "\n".join(lines)


def excess(period: int | None, rate: float) -> float:
    """Of the mixture, over texts whose best member is drawn anew with probability 1/period."""
    return float(np.mean([_excess(period, rate, seed) for seed in range(_TEXTS)]))


def _excess(period: int | None, rate: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    best, one = np.zeros(_CHUNKS, int), rng.integers(_MEMBERS)
    for chunk in range(_CHUNKS):
        if period and rng.random() < 1 / period:
            one = (one + 1 + rng.integers(_MEMBERS - 1)) % _MEMBERS
        best[chunk] = one
    least = rng.exponential(6, _CHUNKS)
    bits = least + _WORSE + _SPREAD * rng.standard_normal((_MEMBERS, _CHUNKS))
    bits = np.maximum(0, bits)
    bits[best, np.arange(_CHUNKS)] = least
    return float((mix(bits, forget=rate).mixture_bits.sum() - least.sum()) / _CHUNKS)


def merge_table(told: Mapping[str, Any]) -> str:
    """Ours beside mergekit, warm and cold."""
    rows = [
        _merge_row(told, name, title, cache)
        for name, title in _TITLES.items()
        for cache in ("warm", "cold")
    ]
    where = f"{told['machine']['processor']}, {told['machine']['cores']} cores."
    head = f"| {' | '.join(_COLUMNS)} |"
    return "\n".join([where, "", head, f"|{'---|' * len(_COLUMNS)}", *rows])


def _merge_row(told: Mapping[str, Any], name: str, title: str, cache: str) -> str:
    rows = [row for row in told["rows"] if row["merge"] == name and row["cache"] == cache]
    (ours,) = (row for row in rows if row["how"] == "ours")
    rival = min((row for row in rows if row["how"] in _RIVALS), key=lambda row: row["wall_s"])
    stem = name + "_cold" * (cache == "cold")
    ratios = (_ratio(told, f"{stem}_{of}") for of in ("wall", "cpu", "to_disk_wall", "over_floor"))
    cells = [
        *(title, cache, f"{ours['wall_s']:.1f}", f"{rival['wall_s']:.1f}", *ratios),
        *(f"{ours['peak_gb']:.2f} GB", f"{rival['peak_gb']:.1f} GB"),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(told: Mapping[str, Any], name: str) -> str:
    low, high, _ = told["spread"][name]
    return f"**{told['figures'][name]:.2f}** ({low:.2f} to {high:.2f})"


def tables() -> dict[Path, str]:
    """Every page's table."""
    made = {DOCS / "fusion-mix.md": forgetting_table()}
    if results := store.standing(identity(FULL)):
        made[DOCS / "fusion-union.md"] = union_table(results)
    if MERGES.exists():
        made[DOCS / "fusion-merge.md"] = merge_table(json.loads(MERGES.read_text()))
    return made


def page(path: Path, table: str) -> str:
    """A page with today's table."""
    marked = re.compile(r"(<!-- results -->\n).*(<!-- end -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", path.read_text())


def main(pages: Sequence[tuple[Path, str]]) -> None:
    """Write them."""
    for path, table in pages:
        path.write_text(page(path, table))


if __name__ == "__main__":
    main(list(tables().items()))
