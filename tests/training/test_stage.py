"""The stage [train] in a run, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.conftest import Answer
from tests.training.tasks import TEXTS, write_shards
from zhufeng.base import read_manifest
from zhufeng.models import read_decoder
from zhufeng.report import Quote, read_section
from zhufeng.training import MODEL, read_metrics

Command = Callable[..., Answer]
TRAIN = """
[train]
sequence = 16
steps = 4
batch = 4
keep = [0.0, 1.0]

[train.model]
vocabulary = 257
layers = 1
width = 16
heads = 2
ff_width = 32
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(TRAIN)
    return path


def test_a_model_is_trained_on_the_runs_corpus(
    tmp_path: Path, config: Path, zhufeng: Command
) -> None:
    run = tmp_path / "run"
    assert zhufeng("corpus", "build", TEXTS, "-o", run).code == 0
    answer = zhufeng("train", config, "-o", run, "--json")
    assert answer.code == 0, answer.err
    (told,) = json.loads(answer.out)["stages"]
    manifest = read_manifest(run / "train" / "manifest.json")
    assert told["figures"] == manifest.figures
    assert manifest.figures["steps"] == 4
    assert manifest.figures["bits_per_byte"] == read_metrics(run / "train")[-1]["bits_per_byte"]
    assert list(manifest.spec.inputs) == ["stage: corpus"]
    model = read_decoder(run / "train" / MODEL)
    assert model(torch.tensor([[1, 2]])).logits.shape == (1, 2, 257)
    section = read_section(run / "train")
    assert any(isinstance(block, Quote) for block in section.blocks)
    assert "Training" in (run / "index.html").read_text()
    assert zhufeng("status", run).code == 0
    again = json.loads(zhufeng("train", config, "-o", run, "--json").out)
    assert again["stages"][0]["did"] == "nothing"


def test_steps_from_the_command_line(tmp_path: Path, config: Path, zhufeng: Command) -> None:
    write_shards(tmp_path / "shards", b"some text " * 200)
    config.write_text(TRAIN.replace("sequence", 'shards = ["shards"]\nsequence'))
    answer = zhufeng("train", config, "--steps", "2", "-o", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["stages"][0]["figures"]["steps"] == 2
    manifest = read_manifest(tmp_path / "run" / "train" / "manifest.json")
    assert list(manifest.spec.inputs) == [
        "shards: shards/tokens-00000.bin",
        "shards: shards/tokens-00000.idx",
        "shards: shards/tokens.json",
    ]


def test_a_corpus_is_asked_for(tmp_path: Path, config: Path, zhufeng: Command) -> None:
    answer = zhufeng("train", config, "-o", tmp_path / "run")
    assert answer.code == 2
    assert f"make it first: zhufeng corpus build INPUT... -o {tmp_path / 'run'}" in answer.err


def test_a_reference_needs_no_file(tmp_path: Path, zhufeng: Command) -> None:
    run = tmp_path / "run"
    answer = zhufeng("train", "--reference", "mlp-small", "--steps", "2", "-o", run)
    assert answer.code == 0, answer.err
    assert json.loads((run / "train" / MODEL / "reference.json").read_text())["name"] == "mlp-small"
    assert "reference mlp-small" in read_section(run / "train").summary
    misspelt = zhufeng("train", "--reference", "mlp-smal", "-o", tmp_path / "other")
    assert misspelt.code == 2
    assert "mlp-small" in misspelt.err


def test_a_runs_status_imports_no_torch(tmp_path: Path, config: Path, zhufeng: Command) -> None:
    zhufeng("corpus", "build", TEXTS, "-o", tmp_path / "run")
    assert zhufeng("train", config, "-o", tmp_path / "run").code == 0
    program = (
        "import sys; from zhufeng.cli import main; "
        f"code = main(['status', {str(tmp_path / 'run')!r}]); "
        "sys.exit(code or 10 * ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_two_runs_of_one_recipe_are_equal(tmp_path: Path, config: Path, zhufeng: Command) -> None:
    config.write_text(f'name = "t"\n[corpus]\ninputs = ["{TEXTS}"]\n{TRAIN}')
    trees = []
    for name in ("1", "2"):
        assert zhufeng("run", config, "-o", tmp_path / name).code == 0
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        trees.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert trees[0] == trees[1]
