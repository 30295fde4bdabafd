"""Evaluation on held-out data: nats a target, and bits a byte where the targets are text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zhufeng.models import IGNORED
from zhufeng.training._task import Task


@dataclass(frozen=True)
class Evaluation:
    """What a model reaches on the held-out data."""

    loss: float
    """Mean cross-entropy in nats a target, without the balance loss of experts."""
    bits_per_byte: float | None
    """Of the text that the targets stand for; None where they are no text."""


@torch.no_grad()
def evaluate(model: nn.Module, task: Task, device: str) -> Evaluation | None:
    """The model's cross-entropy over the task's held-out data; None where there is none."""
    nats, targets_seen, text_bytes = 0.0, 0, 0.0
    is_text = True
    model.eval()
    for inputs, targets in task.held_out():
        logits: Tensor = model(inputs.to(device)).logits
        nats += _summed(logits, targets.to(device))
        targets_seen += int((targets != IGNORED).sum())
        found = task.text_bytes(targets)
        is_text = is_text and found is not None
        text_bytes += found or 0.0
    model.train()
    if not targets_seen:
        return None
    bits = nats / math.log(2) / text_bytes if is_text and text_bytes else None
    return Evaluation(nats / targets_seen, bits)


def _summed(logits: Tensor, targets: Tensor) -> float:
    """Cross-entropy of all targets together, in nats, summed in fp64."""
    each = functional.cross_entropy(
        logits.float().flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return float(each.double().sum())
