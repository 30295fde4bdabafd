"""The optimizer and its learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from zhufeng.training._config import Schedule


def learning_rate(schedule: Schedule, step: int) -> float:
    """Of a step, counted from 0: a linear rise to the peak, then half a cosine."""
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    past = (step - schedule.warmup) / (schedule.steps - schedule.warmup)
    fall = 0.5 * (1 + math.cos(math.pi * past))
    return schedule.learning_rate * (schedule.final_share + (1 - schedule.final_share) * fall)


def make_optimizer(model: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW that decays matrices alone; fused, which computes element by element."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=schedule.learning_rate,
        betas=(schedule.beta1, schedule.beta2),
        eps=schedule.epsilon,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
