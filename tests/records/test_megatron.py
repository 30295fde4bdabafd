"""Token shards against Megatron-LM's own reader and writer."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhufeng.base import InputError
from zhufeng.records import read_shard, shard_writer, token_dtype


def megatron() -> Any:
    """Megatron-LM's module; needs torch."""
    pytest.importorskip("torch")
    return pytest.importorskip("megatron.core.datasets.indexed_dataset", exc_type=ImportError)


def write(prefix: Path, documents: list[list[int]], vocabulary: int) -> None:
    with shard_writer(prefix, vocabulary) as shard:
        for tokens in documents:
            shard.write(np.asarray(tokens, dtype=np.int64))


@settings(max_examples=40, deadline=None)
@given(
    vocabulary=st.sampled_from([257, 65_499, 65_500, 151_936]),
    data=st.data(),
)
def test_megatron_reads_what_we_write(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: int, data: st.DataObject
) -> None:
    module = megatron()
    token = st.integers(0, vocabulary - 1)
    documents = data.draw(
        st.lists(st.lists(token, min_size=1, max_size=20), min_size=1, max_size=8)
    )
    prefix = tmp_path_factory.mktemp("shard") / "tokens.v1"
    write(prefix, documents, vocabulary)
    theirs = module.IndexedDataset(str(prefix))
    assert [list(map(int, theirs[i])) for i in range(len(theirs))] == documents
    assert list(theirs.document_indices) == list(range(len(documents) + 1))
    assert theirs.index.dtype == module.DType.optimal_dtype(vocabulary)


def test_we_read_what_megatron_writes(tmp_path: Path) -> None:
    module = megatron()
    import torch

    documents = [[[1, 2, 3], [4]], [[5, 6]], [[7]]]
    prefix = tmp_path / "theirs"
    builder = module.IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.int32)
    for sentences in documents:
        for sentence in sentences:
            builder.add_item(torch.tensor(sentence))
        builder.end_document()
    builder.finalize(f"{prefix}.idx")
    ours = read_shard(prefix)
    assert [tokens.tolist() for tokens in ours] == [[1, 2, 3], [4], [5, 6], [7]]
    assert ours.documents.tolist() == [0, 2, 3, 4]
    assert ours.tokens == 7
    assert ours.flat.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_the_bytes_are_those_of_megatrons_builder(tmp_path: Path) -> None:
    module = megatron()
    documents = [[1, 2, 3], [256], [4, 5]]
    write(tmp_path / "ours", documents, 257)
    builder = module.IndexedDatasetBuilder(
        str(tmp_path / "theirs.bin"), dtype=module.DType.optimal_dtype(257)
    )
    for tokens in documents:
        builder.add_document(np.asarray(tokens), [len(tokens)])
    builder.finalize(str(tmp_path / "theirs.idx"))
    for ending in ("bin", "idx"):
        ours, theirs = tmp_path / f"ours.{ending}", tmp_path / f"theirs.{ending}"
        assert ours.read_bytes() == theirs.read_bytes()


def test_an_empty_document_and_an_empty_shard(tmp_path: Path) -> None:
    write(tmp_path / "a", [[], [1], []], 257)
    assert [tokens.tolist() for tokens in read_shard(tmp_path / "a")] == [[], [1], []]
    write(tmp_path / "b", [], 257)
    empty = read_shard(tmp_path / "b")
    assert len(empty) == empty.tokens == len(empty.flat) == 0


@pytest.mark.parametrize("token", [-1, 257, 70_000])
def test_a_token_outside_the_vocabulary_leaves_no_shard(tmp_path: Path, token: int) -> None:
    with pytest.raises(ValueError, match="tokens in"):
        write(tmp_path / "a", [[1, token]], 257)
    assert list(tmp_path.iterdir()) == []


def test_the_threshold_is_megatrons() -> None:
    module = megatron()
    for size in (1, 65_499, 65_500, 2**20):
        assert token_dtype(size) == np.dtype(module.DType.optimal_dtype(size))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-3],
        lambda data: data + b"\0",
        lambda data: b"X" + data[1:],
        lambda data: data[:9] + struct.pack("<Q", 2) + data[17:],
        lambda data: data[:17] + b"\x09" + data[18:],
        lambda data: data[:18] + struct.pack("<Q", 2**60) + data[26:],
        lambda data: data[:34] + struct.pack("<i", 99) + data[38:],
        lambda data: data[:34] + struct.pack("<i", -1) + data[38:],
        lambda data: data[:-8] + struct.pack("<q", 99),
    ],
    ids=[
        "empty",
        "cut",
        "longer",
        "magic",
        "version",
        "dtype",
        "count",
        "length",
        "negative",
        "document",
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, damage: Any) -> None:
    write(tmp_path / "a", [[1, 2, 3], [4]], 257)
    index = tmp_path / "a.idx"
    index.write_bytes(damage(index.read_bytes()))
    with pytest.raises(InputError, match=r"a\.idx cannot be read"):
        read_shard(tmp_path / "a")


def test_a_cut_bin_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", [[1, 2, 3], [4]], 257)
    data = (tmp_path / "a.bin").read_bytes()
    for cut, told in ((1, "a .bin file of 7 bytes"), (2, "lie outside the .bin file")):
        (tmp_path / "a.bin").write_bytes(data[:-cut])
        with pytest.raises(InputError, match=re.escape(told)):
            read_shard(tmp_path / "a")


def test_what_is_no_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole numbers"), shard_writer(tmp_path / "a", 9) as shard:
        shard.write(np.array([1.7]))
    with pytest.raises(ValueError, match="at most"):
        token_dtype(2**31 + 1)
    assert list(tmp_path.iterdir()) == []
