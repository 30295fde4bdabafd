"""The frozen reference models of all benchmarks: model, data, optimizer, schedule, evaluation.

What stands here is what a benchmark's evidence rests on: it is never changed to suit a result.
Names and settings need no torch; everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.models.reference._settings import (
    REFERENCES,
    CnnConfig,
    ImageData,
    MlpConfig,
    Settings,
    TextData,
)

if TYPE_CHECKING:
    from zhufeng.models.reference._networks import Classified, Cnn, Mlp
    from zhufeng.models.reference._reference import Data, Reference, load_reference

__getattr__ = lazy_names(
    __name__,
    {
        "Classified": "_networks",
        "Cnn": "_networks",
        "Data": "_reference",
        "Mlp": "_networks",
        "Reference": "_reference",
        "load_reference": "_reference",
    },
    extra="train",
)

__all__ = [
    "REFERENCES",
    "Classified",
    "Cnn",
    "CnnConfig",
    "Data",
    "ImageData",
    "Mlp",
    "MlpConfig",
    "Reference",
    "Settings",
    "TextData",
    "load_reference",
]
