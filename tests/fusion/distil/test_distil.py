"""A student taught: beside its baselines, to the same bytes, also after kills."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fusion.distil.members import TEXTS, teacher, tiny
from zhufeng.base import files_below
from zhufeng.fusion.distil import (
    DistilConfig,
    DistilResult,
    TeacherConfig,
    decoder_cost,
    distil,
    distil_table,
)
from zhufeng.fusion.mix import MemberSpec, open_member, split
from zhufeng.models import read_decoder


def configured(tmp: Path, **keys: Any) -> DistilConfig:
    given: dict[str, Any] = {
        "student": tiny(300),
        "tokenizer": str(tmp / "a" / "tokenizer.json"),
        "teacher": TeacherConfig(passage=16, held_out=0.2),
        "sequence": 16,
        "steps": 6,
        "batch": 4,
        "learning_rate": 1e-2,
        "checkpoint_every": 2,
    }
    return DistilConfig(**{**given, **keys})


def tree(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


@pytest.fixture
def teachers(tmp_path: Path) -> list[Any]:
    return [teacher(tmp_path, "a", 1), teacher(tmp_path, "b", 2, vocabulary=270)]


def test_beside_its_baselines(tmp_path: Path, teachers: list[Any]) -> None:
    (tmp_path / "out").mkdir()
    config = configured(tmp_path)
    result = distil(config, teachers, TEXTS, tmp_path / "out", 5)
    step = decoder_cost(tiny(300)).step(4, 16)
    student, alone, equal = result.student, result.corpus_alone, result.equal_compute
    assert alone.macs == 6 * step
    assert student.macs > alone.macs
    # The same compute, to the step that it is rounded up to.
    assert 0 <= equal.macs - student.macs < step
    assert student.bits_per_byte != alone.bits_per_byte
    assert "at equal compute" in distil_table(result)
    model = tmp_path / "out" / "student" / "model"
    baselines = tmp_path / "out" / "student" / "baselines"
    folders = [model, baselines / "corpus-alone", baselines / "equal-compute"]
    assert all(read_decoder(folder).config == tiny(300) for folder in folders)
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert len(set(weights)) == 3
    # It answers as a member does.
    bits = open_member(MemberSpec(name="s", folder=str(model))).score(split(TEXTS[0]))
    assert (bits > 0).all()


def test_without_weight_it_is_the_corpus_alone(tmp_path: Path, teachers: list[Any]) -> None:
    (tmp_path / "out").mkdir()
    result = distil(configured(tmp_path, weight=0.0), teachers, TEXTS, tmp_path / "out", 5)
    assert result.student.bits_per_byte == pytest.approx(result.corpus_alone.bits_per_byte, 1e-6)


def _run(config: DistilConfig, teachers: list[Any], out: Path, kill_at: str) -> None:
    """Dies at the first file of that name that is brought to its place."""
    real = Path.rename

    def rename(self: Path, target: Any) -> Path:
        if kill_at in str(target):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)

    Path.rename = rename  # type: ignore[method-assign,assignment]
    distil(config, teachers, TEXTS, out, 5)


def test_killed_it_goes_on_to_the_same_bytes(tmp_path: Path, teachers: list[Any]) -> None:
    config = configured(tmp_path)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    distil(config, teachers, TEXTS, tmp_path / "whole", 5)
    fork = multiprocessing.get_context("fork")
    out = tmp_path / "killed"
    for moment in ("part-00000", "corpus.json", "step-00000004", "corpus-alone/training.json"):
        child = fork.Process(target=_run, args=(config, teachers, out, moment))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, moment
    distil(config, teachers, TEXTS, out, 5)
    assert tree(out) == tree(tmp_path / "whole")


def test_another_weight_asks_nobody_again(tmp_path: Path, teachers: list[Any]) -> None:
    (tmp_path / "out").mkdir()
    first: DistilResult = distil(configured(tmp_path), teachers, TEXTS, tmp_path / "out", 5)
    (tmp_path / "out" / "student").rename(tmp_path / "student")

    def refuse() -> Any:
        raise AssertionError("asked again")

    silent = [type(one)(one.name, one.identity, refuse, one.macs) for one in teachers]
    config = configured(tmp_path, weight=3.0)
    second = distil(config, silent, TEXTS, tmp_path / "out", 5)
    assert second.corpus_alone == first.corpus_alone
    assert second.student.bits_per_byte != first.student.bits_per_byte
