"""The one decoder, and the reference models of all benchmarks.

The configuration needs no torch; everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.models._config import (
    DECODER,
    DecoderConfig,
    LatentConfig,
    MoeConfig,
    RotaryScaling,
)

if TYPE_CHECKING:
    from zhufeng.models._attention import KvCache
    from zhufeng.models._decoder import IGNORED, Decoder, DecoderOutput, initialise
    from zhufeng.models._folder import read_decoder, read_weights, write_decoder, write_weights
    from zhufeng.models._generate import generate

__getattr__ = lazy_names(
    __name__,
    {
        "IGNORED": "_decoder",
        "Decoder": "_decoder",
        "DecoderOutput": "_decoder",
        "KvCache": "_attention",
        "generate": "_generate",
        "initialise": "_decoder",
        "read_decoder": "_folder",
        "read_weights": "_folder",
        "write_decoder": "_folder",
        "write_weights": "_folder",
    },
    extra="train",
)

__all__ = [
    "DECODER",
    "IGNORED",
    "Decoder",
    "DecoderConfig",
    "DecoderOutput",
    "KvCache",
    "LatentConfig",
    "MoeConfig",
    "RotaryScaling",
    "generate",
    "initialise",
    "read_decoder",
    "read_weights",
    "write_decoder",
    "write_weights",
]
