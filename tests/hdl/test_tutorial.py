"""The tutorial's programs as a type checker sees them; `tests/project` runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.hdl.tutorials import blocks, problems

ROOT = Path(__file__).parents[2]


def test_the_tutorial_is_typed_strictly_and_ignores_nothing(tmp_path: Path) -> None:
    assert not problems("hdl.md", tmp_path)


def test_what_the_tutorial_shows_is_what_is_printed() -> None:
    text = (ROOT / "docs" / "hdl.md").read_text()
    shown = re.search(r"^    module counter.*?^    endmodule\n", text, re.DOTALL | re.MULTILINE)
    assert shown
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((*blocks("hdl.md")[:4], "print(text)"))],
        capture_output=True,
        text=True,
        check=True,
    )
    without_lines = [re.sub(r"//.*", "", line).split() for line in done.stdout.splitlines()]
    expected = [re.sub(r"//.*", "", line).split() for line in shown[0].splitlines()]
    assert [line for line in without_lines if line] == [line for line in expected if line]
