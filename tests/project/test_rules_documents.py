"""Pages of numbered rules: no rule without its test, no such test without its rule, no gaps."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
PAGES = {"hdl-semantics.md": ("hdl",), "formats.md": ("formats", "stack")}
"""Each page, and the folders in which its tests are."""


def rules(page: str) -> dict[tuple[int, int], list[str]]:
    """The names of tests that each rule gives, by its number, in the order of the page."""
    found: dict[tuple[int, int], list[str]] = {}
    text = (DOCS / page).read_text()
    for block in re.split(r"^(?=\*\*\d)", text, flags=re.MULTILINE)[1:]:
        number = re.match(r"\*\*(\d+)\.(\d+)\*\* ", block)
        assert number, block
        key = (int(number[1]), int(number[2]))
        assert key not in found
        found[key] = re.findall(r"`(test_\w+)`", block)
    return found


def those_there(page: str) -> list[str]:
    """The tests of rules that are there."""
    files = [path for one in PAGES[page] for path in sorted((TESTS / one).glob("test_rules_*.py"))]
    return [
        node.name
        for path in files
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_rule_")
    ]


@pytest.mark.parametrize("page", PAGES)
def test_rules_are_numbered_without_gaps_and_in_their_chapters(page: str) -> None:
    text = (DOCS / page).read_text()
    chapters = [int(one) for one in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert chapters == list(range(1, len(chapters) + 1))
    known = Counter(chapter for chapter, _ in rules(page))
    expected = [(chapter, n + 1) for chapter in chapters for n in range(known[chapter])]
    assert list(rules(page)) == expected
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        chapter, *numbers = re.findall(r"^(\d+)\. |^\*\*(\d+)\.", part, re.MULTILINE)
        assert {number for _, number in numbers} == {chapter[0]}


@pytest.mark.parametrize("page", PAGES)
def test_every_rule_names_its_tests_and_every_such_test_is_named(page: str) -> None:
    for (chapter, number), names in rules(page).items():
        assert names, f"rule {chapter}.{number} names no test"
        assert all(name.startswith(f"test_rule_{chapter}_{number}_") for name in names)
    named = [name for names in rules(page).values() for name in names]
    assert Counter(named) == Counter(those_there(page))
