"""The tutorial of verification: typed, and what it shows is printed; `tests/project` runs it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import Answer
from tests.hdl.test_verify_cli import Call
from tests.hdl.tutorials import blocks, problems

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hdl-verification.md").read_text()
BLOCKS = blocks("hdl-verification.md")


def test_it_is_typed_strictly_and_ignores_nothing(tmp_path: Path) -> None:
    assert not problems("hdl-verification.md", tmp_path)


def test_its_table_and_its_commands_are_what_comes(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text(BLOCKS[0])
    given = ("hdl", "verify", f"{tmp_path / 'queue.py'}:make_queue", "full=5")
    shown = re.search(r"^    cycle .*?\n\n", TEXT, re.DOTALL | re.MULTILINE)
    assert shown
    table = re.sub(r"^    ", "", shown[0].rstrip("\n"), flags=re.MULTILINE)
    small = ("--seeds", "1", "--cycles", "100")
    answer: Answer = zhufeng(*given, *small, "-o", tmp_path / "DIR")
    assert answer.code == 1
    written = (tmp_path / "DIR" / "failure-1.txt").read_text()
    assert written in answer.out
    rows = [line.split() for line in written.splitlines()]
    # What nothing has set yet, in the cycle before the first reset, is drawn.
    for row in (line.split() for line in table.splitlines()):
        found = next(one for one in rows if one[:1] == row[:1])
        assert (len(found), found[2:]) == (len(row), row[2:]), row
    assert zhufeng(*given, "--replay", tmp_path / "DIR" / "failure-1.npz").code == 1
