"""Points of a training: the model as it was, and a batch that it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zhufeng.base import InputError, brief, write_durable
from zhufeng.models import read_decoder, read_weights
from zhufeng.models.reference import load_reference
from zhufeng.training._artifact import (
    MODEL,
    POINTS,
    REFERENCE,
    REFERENCE_FILE,
    SUMMARY,
    SUMMARY_FILE,
    WEIGHTS,
    step_name,
)
from zhufeng.training._config import Precision
from zhufeng.training._task import Batch, Task

BATCH = "batch.safetensors"


@dataclass(frozen=True)
class TrainingPoint:
    """A model at one moment of its training."""

    step: int
    """Steps done."""
    model: nn.Module
    """Called with inputs and targets, it returns something with `loss`."""
    batch: tuple[Tensor, Tensor]
    """Inputs and targets: the first micro-batch of the step that came next."""
    precision: Precision


def write_point(folder: Path, task: Task, model: nn.Module, batch: Batch) -> None:
    """Write a model, and a batch's inputs and targets, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    task.save(folder, model)
    inputs, targets = (tensor.contiguous() for tensor in batch[:2])
    write_durable(folder / BATCH, save({"inputs": inputs, "targets": targets}))


def read_points(artifact: Path) -> list[TrainingPoint]:
    """The points that a training kept, in order; where it kept none, its end.

    Args:
        artifact: the folder of a finished training.

    Raises:
        InputError: it is damaged.
    """
    summary = SUMMARY.read_json(artifact / SUMMARY_FILE)
    kept = sorted((artifact / POINTS).glob(step_name(0)[:5] + "*"))
    folders = {int(folder.name.rpartition("-")[2]): folder for folder in kept}
    folders = folders or {summary.steps: artifact / MODEL}
    return [
        TrainingPoint(step, read_model(folder), _read_batch(folder / BATCH), summary.precision)
        for step, folder in folders.items()
    ]


def read_model(folder: Path) -> nn.Module:
    """A model that a training left: a decoder, or one of the references.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not (folder / REFERENCE_FILE).exists():
        return read_decoder(folder)
    model = load_reference(REFERENCE.read_json(folder / REFERENCE_FILE).name).build(0)
    read_weights(folder / WEIGHTS, model)
    return model


def _read_batch(path: Path) -> tuple[Tensor, Tensor]:
    try:
        found = load_file(path)
        return found["inputs"], found["targets"]
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read",
            expected="a batch of inputs and targets, as safetensors",
            came=brief(error),
            do="make the training again, or restore the file from a copy",
        ) from None
