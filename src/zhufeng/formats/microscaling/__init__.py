"""Blocks of narrow numbers under one scale, as others have them: chapter 7 of docs/formats.md.

MXFP8, MXFP6, MXFP4 and MXINT8 of OCP Microscaling Formats 1.0, by the format of their elements
(E4M3 or E5M2, E3M2 or E2M3, E2M1, INT8); and NVFP4.
"""

from zhufeng.formats.microscaling._decode import mx_decoder, nvfp4_decoder
from zhufeng.formats.microscaling._dot import mx_dot, nvfp4_dot
from zhufeng.formats.microscaling._elements import (
    INT8,
    MX_BLOCK,
    MX_ELEMENTS,
    NVFP4_BLOCK,
    Element,
    FixedFormat,
)
from zhufeng.formats.microscaling._numbers import MxNumbers, mx_numbers
from zhufeng.formats.microscaling._nvfp4 import Nvfp4Block, nvfp4_quantiser, nvfp4_tensor_scale
from zhufeng.formats.microscaling._quantise import Scale, mx_quantiser

__all__ = [
    "INT8",
    "MX_BLOCK",
    "MX_ELEMENTS",
    "NVFP4_BLOCK",
    "Element",
    "FixedFormat",
    "MxNumbers",
    "Nvfp4Block",
    "Scale",
    "mx_decoder",
    "mx_dot",
    "mx_numbers",
    "mx_quantiser",
    "nvfp4_decoder",
    "nvfp4_dot",
    "nvfp4_quantiser",
    "nvfp4_tensor_scale",
]
