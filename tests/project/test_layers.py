"""The layers are held by import-linter, and the linter is shown to hold them."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / "src" / "zhufeng"
# docs/architecture.md: these never import torch.
WITHOUT_TORCH = {"base", "records", "report", "hdl", "formats", "synth", "chip"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [linter, "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(folder: Path, module: str, line: str) -> None:
    path = folder / "src" / "zhufeng" / module
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")


def test_the_code_as_it_is_passes(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ("records/_plan.py", "import zhufeng.route", "zhufeng.records is not allowed to import"),
        ("base/_files.py", "from zhufeng import report", "zhufeng.base is not allowed to import"),
        ("corpus/_sources.py", "import zhufeng.cli", "zhufeng.corpus is not allowed to import"),
        ("records/_plan.py", "import torch", "zhufeng.records is not allowed to import torch"),
        ("report/_plots.py", "import torch.nn", "zhufeng.report is not allowed to import torch"),
        (
            "cluster/__init__.py",
            "import zhufeng.corpus",
            "zhufeng.cluster is not allowed to import",
        ),
        ("attic/__init__.py", "", "not listed as layers"),
    ],
)
def test_a_planted_import_is_caught(copy: Path, module: str, line: str, told: str) -> None:
    plant(copy, module, line)
    done = lint(copy)
    assert done.returncode == 1
    assert told in done.stdout or told in done.stderr, done.stdout + done.stderr


def test_an_import_inside_a_function_is_caught_too(copy: Path) -> None:
    plant(copy, "records/_plan.py", "def lazy() -> None:\n    import torch")
    assert lint(copy).returncode == 1


def test_every_room_without_torch_is_held_to_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in contracts["contracts"] if c["id"] == "no-torch")
    held = {module.removeprefix("zhufeng.") for module in contract["source_modules"]}
    assert held == {room for room in WITHOUT_TORCH if (ROOMS / room).is_dir()}


def imports() -> Iterator[tuple[Path, str]]:
    for path in ROOMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield path, node.module
            elif isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)


def test_rooms_meet_only_through_their_public_names() -> None:
    """`from zhufeng.base import x`, never `from zhufeng.base._typed import x`, from elsewhere.

    A room may have packages with public names of their own: `zhufeng.models.reference`.
    """
    for path, module in imports():
        parts = module.split(".")
        package = len(parts) == 3 and ROOMS.joinpath(*parts[1:], "__init__.py").exists()
        if parts[0] == "zhufeng" and len(parts) > 2 and not package:
            own = path.relative_to(ROOMS).parts[0]
            assert parts[1] == own, f"{path} imports {module}"


def test_no_room_is_empty() -> None:
    for room in (path for path in ROOMS.iterdir() if path.is_dir()):
        if room.name != "__pycache__":
            assert [p for p in room.rglob("*.py") if p.name != "__init__.py"], room
