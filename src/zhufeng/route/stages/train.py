"""The stage ``[train]``: a decoder on the run's corpus or on shards, or a frozen reference."""

from __future__ import annotations

from zhufeng.report import Section
from zhufeng.route import Stage, Work
from zhufeng.training import SHARD_FILES, TrainConfig


def _needs(config: TrainConfig) -> tuple[str, ...]:
    return () if config.reference or config.shards else ("corpus",)


def _make(config: TrainConfig, work: Work) -> Section:
    # Only here: torch takes seconds to import, and a run's status needs none of it.
    from zhufeng.training import open_task, train, train_in_bf16, training_section  # noqa: PLC0415

    files = [source.path for source in work.sources["shards"]]
    for place in work.upstream.values():
        files += sorted(p for p in place.iterdir() if p.name.endswith(SHARD_FILES.endings))
    task, schedule = open_task(config, files, work.seed)
    summary = train(task, schedule, work.folder, work.seed)
    beside = schedule.policy is not None and config.against_bf16
    bf16 = train_in_bf16(task, schedule, work.folder, work.seed) if beside else None
    work.draft.figures |= {
        "parameters": summary.parameters,
        "steps": summary.steps,
        "targets": summary.targets,
        "loss": summary.loss,
        "held_out_loss": summary.held_out_loss,
        "bits_per_byte": summary.bits_per_byte,
    }
    if bf16 is not None:
        work.draft.figures["bf16_held_out_loss"] = bf16.held_out_loss
        work.draft.figures["bf16_loss"] = bf16.loss
    return training_section(config, task, work.folder, summary, bf16=bf16, seed=work.seed)


STAGE = Stage(
    name="train",
    title="Training",
    version=1,
    config=TrainConfig,
    make=_make,
    needs=_needs,
    resumes=True,
    packages=("numpy", "safetensors", "tensorboard", "torch"),
    command="zhufeng train CONFIG",
)
