"""Tables on pages are those of the results."""

from __future__ import annotations

import runpy
from pathlib import Path

MADE = runpy.run_path(str(Path(__file__).parents[3] / "docs" / "make_fusion.py"))


def test_the_pages_have_the_standing_results() -> None:
    tables = MADE["tables"]()
    assert {path.name for path in tables} == {"fusion-mix.md", "fusion-union.md", "fusion-merge.md"}
    for path, table in tables.items():
        assert MADE["page"](path, table) == path.read_text()


def test_forgetting_pays_where_the_best_member_changes() -> None:
    excess = MADE["excess"]
    assert excess(None, 0) < excess(None, 0.02)
    assert excess(100, 0.02) < excess(100, 0) / 10
    # Never changing, the excess is at most log2 of the members, once (Bayes' rule).
    assert excess(None, 0) * 1200 <= 1.585
