"""The package as it is installed: versions, files, licences, examples and documents."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import zhufeng

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMMAND = re.compile(r"^(?:    |\$ )zhufeng ([a-z]+(?: build)?)", re.MULTILINE)
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    read = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", r.name.lower()): r for r in read}


def test_constraints_pin_torch_and_everything_the_extras_name() -> None:
    pinned = constraints()
    assert str(pinned["torch"].specifier) == "==2.13.0"
    named = list(PROJECT["dependencies"])
    named += chain.from_iterable(PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, named):
        if requirement.name == "zhufeng":
            continue
        pin = pinned[re.sub(r"[-_.]+", "-", requirement.name.lower())]
        version = next(iter(pin.specifier)).version
        assert requirement.specifier.contains(version), (requirement, version)


def test_what_is_installed_agrees_with_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_there_is_one_version() -> None:
    assert metadata.version("zhufeng") == zhufeng.__version__
    assert f"## {zhufeng.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_wheel_carries_what_the_demo_and_the_page_need(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = " ".join(wheel.namelist())
    for name in ("page.html.j2", "demo/recipe.toml", "demo/texts/route.txt", "py.typed", "LICENSE"):
        assert name in names


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not re.match(r"https?://|mailto:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_python_in_documents_runs(path: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    if not blocks:
        return
    program = tmp_path / "snippets.py"
    program.write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_in_documents_exist(path: Path) -> None:
    """Every `zhufeng COMMAND` shown answers --help."""
    from zhufeng.cli import main

    for line in re.findall(
        r"^(?:    |\$ )zhufeng ([a-z]+(?: build)?)", path.read_text(), re.MULTILINE
    ):
        assert main([*line.split(), "--help"]) == 0


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name
)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name
)
def test_example_recipes_run(path: Path, tmp_path: Path) -> None:
    from zhufeng.cli import main

    assert main(["run", str(path), "-o", str(tmp_path / "run")]) == 0
