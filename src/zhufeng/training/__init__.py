"""The one training loop: decoders on token shards, and the frozen references on their own data.

The configuration needs no torch; everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.training._artifact import MODEL, POINTS, SUMMARY, TrainSummary, step_name
from zhufeng.training._config import DEFAULTS, SHARD_FILES, Schedule, TrainConfig

if TYPE_CHECKING:
    from zhufeng.training._checkpoint import Trained, read_checkpoint, write_checkpoint
    from zhufeng.training._evaluate import Evaluation, evaluate
    from zhufeng.training._loop import train, train_in_bf16
    from zhufeng.training._metrics import read_metrics
    from zhufeng.training._open import open_task, reference_schedule
    from zhufeng.training._optimizer import learning_rate, make_optimizer
    from zhufeng.training._points import TrainingPoint, read_model, read_points
    from zhufeng.training._section import training_section
    from zhufeng.training._stream import TokenStream, WindowOrder
    from zhufeng.training._task import ReferenceTask, Task, TokenTask

__getattr__ = lazy_names(
    __name__,
    {
        "Evaluation": "_evaluate",
        "ReferenceTask": "_task",
        "Task": "_task",
        "TokenStream": "_stream",
        "TokenTask": "_task",
        "Trained": "_checkpoint",
        "TrainingPoint": "_points",
        "WindowOrder": "_stream",
        "evaluate": "_evaluate",
        "learning_rate": "_optimizer",
        "make_optimizer": "_optimizer",
        "open_task": "_open",
        "read_checkpoint": "_checkpoint",
        "read_metrics": "_metrics",
        "read_model": "_points",
        "read_points": "_points",
        "reference_schedule": "_open",
        "train": "_loop",
        "train_in_bf16": "_loop",
        "training_section": "_section",
        "write_checkpoint": "_checkpoint",
    },
    extra="train",
)

__all__ = [
    "DEFAULTS",
    "MODEL",
    "POINTS",
    "SHARD_FILES",
    "SUMMARY",
    "Evaluation",
    "ReferenceTask",
    "Schedule",
    "Task",
    "TokenStream",
    "TokenTask",
    "TrainConfig",
    "TrainSummary",
    "Trained",
    "TrainingPoint",
    "WindowOrder",
    "evaluate",
    "learning_rate",
    "make_optimizer",
    "open_task",
    "read_checkpoint",
    "read_metrics",
    "read_model",
    "read_points",
    "reference_schedule",
    "step_name",
    "train",
    "train_in_bf16",
    "training_section",
    "write_checkpoint",
]
