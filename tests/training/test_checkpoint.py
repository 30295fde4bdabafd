"""Checkpoints: only whole ones count, and whatever is taken up goes on to the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.tasks import configured, token_task
from zhufeng.base import files_below, write_durable
from zhufeng.training import (
    Schedule,
    Trained,
    _checkpoint,
    _loop,
    learning_rate,
    make_optimizer,
    read_checkpoint,
    train,
    write_checkpoint,
)

FORMATS = ("safetensors", "distributed")
KEYS: dict[str, Any] = {"steps": 8, "checkpoint_every": 2, "micro_batches": 2}


class StoppedError(Exception):
    """The process has gone."""


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A training that ended before a step: its folder, with the checkpoints of that moment."""

    def start(name: str, before: int, **keys: Any) -> Path:
        task, schedule = token_task(tmp_path / "shards", configured(**{**KEYS, **keys}))
        folder = tmp_path / name
        folder.mkdir()
        real = learning_rate

        def stop(schedule: Schedule, step: int) -> float:
            if step == before:
                raise StoppedError
            return real(schedule, step)

        with monkeypatch.context() as patch:
            patch.setattr(_loop, "learning_rate", stop)
            with pytest.raises(StoppedError):
                train(task, schedule, folder, 1)
        return folder

    return start


def finished(tmp_path: Path, folder: Path, **keys: Any) -> dict[str, bytes]:
    """Every file once the training in `folder` has gone on to its end."""
    task, schedule = token_task(tmp_path / "shards", configured(**{**KEYS, **keys}))
    folder.mkdir(exist_ok=True)
    train(task, schedule, folder, 1)
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize("form", FORMATS)
def test_the_last_two_are_kept_and_taken_up(
    tmp_path: Path, interrupted: Callable[..., Path], form: str
) -> None:
    folder = interrupted("run", 7, checkpoint_format=form)
    assert checkpoints(folder) == ["LATEST", "step-00000004", "step-00000006"]
    assert (folder / "checkpoints" / "LATEST").read_text() == "step-00000006\n"
    whole = finished(tmp_path, tmp_path / "whole", checkpoint_format=form)
    assert finished(tmp_path, folder, checkpoint_format=form) == whole
    assert not any(name.startswith("checkpoints") for name in whole)


def largest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda path: path.stat().st_size)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damages() -> dict[str, Callable[[Path], object]]:
    newest = "step-00000006"
    return {
        "newest cut": lambda c: cut(largest(c / newest)),
        "newest flipped": lambda c: flip(largest(c / newest)),
        "newest gone": lambda c: shutil.rmtree(c / newest),
        "newest without its state": lambda c: (c / newest / "state.json").unlink(),
        "newest half removed": lambda c: largest(c / newest).unlink(),
        "state torn": lambda c: cut(c / newest / "state.json"),
        "LATEST gone": lambda c: (c / "LATEST").unlink(),
        "LATEST torn": lambda c: (c / "LATEST").write_text("st"),
        "LATEST no text": lambda c: (c / "LATEST").write_bytes(b"\xff\xfe"),
        "LATEST names an earlier one": lambda c: (c / "LATEST").write_text("step-00000004\n"),
        "LATEST names one to come": lambda c: (c / "LATEST").write_text("step-00000008\n"),
        "half written beside": lambda c: shutil.copytree(c / newest, c / ".step-00000008"),
        "a damaged one to come": lambda c: (c / "step-00000008").mkdir(),
        "both damaged": lambda c: list(map(flip, map(largest, c.glob("step-*")))),
        "all gone": shutil.rmtree,
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("damage", damages())
def test_whatever_is_damaged_the_end_is_the_same(
    tmp_path: Path, interrupted: Callable[..., Path], form: str, damage: str
) -> None:
    folder = interrupted("run", 7, checkpoint_format=form)
    damages()[damage](folder / "checkpoints")
    whole = finished(tmp_path, tmp_path / "whole", checkpoint_format=form)
    assert finished(tmp_path, folder, checkpoint_format=form) == whole


def begun(model: nn.Module) -> Trained:
    """Model and optimizer after two steps, so that there is a state to be put down."""
    trained = Trained(model, make_optimizer(model, configured().schedule()))
    for scale in (1.0, 2.0):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, scale)
        trained.optimizer.step()
    return trained


class Odd(nn.Module):
    """Tied weights, a buffer of integers, a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.scale = nn.Parameter(torch.tensor(2.0))


@pytest.mark.parametrize("form", FORMATS)
def test_every_tensor_comes_back(tmp_path: Path, form: Any) -> None:
    put = begun(old := Odd())
    old.norm(torch.randn(8, 3))
    write_checkpoint(tmp_path / "c", put, 2, 64, form)
    model = Odd()
    taken = Trained(model, make_optimizer(model, configured().schedule()))
    state = read_checkpoint(tmp_path / "c", taken)
    assert state
    assert (state.step, state.targets, state.format) == (2, 64, form)
    for part, tensors in put.parts().items():
        assert tensors.keys() == taken.parts()[part].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, taken.parts()[part][name]), name
    assert model.first.weight is model.second.weight
    assert model.norm.num_batches_tracked == 1


@pytest.mark.parametrize("form", FORMATS)
def test_latest_never_names_what_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    """At the moment at which LATEST is written, what it names stands, every byte of it."""
    named: list[str] = []
    real = write_durable

    def watched(path: Path, data: bytes) -> None:
        if path.name == "LATEST":
            place = path.parent / data.decode().strip()
            state = json.loads((place / "state.json").read_text())
            assert set(files_below(place)) == {*state["files"], "state.json"}
            assert _checkpoint._whole(place)
            named.append(place.name)
        real(path, data)

    monkeypatch.setattr(_checkpoint, "write_durable", watched)
    for step in (1, 2, 3):
        write_checkpoint(tmp_path / "c", begun(Odd()), step, 0, form)
    assert named == [f"step-{step:08d}" for step in (1, 2, 3)]
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["LATEST", *named[1:]]


def test_nothing_is_taken_up_where_nothing_is(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "c", begun(Odd())) is None
