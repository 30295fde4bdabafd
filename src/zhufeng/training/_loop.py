"""The one training loop."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from zhufeng.base import InputError, derive_seed, sync_folder, track
from zhufeng.stack import emulate, named_policy
from zhufeng.training._artifact import (
    BF16,
    CHECKPOINTS,
    MODEL,
    POINTS,
    SUMMARY,
    SUMMARY_FILE,
    TENSORBOARD,
    TrainSummary,
    step_name,
)
from zhufeng.training._checkpoint import Trained, read_checkpoint, write_checkpoint
from zhufeng.training._config import Schedule
from zhufeng.training._device import autocast, check_device, reproducible
from zhufeng.training._evaluate import Evaluation, evaluate
from zhufeng.training._metrics import Metrics, read_metrics
from zhufeng.training._optimizer import learning_rate, make_optimizer
from zhufeng.training._points import write_point
from zhufeng.training._task import Task


def train(task: Task, schedule: Schedule, folder: Path, seed: int) -> TrainSummary:
    """Train, going on from the newest checkpoint in `folder`, and leave the model there.

    The same arguments give the same bits, however often the process is killed between.

    Args:
        task: model and data.
        schedule: everything else.
        folder: of the artifact; must exist. Gains ``model/``, ``points/``, ``metrics.jsonl``,
            ``tensorboard/`` and ``training.json``, and ``checkpoints/`` until it is done.
        seed: of what the model itself draws.

    Raises:
        InputError: the loss is no longer finite, or there is no such device.
    """
    check_device(schedule)
    done = folder / SUMMARY_FILE
    if not done.exists():
        with reproducible(schedule):
            summary = _Loop(task, schedule, folder, seed).run()
        SUMMARY.write_json(done, summary)
    # What it says stands; a kill from here on costs nothing.
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    sync_folder(folder)
    return SUMMARY.read_json(done)


def train_in_bf16(task: Task, schedule: Schedule, folder: Path, seed: int) -> TrainSummary:
    """The same training with products of bf16, to compare with: in ``bf16/`` in `folder`.

    Of the model nothing is left but ``metrics.jsonl`` and ``training.json``. Arguments, errors and
    what a kill does to it are those of `train`.
    """
    own = folder / BF16
    own.mkdir(exist_ok=True)
    summary = train(task, replace(schedule, policy=named_policy("bf16"), keep=()), own, seed)
    for name in (MODEL, TENSORBOARD):
        shutil.rmtree(own / name, ignore_errors=True)
    sync_folder(own)
    return summary


@dataclass
class _Loop:
    task: Task
    schedule: Schedule
    folder: Path
    seed: int

    def run(self) -> TrainSummary:
        """Every step that is not done yet, and what comes after the last."""
        self.model = self.task.build().to(self.schedule.device)
        self.optimizer = make_optimizer(self.model, self.schedule)
        self.formats = _Formats(self.model, self.schedule, self.seed)
        self.targets = 0
        begin = self._resume()
        with Metrics(self.folder, begin) as self.metrics:
            if begin is None:
                self._look(0)
            for step in track(range(begin or 0, self.schedule.steps), "training"):
                self._step(step)
                self._look(step + 1)
            self.metrics.sync()
        self._save(self.folder / MODEL, self.schedule.steps)
        return self._summary()

    def _resume(self) -> int | None:
        trained = Trained(self.model, self.optimizer)
        state = read_checkpoint(self.folder / CHECKPOINTS, trained)
        if state is None:
            return None
        self.targets = state.targets
        return state.step

    def _step(self, step: int) -> None:
        """One step of the optimizer, from the gradients of all its micro-batches."""
        rate = learning_rate(self.schedule, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        losses = [self._backward(step, micro) for micro in range(self.schedule.micro_batches)]
        norm = float(self._clipped_norm())
        loss = math.fsum(map(float, losses))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _diverged(step + 1, loss, norm, rate)
        self.optimizer.step()
        self.metrics.add(
            {
                "step": step + 1,
                "loss": loss,
                "learning_rate": rate,
                "gradient_norm": norm,
                "targets": self.targets,
            }
        )

    def _backward(self, step: int, micro: int) -> Tensor:
        """Add a micro-batch's gradients; returns its share of the step's loss."""
        batch = self.task.batch(step, micro)
        self.targets += batch[1].numel()
        device = self.schedule.device
        # What the model draws itself is a function of the seed and the step too.
        torch.manual_seed(derive_seed(self.seed, "step", step, micro))
        with self.formats.at(step, micro):
            loss: Tensor = self.model(*(tensor.to(device) for tensor in batch)).loss
        share = loss / self.schedule.micro_batches
        share.backward()  # type: ignore[no-untyped-call]
        return share.detach()

    def _clipped_norm(self) -> Tensor:
        """Norm of all gradients together before they are clipped."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        if self.schedule.clip:
            return clip_grad_norm_(parameters, self.schedule.clip)
        return get_total_norm([p.grad for p in parameters if p.grad is not None])

    def _look(self, step: int) -> None:
        """What is due once `step` steps are done: evaluation, a point to keep, a checkpoint."""
        last = step == self.schedule.steps
        if step % self.schedule.evaluate_every == 0 or last:
            found = self._evaluate(step)
            if found is not None:
                line = {"held_out_loss": found.loss, "bits_per_byte": found.bits_per_byte}
                self.metrics.add({"step": step, **line})
        if step in self.schedule.kept_steps:
            self._save(self.folder / POINTS / step_name(step), step)
        if step and (step % self.schedule.checkpoint_every == 0 or last):
            self.metrics.sync()
            trained = Trained(self.model, self.optimizer)
            form = self.schedule.checkpoint_format
            write_checkpoint(self.folder / CHECKPOINTS, trained, step, self.targets, form)

    def _evaluate(self, step: int) -> Evaluation | None:
        with self.formats.at(step, 0):
            return evaluate(self.model, self.task, self.schedule.device)

    def _save(self, folder: Path, step: int) -> None:
        write_point(folder, self.task, self.model, self.task.batch(step, 0))

    def _summary(self) -> TrainSummary:
        lines = read_metrics(self.folder)
        held_out = [line for line in lines if "held_out_loss" in line]
        last = held_out[-1] if held_out else {}
        losses = [line["loss"] for line in lines if "loss" in line]
        return TrainSummary(
            parameters=sum(p.numel() for p in self.model.parameters()),
            steps=self.schedule.steps,
            targets=self.targets,
            loss=losses[-1] or 0.0,
            precision=self.schedule.precision,
            policy=self.schedule.policy.name if self.schedule.policy else None,
            held_out_loss=last.get("held_out_loss"),
            bits_per_byte=last.get("bits_per_byte"),
        )


class _Formats:
    """In which number formats a model's forward passes run."""

    def __init__(self, model: nn.Module, schedule: Schedule, seed: int) -> None:
        self._schedule, self._emulation = schedule, None
        if schedule.policy is not None:
            own = derive_seed(seed, "policy")
            self._emulation = emulate(model, schedule.policy, seed=own, threads=schedule.threads)

    @contextmanager
    def at(self, step: int, micro: int) -> Iterator[None]:
        """A forward pass after so many steps."""
        if self._emulation is None:
            with autocast(self._schedule):
                yield
        else:
            turn = step * self._schedule.micro_batches + micro
            with self._emulation.at(turn, step / self._schedule.steps):
                yield


def _diverged(step: int, loss: float, norm: float, rate: float) -> InputError:
    return InputError(
        f"the training has diverged at step {step}",
        expected="a finite loss and finite gradients",
        came=f"loss {loss:g}, gradient norm {norm:g}, at a learning rate of {rate:g}",
        do="lower learning_rate, lengthen warmup, or clip gradients",
    )
