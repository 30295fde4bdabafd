"""Blocks of narrow integers under one scale: quantiser, bytes, dot unit (chapters 1 to 4)."""

from zhufeng.formats._result import to_fp32
from zhufeng.formats.blocks._bytes import ROUNDS, block_bytes, tensor_key
from zhufeng.formats.blocks._dot import Accumulator, block_dot
from zhufeng.formats.blocks._form import (
    BIAS,
    BLOCK,
    GUARD,
    PAIRS,
    POISON,
    WIDTHS,
    ZERO,
    checked_bits,
    largest,
)
from zhufeng.formats.blocks._quantise import (
    largest_magnitude,
    plane_quantiser,
    quantiser,
    scale_code,
)
from zhufeng.formats.blocks._store import packed_block, unpacked_block

__all__ = [
    "BIAS",
    "BLOCK",
    "GUARD",
    "PAIRS",
    "POISON",
    "ROUNDS",
    "WIDTHS",
    "ZERO",
    "Accumulator",
    "block_bytes",
    "block_dot",
    "checked_bits",
    "largest",
    "largest_magnitude",
    "packed_block",
    "plane_quantiser",
    "quantiser",
    "scale_code",
    "tensor_key",
    "to_fp32",
    "unpacked_block",
]
