"""Texts, shards and tasks that the tests train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zhufeng.models import DecoderConfig
from zhufeng.records import TokenSet, read_shard, shard_writer, write_token_set
from zhufeng.route import demo_recipe
from zhufeng.training import Schedule, TokenTask, TrainConfig

TEXTS = demo_recipe().parent / "texts"
TINY = DecoderConfig(vocabulary=257, layers=1, width=16, heads=2, ff_width=32, tied=True)
END = 256


def write_shards(folder: Path, *documents: bytes, per_shard: int = 1) -> list[Path]:
    """Byte shards of some documents each, with their tokens.json; returns all files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(0, len(documents), per_shard):
        with shard_writer(folder / f"tokens-{number:05d}", END + 1) as shard:
            for document in documents[number : number + per_shard]:
                shard.write(np.array([*document, END]))
    text_bytes = sum(map(len, documents))
    tokens = text_bytes + len(documents)
    told = TokenSet(
        tokenizer="bytes", vocabulary=END + 1, end=END, tokens=tokens, text_bytes=text_bytes
    )
    write_token_set(folder, told)
    return sorted(folder.iterdir())


def english() -> list[bytes]:
    return [(TEXTS / name).read_bytes() for name in ("measuring.txt", "route.txt")]


def configured(**keys: Any) -> TrainConfig:
    """A configuration of few and small steps."""
    defaults: dict[str, Any] = {
        "model": TINY,
        "steps": 6,
        "batch": 4,
        "sequence": 16,
        "learning_rate": 1e-2,
        "held_out": 0.05,
        "warmup": 2,
    }
    return TrainConfig(**{**defaults, **keys})


def token_task(folder: Path, config: TrainConfig, seed: int = 1) -> tuple[TokenTask, Schedule]:
    """A task on the shards in `folder`, which are made of English if they are not there."""
    if not folder.exists():
        write_shards(folder, *english())
    tokens = None
    if (folder / "tokens.json").exists():
        from zhufeng.records import read_token_set

        tokens = read_token_set(folder)
    shards = [read_shard(path.with_suffix("")) for path in sorted(folder.glob("*.idx"))]
    assert config.model
    schedule = config.schedule()
    task = TokenTask(
        config.model,
        shards,
        schedule,
        seed=seed,
        sequence=config.sequence_length,
        held_out=config.held_out_share,
        tokens=tokens,
    )
    return task, schedule
