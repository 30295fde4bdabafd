"""The header of one safetensors file, and everything that can be wrong with it.

The format (https://github.com/huggingface/safetensors): 8 bytes that give the header's length N
(unsigned, little-endian), N bytes of JSON, then the tensors' bytes without holes or overlaps.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhufeng.base import InputError, brief, is_utf8, shown

# Bytes of one element, by the name in the header. Formats of less than a byte are not read.
DTYPES: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"), 1),
    **dict.fromkeys(("I8", "U8", "BOOL"), 1),
}

LENGTH_BYTES = 8
_SHORTEST_HEADER = len("{}")
_LONGEST_HEADER = 100_000_000  # bytes; the reference implementation's limit too
_KEYS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor: what it is and where its bytes lie."""

    name: str
    dtype: str
    """As safetensors spells it: ``"BF16"``; a key of `DTYPES`."""
    shape: tuple[int, ...]
    file: str
    """Name of the file in its folder."""
    offset: int
    """Of its first byte from the start of the file."""
    bytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def dtype_bytes(dtype: str) -> int:
    """Bytes of one element of `dtype`, a key of `DTYPES`."""
    return DTYPES[dtype]


def damaged(path: Path, expected: str, came: str) -> InputError:
    """The one error for a safetensors file or an index that cannot be trusted."""
    return InputError(
        f"{path} cannot be used",
        expected=expected,
        came=came,
        do="fetch the file again, or restore it from a copy",
    )


def read_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """The tensors of one file in the order of their bytes, and the file's ``__metadata__``.

    Reads the header alone; the file's size must be exactly what the header says.

    Raises:
        InputError: there is no such file, or it is damaged; says in which way.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = _header_length(path, file.read(LENGTH_BYTES), size)
            text = file.read(length)
    except OSError as error:
        raise damaged(path, "a safetensors file", brief(error)) from None
    table = _table(path, text)
    metadata = _metadata(path, table.pop("__metadata__", {}))
    begin = LENGTH_BYTES + length
    tensors = [_tensor(path, name, entry, begin) for name, entry in table.items()]
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.bytes))
    _check_contiguous(path, tensors, begin, size)
    return {tensor.name: tensor for tensor in tensors}, metadata


def _header_length(path: Path, first: bytes, size: int) -> int:
    expected = "a safetensors file: 8 bytes of length, a JSON header, the tensors"
    if len(first) < LENGTH_BYTES:
        raise damaged(path, expected, f"{len(first)} bytes in all")
    length = int.from_bytes(first, "little")
    if first.startswith((b"\x80\x02", b"PK\x03\x04")):
        raise damaged(path, expected + "; a pickle is never loaded", "a pickle")
    if not _SHORTEST_HEADER <= length <= _LONGEST_HEADER:
        raise damaged(path, expected, f"a header of {length} bytes")
    if LENGTH_BYTES + length > size:
        raise damaged(path, f"a header of {length} bytes, as it says", f"a file of {size} bytes")
    return length


def _table(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise damaged(path, "every name once", f"{shown(twice)} twice in the header")
        return table

    try:
        table = json.loads(text.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise damaged(path, "a header in JSON", brief(error)) from None
    if not isinstance(table, dict):
        raise damaged(path, "a header that is a JSON object", shown(repr(table)))
    return table


def _metadata(path: Path, found: object) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise damaged(path, "a __metadata__ of texts by name", shown(repr(found)))
    return found


def _tensor(path: Path, name: str, entry: object, begin: int) -> TensorInfo:
    where = f"tensor {shown(name)}"
    if not is_utf8(name):
        raise damaged(path, "names in UTF-8", shown(repr(name)))
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise damaged(path, f"{where} with dtype, shape and data_offsets", shown(repr(entry)))
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise damaged(path, f"{where} of one of {', '.join(DTYPES)}", shown(repr(dtype)))
    if not _are_counts(shape):
        raise damaged(path, f"{where} with a shape of whole numbers", shown(repr(shape)))
    if not _are_counts(offsets) or len(offsets) != len(("first", "end")):
        raise damaged(path, f"{where} with two data_offsets", shown(repr(offsets)))
    wanted, came = math.prod(shape) * DTYPES[dtype], offsets[1] - offsets[0]
    if wanted != came:
        raise damaged(
            path,
            f"{where} with {shown(str(wanted))} bytes, as its shape {shown(shape)} of {dtype} has",
            f"offsets {offsets[0]} to {offsets[1]}: {came} bytes",
        )
    return TensorInfo(name, dtype, tuple(shape), path.name, begin + offsets[0], came)


def _are_counts(values: object) -> bool:
    """A list of whole numbers that a file can hold."""
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 62 for value in values
    )


def _check_contiguous(path: Path, tensors: list[TensorInfo], begin: int, size: int) -> None:
    at = begin
    for tensor in tensors:
        if tensor.offset != at:
            what = "begins inside the tensor before it" if tensor.offset < at else "leaves a hole"
            raise damaged(
                path,
                f"tensor {shown(tensor.name)} at offset {at - begin}, where the one before it ends",
                f"offset {tensor.offset - begin}, which {what}",
            )
        at += tensor.bytes
    if at != size:
        what = "it is cut off" if size < at else "there are bytes that no tensor owns"
        raise damaged(path, f"{at} bytes, as the header says", f"{size} bytes: {what}")
