"""Kill -9 anywhere in a training: it ends with the bytes of one that was never killed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.route.test_kill import KILLED, Caller, tree
from tests.training.tasks import english, write_shards

SEED = 20_261_122
TRAIN = """
name = "killed"
seed = 7

[train]
shards = ["shards"]
sequence = 16
steps = 12
batch = 4
micro_batches = 2
learning_rate = 1e-2
held_out = 0.05
evaluate_every = 3
checkpoint_every = 2
checkpoint_format = "{form}"
keep = [0.0, 0.5, 1.0]

[train.model]
vocabulary = 257
layers = 1
width = 16
heads = 2
ff_width = 32
"""


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with (tmp_path / "log").open("w") as log:
        made = Caller(log, "-m", "tests.training.killed_training")
        yield made
        made.close()


def command(folder: Path, form: str) -> list[str]:
    """The command that trains, with checkpoints of a form."""
    write_shards(folder / "shards", *english())
    (folder / "recipe.toml").write_text(TRAIN.format(form=form))
    return ["run", str(folder / "recipe.toml")]


@pytest.mark.parametrize("form", ["safetensors", "distributed"])
@pytest.mark.parametrize(
    "kills", [pytest.param(20, id="20"), pytest.param(200, marks=pytest.mark.soak, id="200")]
)
def test_kills_at_random_moments(tmp_path: Path, caller: Caller, form: str, kills: int) -> None:
    """A run is killed again and again until it ends; then the next one begins."""
    walk, run, draw = command(tmp_path, form), tmp_path / "run", random.Random(SEED)
    status, moments = caller.call(walk, run)
    assert status == 0
    expected = tree(run)
    came, finished = 0, 0
    while came < kills:
        shutil.rmtree(run)
        while caller.call(walk, run, draw.randint(1, moments))[0] == KILLED:
            came += 1
            assert not (run / "train").exists() or tree(run / "train") == {
                name.removeprefix("train/"): data
                for name, data in expected.items()
                if name.startswith("train/")
            }
        assert tree(run) == expected
        finished += 1
    # Most kills came while there was work to lose.
    assert came > finished


def test_twenty_kills_of_one_training(tmp_path: Path, caller: Caller) -> None:
    """Each a few moments after the training was taken up again."""
    walk, draw = command(tmp_path, "safetensors"), random.Random(SEED)
    whole, run = tmp_path / "whole" / "run", tmp_path / "run"
    whole.parent.mkdir()
    status, moments = caller.call(walk, whole)
    assert status == 0
    for _ in range(20):
        assert caller.call(walk, run, draw.randint(1, moments // 5))[0] == KILLED
    assert caller.call(walk, run)[0] == 0
    assert tree(run) == tree(whole)
