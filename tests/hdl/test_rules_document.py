"""docs/hdl-semantics.md: no rule without its test, no such test without its rule, no gaps."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
TEXT = (HERE.parents[1] / "docs" / "hdl-semantics.md").read_text()


def rules() -> dict[tuple[int, int], list[str]]:
    """The names of tests that each rule gives, by its number, in the order of the page."""
    found: dict[tuple[int, int], list[str]] = {}
    for block in re.split(r"^(?=\*\*\d)", TEXT, flags=re.MULTILINE)[1:]:
        number = re.match(r"\*\*(\d+)\.(\d+)\*\* ", block)
        assert number, block
        key = (int(number[1]), int(number[2]))
        assert key not in found
        found[key] = re.findall(r"`(test_\w+)`", block)
    return found


def those_there() -> list[str]:
    """The tests of rules that are there."""
    return [
        node.name
        for path in sorted(HERE.glob("test_rules_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_rule_")
    ]


def test_rules_are_numbered_without_gaps_and_in_their_chapters() -> None:
    chapters = [int(one) for one in re.findall(r"^## (\d+)\. ", TEXT, re.MULTILINE)]
    assert chapters == list(range(1, len(chapters) + 1))
    known = Counter(chapter for chapter, _ in rules())
    expected = [(chapter, n + 1) for chapter in chapters for n in range(known[chapter])]
    assert list(rules()) == expected
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        chapter, *numbers = re.findall(r"^(\d+)\. |^\*\*(\d+)\.", part, re.MULTILINE)
        assert {number for _, number in numbers} == {chapter[0]}


def test_every_rule_names_its_tests_and_every_such_test_is_named() -> None:
    for (chapter, number), names in rules().items():
        assert names, f"rule {chapter}.{number} names no test"
        assert all(name.startswith(f"test_rule_{chapter}_{number}_") for name in names)
    named = [name for names in rules().values() for name in names]
    assert Counter(named) == Counter(those_there())
