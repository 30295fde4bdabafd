"""Weights as safetensors folders: read by ranges, written as a stream that survives a kill.

Nothing here loads a whole tensor, and nothing ever loads a pickle. Needs neither torch nor the
safetensors package: a header is JSON, and the bytes behind it are the caller's.
"""

from zhufeng.fusion.tensors._draft import draft_key, drafted
from zhufeng.fusion.tensors._folder import (
    INDEX,
    SINGLE,
    TOKEN_ROWS,
    TOKENIZER_FILES,
    TensorFolder,
    open_tensors,
)
from zhufeng.fusion.tensors._header import DTYPES, TensorInfo, dtype_bytes, read_header
from zhufeng.fusion.tensors._layout import JOURNAL, Layout, TensorSpec, lay_out
from zhufeng.fusion.tensors._read import TensorReader
from zhufeng.fusion.tensors._write import TensorWriter

__all__ = [
    "DTYPES",
    "INDEX",
    "JOURNAL",
    "SINGLE",
    "TOKENIZER_FILES",
    "TOKEN_ROWS",
    "Layout",
    "TensorFolder",
    "TensorInfo",
    "TensorReader",
    "TensorSpec",
    "TensorWriter",
    "draft_key",
    "drafted",
    "dtype_bytes",
    "lay_out",
    "open_tensors",
    "read_header",
]
