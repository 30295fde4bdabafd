"""One training, from its run to its result; killed, it goes on."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from convergence_runs.identity import MORE_IMAGES, SEED_OF_IMAGES, identity
from convergence_runs.plan import BASELINE, BRANCH, Run
from harness import machine
from zhufeng.base import InputError, cache_folder, sha256_json, write_durable
from zhufeng.models.reference import ImageData, Reference, load_reference
from zhufeng.stack import named_policy
from zhufeng.training import ReferenceTask, Schedule, read_metrics, reference_schedule, train

CHECKPOINTS, PARTS = 10, 20
_BATCH = 64
_SPENT = "cpu_s"


class Result(TypedDict):
    """What is kept of a training."""

    final_loss: float | None
    """In nats a target, in the formats in which it was trained, on what `held_out` gives; None if
    the training has diverged.
    """
    batch_losses: list[float]
    """The mean over each of `PARTS` equal parts of the steps."""
    targets: int
    parameters: int
    cpu_s: float
    """Without what a trunk saved."""
    identity: str
    machine: str
    torch: str
    date: str


def trained(run: Run) -> Result:
    """Train; on one core."""
    torch.set_num_threads(1)
    schedule, own = schedule_of(run), identity(run.reference, run.formats)
    folder = cache_folder("convergence") / sha256_json([run.key, own])
    folder.mkdir(exist_ok=True)
    task = _Trunk(run, schedule, folder)
    task.take_up()
    diverged = False
    try:
        train(task, schedule, folder, run.seed)
    except InputError as error:
        if "diverged" not in error.where:
            raise
        diverged = True
    lines = [line for line in read_metrics(folder) if line["step"]]
    batches = [line for line in lines if "loss" in line]
    assert diverged or len(batches) == lines[-1]["step"] == run.steps
    spent = task.spent()
    shutil.rmtree(folder)
    return {
        "final_loss": None if diverged else _last(lines),
        "batch_losses": _means([line["loss"] or 0.0 for line in batches], run.steps),
        "targets": round(batches[-1]["targets"] or 0),
        "parameters": sum(one.numel() for one in task.build().parameters()),
        "cpu_s": round(spent, 1),
        "identity": own,
        "machine": str(machine()["processor"]),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def began_otherwise(run: Run, ours: Result, bf16: Result) -> bool:
    """Whether a branch did not begin as its baseline did: one of them was trained on a machine that
    rounds otherwise, and there is nothing to be compared. The smallest difference soon shows in the
    losses.
    """
    common = int(PARTS * run.since)
    return ours["batch_losses"][:common] != bf16["batch_losses"][:common]


class _Trunk(ReferenceTask):
    """A reference whose training in bf16 is kept where policies branch off: what is the same for
    all of them is trained once.
    """

    def __init__(self, run: Run, schedule: Schedule, folder: Path) -> None:
        super().__init__(load_reference(run.reference), schedule, seed=run.seed)
        self.held_out = lambda: held_out(self.reference)
        self._run, self._folder = run, folder
        self._begin, self._before = time.process_time(), 0.0
        whole = run.policy == BASELINE and run.share == 1
        ours = (BRANCH,) if whole else (run.since,)
        self._every = schedule.checkpoint_every
        self._ends = {round(run.steps * one): self._trunk(one) for one in ours if one}

    def _trunk(self, since: float) -> Path:
        bf16 = identity(self._run.reference, named_policy(BASELINE))
        key = [self._run.reference, self._run.seed, self._run.share, since, bf16, torch.__version__]
        return cache_folder("convergence") / f"trunk-{sha256_json(key)}"

    def take_up(self) -> None:
        """Begin a branch where the trunk ends, if it is there and nothing is trained yet."""
        trunk = self._trunk(self._run.since)
        if self._run.since and trunk.exists() and not any(self._folder.iterdir()):
            part = self._folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(trunk, part)
            (part / _SPENT).unlink(missing_ok=True)
            part.rename(self._folder)
        kept = self._folder / _SPENT
        self._before = float(kept.read_text()) if kept.exists() else 0.0

    def spent(self) -> float:
        """Seconds of CPU time, those before the last kill too."""
        return self._before + time.process_time() - self._begin

    def batch(self, step: int, micro: int) -> tuple[Tensor, Tensor]:
        """See `ReferenceTask`; a checkpoint of the steps before is there."""
        if step % self._every == 0:
            write_durable(self._folder / _SPENT, f"{self.spent()}".encode())
        trunk = self._ends.get(step)
        if trunk is not None and not trunk.exists():
            part = trunk.with_suffix(f".{os.getpid()}")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self._folder, part, ignore=shutil.ignore_patterns("tensorboard"))
            try:
                part.rename(trunk)
            except OSError:  # Another training of this seed was first.
                shutil.rmtree(part)
        return super().batch(step, micro)


def held_out(reference: Reference) -> Iterator[tuple[Tensor, Tensor]]:
    """The reference's held-out data, and where those are images, `MORE_IMAGES` more: of so many the
    mean loss is known to a tenth of a percent.
    """
    data = reference.data(SEED_OF_IMAGES)
    yield from data.held_out()
    if isinstance(reference.settings.data, ImageData):
        for number in range(MORE_IMAGES // _BATCH):
            yield data.batch(number, _BATCH)


def schedule_of(run: Run) -> Schedule:
    """The frozen settings at the run's share of the steps, in the formats of its policy."""
    whole = reference_schedule(run.reference)
    return replace(
        whole,
        steps=run.steps,
        warmup=round(whole.warmup * run.share),
        policy=run.formats,
        evaluate_every=run.steps,
        checkpoint_every=max(1, run.steps // CHECKPOINTS),
    )


def _last(lines: Sequence[Mapping[str, float | None]]) -> float | None:
    """The last held-out loss; None if it is no number."""
    loss = [line["held_out_loss"] for line in lines if "held_out_loss" in line][-1]
    return loss if loss is not None and math.isfinite(loss) else None


def _means(values: list[float], steps: int) -> list[float]:
    size = -(-steps // PARTS)
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    return [round(sum(group) / len(group), 5) for group in groups]
