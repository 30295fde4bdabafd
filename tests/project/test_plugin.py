"""The example plugin, installed as a user would install it, into a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin's package and metadata."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(folder), str(PLUGIN)]
    subprocess.run(command, check=True, cwd=folder)
    return folder


def zhufeng(site: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PYTHONPATH": str(site)} if site else {})}
    return subprocess.run(
        [sys.executable, "-m", "zhufeng", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plugins_stage_joins_the_route(site: Path, tmp_path: Path) -> None:
    recipe, run = PLUGIN / "recipe.toml", tmp_path / "run"
    done = zhufeng(site, "run", recipe, "-o", run, "--json")
    assert done.returncode == 0, done.stderr
    stages: list[dict[str, Any]] = json.loads(done.stdout)["stages"]
    assert [(s["name"], s["did"]) for s in stages] == [("corpus", "made"), ("wordcount", "made")]
    words = json.loads((run / "wordcount/words.json").read_text())
    text = "".join(p.read_text() for p in (ROOT / "src/zhufeng/route/demo/texts").iterdir())
    letters = "".join(c if c.isalpha() else " " for c in text.lower())
    counted = Counter(word for word in letters.split() if len(word) >= 4)
    assert words == counted
    assert '<section id="wordcount">' in (run / "index.html").read_text()
    changed = zhufeng(site, "run", recipe, "-o", run, "--set", "wordcount.top=3", "--json")
    assert [s["did"] for s in json.loads(changed.stdout)["stages"]] == ["nothing", "made"]
    told = json.loads(zhufeng(site, "doctor", "--json").stdout)["stages"]
    assert told["wordcount"] == "works"


def test_without_the_plugin_its_section_is_unknown(tmp_path: Path) -> None:
    done = zhufeng(None, "run", PLUGIN / "recipe.toml", "-o", tmp_path / "run")
    assert done.returncode == 2
    assert "unknown key 'wordcount'" in done.stderr


def test_a_plugin_that_does_not_load_is_named_by_doctor(tmp_path: Path) -> None:
    broken = tmp_path / "broken_plugin-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[zhufeng.stages]\nbroken = nowhere:STAGE\n")
    done = zhufeng(tmp_path, "doctor", "--json")
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding.startswith("the stage 'broken' of the package broken-plugin cannot be loaded")
    assert finding.endswith("do: reinstall or uninstall broken-plugin")
    texts = ROOT / "src/zhufeng/route/demo/texts"
    done = zhufeng(tmp_path, "corpus", "build", texts, "-o", tmp_path / "run")
    assert done.returncode == 0
