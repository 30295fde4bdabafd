"""Token shards as Megatron-LM's indexed dataset: ``NAME.bin`` and ``NAME.idx``.

The layout is that of ``megatron/core/datasets/indexed_dataset.py`` (Megatron-LM; tests read our
files with it and its files with ours). All integers are little-endian:

    magic "MMIDIDX\\0\\0" | version u64 = 1 | dtype code u8 | sequences u64 | documents + 1 u64
    | length of each sequence i32 | byte offset of each sequence i64
    | index of each document's first sequence, and the number of sequences, i64

Megatron's multimodal modes (an i8 a sequence at the end) are not written, and refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, brief, durable, shown, write_durable

Tokens = NDArray[Any]

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_HEADER = struct.Struct("<9sQBQQ")
_CODES: dict[int, str] = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
# Megatron stores a vocabulary in 16 bits below this size (DType.optimal_dtype).
_SIXTEEN_BIT_VOCABULARY = 65_500
_CHECKED_AT_ONCE = 1 << 18


def token_dtype(vocabulary: int) -> np.dtype[Any]:
    """The type in which Megatron stores tokens of a vocabulary of this size."""
    if vocabulary > 2**31:
        raise ValueError(f"a vocabulary of at most 2**31 tokens, not {vocabulary}")
    return np.dtype("<u2" if vocabulary < _SIXTEEN_BIT_VOCABULARY else "<i4")


class ShardWriter:
    """Adds documents to a shard; made by `shard_writer`."""

    def __init__(self, file: BinaryIO, vocabulary: int) -> None:
        self.tokens = 0
        """Written so far."""
        self.lengths: list[int] = []
        """Tokens of each document."""
        self._file = file
        self._vocabulary = vocabulary
        self._dtype = token_dtype(vocabulary)
        self._pending: list[Tokens] = []
        self._checked = 0

    def write(self, tokens: Tokens) -> None:
        """Add one document's tokens, 1-D; the array must not be changed afterwards.

        Raises:
            ValueError: a token outside the vocabulary, here or by the end of the block.
        """
        if tokens.dtype.kind not in "iu":
            raise ValueError(f"whole numbers as tokens, not {tokens.dtype}")
        self._pending.append(tokens)
        self.lengths.append(tokens.size)
        self.tokens += tokens.size
        if self.tokens - self._checked >= _CHECKED_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Check and write what is pending: a call of NumPy's costs more than a document does."""
        if not self._pending:
            return
        tokens = np.concatenate(self._pending)
        if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < self._vocabulary:
            raise ValueError(
                f"tokens in [0, {self._vocabulary}), not {tokens.min()} to {tokens.max()}"
            )
        self._file.write(tokens.astype(self._dtype).tobytes())
        self._pending.clear()
        self._checked = self.tokens


@contextmanager
def shard_writer(prefix: Path, vocabulary: int) -> Iterator[ShardWriter]:
    """Write ``prefix.bin`` and ``prefix.idx``, a sequence a document; whole when the block ends.

    >>> with shard_writer(Path("tokens-00000"), vocabulary=257) as shard:
    ...     shard.write(np.array([72, 105, 256]))

    Args:
        prefix: path without ending.
        vocabulary: its size; chooses the type that tokens are stored in.
    """
    with durable(_beside(prefix, ".bin")) as file:
        shard = ShardWriter(file, vocabulary)
        yield shard
        shard.flush()
    write_durable(_beside(prefix, ".idx"), _index(shard.lengths, token_dtype(vocabulary)))


def _index(lengths: list[int], dtype: np.dtype[Any]) -> bytes:
    code = next(code for code, name in _CODES.items() if np.dtype(name) == dtype)
    sizes = np.asarray(lengths, dtype="<i4")
    starts = np.zeros(len(lengths), dtype="<i8")
    np.cumsum(sizes[:-1].astype("<i8") * dtype.itemsize, out=starts[1:])
    documents = np.arange(len(lengths) + 1, dtype="<i8")
    header = _HEADER.pack(_MAGIC, _VERSION, code, len(lengths), len(documents))
    return header + sizes.tobytes() + starts.tobytes() + documents.tobytes()


@dataclass(frozen=True)
class Shard:
    """A token shard opened for reading; its tokens stay on disk until they are asked for."""

    prefix: Path
    dtype: np.dtype[Any]
    lengths: NDArray[np.int32]
    """Tokens of each sequence."""
    starts: NDArray[np.int64]
    """Byte offset of each sequence in ``.bin``."""
    documents: NDArray[np.int64]
    """First sequence of each document, then the number of sequences."""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """How many there are in all."""
        return int(self.lengths.sum(dtype=np.int64))

    def sequence(self, index: int) -> Tokens:
        """The tokens of one sequence."""
        start = int(self.starts[index]) // self.dtype.itemsize
        return self.flat[start : start + int(self.lengths[index])]

    @cached_property
    def flat(self) -> Tokens:
        """All tokens one after another, memory-mapped."""
        path = _beside(self.prefix, ".bin")
        if path.stat().st_size == 0:
            return np.zeros(0, dtype=self.dtype)
        # A plain array over the mapped file: slicing a memmap object is many times slower.
        return np.asarray(np.memmap(path, dtype=self.dtype, mode="r"))

    def __iter__(self) -> Iterator[Tokens]:
        return (self.sequence(index) for index in range(len(self)))


def read_shard(prefix: Path) -> Shard:
    """Open ``prefix.bin`` and ``prefix.idx``; checks that the two agree.

    Raises:
        InputError: a file is missing, damaged, or not an indexed dataset.
    """
    path = _beside(prefix, ".idx")
    try:
        data = path.read_bytes()
        tokens_bytes = _beside(prefix, ".bin").stat().st_size
    except OSError as error:
        raise _damaged(path, brief(error)) from None
    if len(data) < _HEADER.size:
        raise _damaged(path, f"{len(data)} bytes")
    magic, version, code, sequences, documents = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise _damaged(path, f"a file that begins with {shown(repr(magic))}")
    if version != _VERSION or code not in _CODES:
        raise _damaged(path, f"version {version} with dtype code {code}")
    if len(data) != _HEADER.size + 12 * sequences + 8 * documents:
        raise _damaged(path, f"{len(data)} bytes for {sequences} sequences")
    shard = _view(prefix, data, np.dtype(_CODES[code]), sequences)
    _check_extent(shard, tokens_bytes)
    return shard


def _view(prefix: Path, data: bytes, dtype: np.dtype[Any], sequences: int) -> Shard:
    offset = _HEADER.size
    lengths = np.frombuffer(data, "<i4", sequences, offset)
    starts = np.frombuffer(data, "<i8", sequences, offset + 4 * sequences)
    documents = np.frombuffer(data, "<i8", -1, offset + 12 * sequences)
    return Shard(prefix, dtype, lengths, starts, documents)


def _check_extent(shard: Shard, tokens_bytes: int) -> None:
    path = _beside(shard.prefix, ".idx")
    ends = shard.starts + shard.lengths.astype(np.int64) * shard.dtype.itemsize
    if tokens_bytes % shard.dtype.itemsize:
        raise _damaged(path, f"a .bin file of {tokens_bytes} bytes for {shard.dtype} tokens")
    inside = (
        (shard.lengths >= 0).all()
        and (shard.starts >= 0).all()
        and (shard.starts <= tokens_bytes).all()  # or the ends could have overflowed
        and (shard.starts % shard.dtype.itemsize == 0).all()
        and (ends <= tokens_bytes).all()
    )
    if not inside:
        raise _damaged(path, f"sequences that lie outside the .bin file of {tokens_bytes} bytes")
    documents = shard.documents
    if (np.diff(documents) < 0).any() or (documents < 0).any() or (documents > len(shard)).any():
        raise _damaged(path, f"documents that lie outside the {len(shard)} sequences")


def _damaged(path: Path, came: str) -> InputError:
    return InputError(
        f"{path} cannot be read",
        expected="the index of a Megatron indexed dataset (version 1) beside its .bin file",
        came=came,
        do="check the path, or make the shard again",
    )


def _beside(prefix: Path, ending: str) -> Path:
    # Not `with_suffix`: a prefix may hold dots.
    return prefix.with_name(prefix.name + ending)
