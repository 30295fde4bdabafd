"""The formats over arrays of NumPy, at this machine's speed: quantise, multiply, store.

>>> a, b = quantise(x, 6), quantise(w, 6)
>>> product = multiply(a, b)
"""

from zhufeng.base import needs_extra

with needs_extra("hdl"):
    from zhufeng.formats.host._arrays import Rounding
    from zhufeng.formats.host._blocks import (
        Blocks,
        Planes,
        dequantise,
        multiply,
        quantise,
        quantise_planes,
        random_bytes,
    )
    from zhufeng.formats.host._scaled import (
        MxNumbers,
        Nvfp4,
        StoredScaled,
        mx_quantise,
        nvfp4_quantise,
        restored_mx,
        restored_nvfp4,
        stored_mx,
        stored_nvfp4,
    )
    from zhufeng.formats.host._store import Stored, restored, stored

__all__ = [
    "Blocks",
    "MxNumbers",
    "Nvfp4",
    "Planes",
    "Rounding",
    "Stored",
    "StoredScaled",
    "dequantise",
    "multiply",
    "mx_quantise",
    "nvfp4_quantise",
    "quantise",
    "quantise_planes",
    "random_bytes",
    "restored",
    "restored_mx",
    "restored_nvfp4",
    "stored",
    "stored_mx",
    "stored_nvfp4",
]
