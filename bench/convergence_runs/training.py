"""One training, from its run to its result; killed, it goes on."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from convergence_runs.identity import identity
from convergence_runs.plan import BASELINE, BRANCH, Run
from harness import machine
from zhufeng.base import cache_folder, sha256_json
from zhufeng.models.reference import load_reference
from zhufeng.stack import named_policy
from zhufeng.training import ReferenceTask, Schedule, read_metrics, reference_schedule, train

EVALUATIONS, CHECKPOINTS = 2, 10


class Result(TypedDict):
    """What is kept of a training."""

    final_loss: float
    """Held out, in nats a target, in the formats in which it was trained."""
    losses: list[list[float]]
    """Steps and the held-out loss after them."""
    batch_losses: list[float]
    """The mean over each twentieth of the steps."""
    targets: int
    parameters: int
    cpu_s: float
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
    begin = time.process_time()
    summary = train(task, schedule, folder, run.seed)
    spent = time.process_time() - begin
    lines = read_metrics(folder)
    held_out = [[n["step"] or 0, n["held_out_loss"] or 0.0] for n in lines if "held_out_loss" in n]
    if run.since:
        # Those before are of the trunk, in the formats of whoever trained it.
        held_out = [one for one in held_out if one[0] > run.steps * run.since]
    batches = [n["loss"] or 0.0 for n in lines if "loss" in n]
    shutil.rmtree(folder)
    return {
        "final_loss": held_out[-1][1],
        "losses": held_out,
        "batch_losses": _means(batches, 20),
        "targets": summary.targets,
        "parameters": summary.parameters,
        "cpu_s": round(spent, 1),
        "identity": own,
        "machine": str(machine()["processor"]),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


class _Trunk(ReferenceTask):
    """A reference whose training in bf16 is kept where policies branch off: what is the same for
    all of them is trained once.
    """

    def __init__(self, run: Run, schedule: Schedule, folder: Path) -> None:
        super().__init__(load_reference(run.reference), schedule, seed=run.seed)
        self._run, self._folder, self._branch = run, folder, round(run.steps * BRANCH)
        bf16 = identity(run.reference, named_policy(BASELINE))
        key = [run.reference, run.seed, run.share, bf16, torch.__version__]
        self._kept = cache_folder("convergence") / f"trunk-{sha256_json(key)}"

    def take_up(self) -> None:
        """Begin a branch where the trunk ends, if it is there and nothing is trained yet."""
        if self._run.since == BRANCH and self._kept.exists() and not any(self._folder.iterdir()):
            part = self._folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self._kept, part)
            part.rename(self._folder)

    def batch(self, step: int, micro: int) -> tuple[Tensor, Tensor]:
        """See `ReferenceTask`; a checkpoint of the steps before is there."""
        whole = self._run.policy == BASELINE and self._run.share == 1
        of_trunk = whole or self._run.since == BRANCH
        if step == self._branch and of_trunk and not self._kept.exists():
            part = self._kept.with_suffix(f".{os.getpid()}")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self._folder, part, ignore=shutil.ignore_patterns("tensorboard"))
            try:
                part.rename(self._kept)
            except OSError:  # Another training of this seed was first.
                shutil.rmtree(part)
        return super().batch(step, micro)


def schedule_of(run: Run) -> Schedule:
    """The frozen settings at the run's share of the steps, in the formats of its policy."""
    whole = reference_schedule(run.reference)
    return replace(
        whole,
        steps=run.steps,
        warmup=round(whole.warmup * run.share),
        policy=run.formats,
        evaluate_every=max(1, run.steps // EVALUATIONS),
        checkpoint_every=max(1, run.steps // CHECKPOINTS),
    )


def _means(values: list[float], parts: int) -> list[float]:
    size = -(-len(values) // parts)
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    return [round(sum(group) / len(group), 5) for group in groups]
