"""One training, from its run to its result; killed, it goes on."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypedDict

import torch

from convergence_runs.identity import identity
from convergence_runs.plan import Run
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
    schedule, own = schedule_of(run), identity(run.reference, run.policy)
    task = ReferenceTask(load_reference(run.reference), schedule, seed=run.seed)
    folder = cache_folder("convergence") / sha256_json([run.key, own])
    folder.mkdir(exist_ok=True)
    begin = time.process_time()
    summary = train(task, schedule, folder, run.seed)
    spent = time.process_time() - begin
    lines = read_metrics(folder)
    held_out = [[n["step"] or 0, n["held_out_loss"] or 0.0] for n in lines if "held_out_loss" in n]
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


def schedule_of(run: Run) -> Schedule:
    """The frozen settings at the run's share of the steps, in the formats of its policy."""
    whole = reference_schedule(run.reference)
    return replace(
        whole,
        steps=run.steps,
        warmup=round(whole.warmup * run.share),
        policy=named_policy(run.policy),
        evaluate_every=max(1, run.steps // EVALUATIONS),
        checkpoint_every=max(1, run.steps // CHECKPOINTS),
    )


def _means(values: list[float], parts: int) -> list[float]:
    size = -(-len(values) // parts)
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    return [round(sum(group) / len(group), 5) for group in groups]
