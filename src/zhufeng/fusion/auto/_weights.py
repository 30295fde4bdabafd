"""Single rows of a folder's weights, and nothing more of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zhufeng.fusion.tensors import TensorFolder, TensorReader

FLOATS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


def read_rows(weights: TensorFolder, name: str, wanted: Sequence[int]) -> Tensor:
    """Some rows of a matrix of `FLOATS`, in fp64.

    Raises:
        InputError: the file has changed meanwhile.
    """
    info = weights.tensors[name]
    size = info.bytes // info.shape[0]
    raw = bytearray(size * len(wanted))
    with TensorReader(weights) as reader:
        for place, row in enumerate(wanted):
            part = memoryview(raw)[place * size : (place + 1) * size]
            reader.read(name, row * size, part)
    return torch.frombuffer(raw, dtype=FLOATS[info.dtype]).view(len(wanted), -1).double()
