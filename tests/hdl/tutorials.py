"""Documents whose programs are run and typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(document: str) -> list[str]:
    """The programs of a document of docs/, in their order."""
    text = (ROOT / "docs" / document).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def problems(document: str, folder: Path) -> str:
    """What mypy, as strict as it can be, says of them; nothing where all is right."""
    program = "\n".join(blocks(document))
    if "type: ignore" in program:
        return "type: ignore"
    (folder / "tutorial.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(folder / "tutorial.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.returncode}: {done.stdout}{done.stderr}" if done.returncode else ""
