"""Where every byte of an output lies, settled before the first is written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zhufeng.base import sha256_json
from zhufeng.fusion.tensors._folder import INDEX, SINGLE
from zhufeng.fusion.tensors._header import DTYPES, LENGTH_BYTES, TensorInfo

JOURNAL = "tensors.journal"


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that is to be written."""

    name: str
    dtype: str
    """A key of `DTYPES`."""
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of its elements together."""
        return math.prod(self.shape) * DTYPES[self.dtype]


@dataclass(frozen=True)
class Layout:
    """Files with their headers, and each tensor's place in them."""

    headers: Mapping[str, bytes]
    """File name to everything before the first tensor."""
    sizes: Mapping[str, int]
    """File name to the file's bytes in all."""
    tensors: Mapping[str, TensorInfo]
    index: bytes | None
    """Of ``model.safetensors.index.json``, where there is more than one file."""

    @property
    def files(self) -> dict[str, bytes]:
        """Small files that belong beside the shards."""
        return {} if self.index is None else {INDEX: self.index}

    @property
    def sha256(self) -> str:
        """Of all headers: equal layouts place every byte alike."""
        return sha256_json(
            {file: header.decode("latin-1") for file, header in self.headers.items()}
        )


def lay_out(
    specs: Sequence[TensorSpec], metadata: Mapping[str, str], max_shard_bytes: int | None = None
) -> Layout:
    """Place tensors in files.

    Args:
        specs: the tensors; shards are filled in this order. In each file they stand by falling
            element size, then by name, as the safetensors library has them.
        metadata: texts for each header's ``__metadata__``.
        max_shard_bytes: a file begins anew where its tensors would exceed this; a tensor that is
            larger stands alone. None: one file.
    """
    groups = _groups(specs, max_shard_bytes)
    names = [SINGLE]
    if len(groups) > 1:
        count = len(groups)
        names = [f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]
    tensors: dict[str, TensorInfo] = {}
    headers, sizes = {}, {}
    for file, group in zip(names, groups, strict=True):
        placed, headers[file], sizes[file] = _place(file, group, metadata)
        tensors.update(placed)
    index = _index(specs, tensors) if len(groups) > 1 else None
    return Layout(headers, sizes, tensors, index)


def _groups(specs: Iterable[TensorSpec], limit: int | None) -> list[list[TensorSpec]]:
    groups: list[list[TensorSpec]] = [[]]
    filled = 0
    for spec in specs:
        if limit is not None and groups[-1] and filled + spec.bytes > limit:
            groups.append([])
            filled = 0
        groups[-1].append(spec)
        filled += spec.bytes
    return groups


def _place(
    file: str, group: list[TensorSpec], metadata: Mapping[str, str]
) -> tuple[dict[str, TensorInfo], bytes, int]:
    group = sorted(group, key=lambda spec: (-DTYPES[spec.dtype], spec.name))
    table: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    at = 0
    for spec in group:
        offsets = [at, at + spec.bytes]
        table[spec.name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": offsets}
        at += spec.bytes
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)  # so that tensors are aligned
    header = len(text).to_bytes(LENGTH_BYTES, "little") + text
    placed, at = {}, len(header)
    for spec in group:
        placed[spec.name] = TensorInfo(spec.name, spec.dtype, spec.shape, file, at, spec.bytes)
        at += spec.bytes
    return placed, header, at


def _index(specs: Sequence[TensorSpec], tensors: Mapping[str, TensorInfo]) -> bytes:
    table = {
        "metadata": {"total_size": sum(spec.bytes for spec in specs)},
        "weight_map": {name: tensors[name].file for name in sorted(tensors)},
    }
    return json.dumps(table, indent=2, ensure_ascii=False).encode() + b"\n"
