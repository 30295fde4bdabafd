"""The formats over arrays of NumPy, at this machine's speed: quantise, multiply, store.

>>> a, b = quantise(x, 6), quantise(w, 6)
>>> product = multiply(a, b)
"""

from zhufeng.base import needs_extra

with needs_extra("hdl"):
    from zhufeng.formats.host._blocks import (
        Blocks,
        Planes,
        Rounding,
        dequantise,
        multiply,
        quantise,
        quantise_planes,
        random_bytes,
    )
    from zhufeng.formats.host._store import Stored, restored, stored

__all__ = [
    "Blocks",
    "Planes",
    "Rounding",
    "Stored",
    "dequantise",
    "multiply",
    "quantise",
    "quantise_planes",
    "random_bytes",
    "restored",
    "stored",
]
