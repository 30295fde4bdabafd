"""What a training leaves: names of files, and its summary. Without torch."""

from __future__ import annotations

from zhufeng.base import record
from zhufeng.records import Form
from zhufeng.training._config import Precision

# A TokenSet whose tokens are bytes of UTF-8 says so by this name of its tokenizer.
BYTES = "bytes"

MODEL = "model"
"""Folder of the trained model."""
POINTS = "points"
"""Folder of the models at the points to keep, each in ``step-NNNNNNNN``."""
CHECKPOINTS = "checkpoints"
BF16 = "bf16"
"""Folder of the same training in bf16, beside one by a policy."""
METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
SUMMARY_FILE = "training.json"
REFERENCE_FILE = "reference.json"
WEIGHTS = "model.safetensors"


def step_name(step: int) -> str:
    """Name of a folder that belongs to a step; names sort as steps do."""
    return f"step-{step:08d}"


@record
class ReferenceName:
    """Which of the frozen reference models the weights beside it are of."""

    name: str


REFERENCE = Form("reference", ReferenceName)


@record
class TrainSummary:
    """What came of a training."""

    parameters: int
    """Numbers that are learned, tied ones once."""
    steps: int
    targets: int
    """Learned from: tokens of text, or examples."""
    loss: float
    """Of the last step's batch, in nats a target."""
    held_out_loss: float | None
    """In nats a target; None where nothing is held out."""
    bits_per_byte: float | None
    """Of the held-out text; None where it is no text, or of unknown size."""
    precision: Precision
    """In which it was computed."""
    policy: str | None = None
    """The name of its matrix products' formats."""


SUMMARY = Form("training", TrainSummary)
