"""The tutorial's programs as a type checker sees them; `tests/project` runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tutorial_is_typed_strictly_and_ignores_nothing(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "hdl.md").read_text()
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert "type: ignore" not in program
    path = tmp_path / "tutorial.py"
    path.write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_what_the_tutorial_shows_is_what_is_printed() -> None:
    text = (ROOT / "docs" / "hdl.md").read_text()
    shown = re.search(r"^    module counter.*?^    endmodule\n", text, re.DOTALL | re.MULTILINE)
    assert shown
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((*blocks[:4], "print(text)"))],
        capture_output=True,
        text=True,
        check=True,
    )
    without_lines = [re.sub(r"//.*", "", line).split() for line in done.stdout.splitlines()]
    expected = [re.sub(r"//.*", "", line).split() for line in shown[0].splitlines()]
    assert [line for line in without_lines if line] == [line for line in expected if line]
