"""Small decoders: trained, canonical, the same bytes, also after a kill."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from tests.route.test_kill import tree
from tests.training.tasks import english
from zhufeng.base import InputError
from zhufeng.fusion.small import train_small
from zhufeng.models import DecoderConfig, read_decoder
from zhufeng.training import TrainConfig

MODEL = DecoderConfig(vocabulary=320, layers=1, width=32, heads=2, ff_width=64, tied=True)
CONFIG = TrainConfig(
    model=MODEL, sequence=32, held_out=0.1, steps=60, batch=8, learning_rate=1e-2, warmup=4
)
SHORT = replace(CONFIG, steps=4, warmup=1, evaluate_every=4, checkpoint_every=2)
CANONICAL = ["config.json", "model.safetensors", "tokenizer.json"]


def paragraphs() -> list[str]:
    return [part for one in english() for part in one.decode().split("\n\n")]


def byte_entropy(text: str) -> float:
    counts = Counter(text.encode())
    whole = sum(counts.values())
    return -sum(n / whole * math.log2(n / whole) for n in counts.values())


def test_it_learns_and_leaves_a_canonical_folder(tmp_path: Path) -> None:
    made = train_small(paragraphs(), CONFIG, tmp_path / "small", 3)
    assert sorted(made.files) == sorted([*CANONICAL, "metrics.jsonl", "training.json"])
    assert read_decoder(tmp_path / "small").config == MODEL
    loaded = Tokenizer.from_file(str(tmp_path / "small" / "tokenizer.json"))
    assert loaded.get_vocab_size() == MODEL.vocabulary
    # Below what any memory of single bytes can reach.
    bits = made.figures["bits_per_byte"]
    assert bits is not None
    assert bits < byte_entropy("\n\n".join(paragraphs()))


def test_the_same_arguments_give_the_same_bytes_and_nothing_is_done_twice(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("other", 1), ("another", 2)):
        train_small(paragraphs(), SHORT, tmp_path / name, seed)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")
    weights = [tmp_path / name / "model.safetensors" for name in ("one", "another")]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    before = weights[0].stat().st_mtime_ns
    train_small(paragraphs(), SHORT, tmp_path / "one", 1)
    assert weights[0].stat().st_mtime_ns == before
    for texts, config in ((["other text " * 99], SHORT), (paragraphs(), CONFIG)):
        with pytest.raises(InputError, match="stands already"):
            train_small(texts, config, tmp_path / "one", 1)


class Killed(BaseException):
    """In place of a signal: nothing catches it but what also runs at a kill's next start."""


class Moments:
    """Counts what reaches the disk or changes a name, and stops at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int = -1) -> None:
        self.count, self._last = 0, last
        for owner, name in ((os, "fsync"), (os, "rename"), (Path, "rename"), (os, "rmdir")):
            patch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, real: Any) -> Any:
        def call(*arguments: Any, **keys: Any) -> Any:
            self.count += 1
            if self.count == self._last:
                raise Killed
            return real(*arguments, **keys)

        return call


def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        moments = Moments(patch)
        train_small(paragraphs()[:6], SHORT, tmp_path / "whole", 1)
    assert moments.count > 20
    (tmp_path / "killed").mkdir()
    place = tmp_path / "killed" / "small"
    for last in range(1, moments.count, 9):
        with monkeypatch.context() as patch:
            Moments(patch, last)
            with pytest.raises(Killed):
                train_small(paragraphs()[:6], SHORT, place, 1)
        train_small(paragraphs()[:6], SHORT, place, 1)
        assert tree(place) == tree(tmp_path / "whole"), last
        assert [path.name for path in place.parent.iterdir()] == ["small"]
        for path in sorted(place.rglob("*"), reverse=True):
            path.unlink()
        place.rmdir()
