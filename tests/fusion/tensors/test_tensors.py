"""Headers, ranges and streamed writing, against the safetensors library."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from zhufeng.base import InputError
from zhufeng.fusion.tensors import (
    INDEX,
    JOURNAL,
    TensorReader,
    TensorSpec,
    TensorWriter,
    lay_out,
    open_tensors,
    read_header,
)

ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "b.half": np.arange(6, dtype=np.float16).reshape(2, 3),
    "a.single": np.arange(8, dtype=np.float32).reshape(2, 2, 2),
    "scalar": np.array(3, dtype=np.int64),
    "none": np.zeros((0, 4), dtype=np.float32),
    "flags": np.array([True, False, True]),
}


def specs(arrays: dict[str, np.ndarray[Any, Any]]) -> list[TensorSpec]:
    names = {"float16": "F16", "float32": "F32", "int64": "I64", "bool": "BOOL", "uint8": "U8"}
    return [TensorSpec(name, names[a.dtype.name], a.shape) for name, a in arrays.items()]


def as_bytes(array: np.ndarray[Any, Any]) -> memoryview:
    return memoryview(bytearray(array.tobytes()))


def test_headers_are_read_as_the_library_wrote_them(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "model.safetensors", {"format": "pt"})
    found = open_tensors(tmp_path)
    assert found.metadata == {"format": "pt"}
    with safe_open(tmp_path / "model.safetensors", "numpy") as library:
        assert set(found.tensors) == set(library.keys())
        for name, info in found.tensors.items():
            part = library.get_slice(name)
            assert (info.dtype, list(info.shape)) == (part.get_dtype(), part.get_shape())
    with TensorReader(found) as reader:
        for name, array in ARRAYS.items():
            data = bytearray(found.tensors[name].bytes)
            reader.read(name, 0, memoryview(data))
            assert bytes(data) == array.tobytes()
        middle = bytearray(8)
        reader.read("a.single", 12, memoryview(middle))
        assert bytes(middle) == ARRAYS["a.single"].tobytes()[12:20]


@pytest.mark.parametrize("limit", [None, 16, 40])
def test_the_library_reads_what_several_threads_wrote(tmp_path: Path, limit: int | None) -> None:
    layout = lay_out(specs(ARRAYS), {"format": "pt"}, limit)
    with TensorWriter(tmp_path, layout, "key") as writer:

        def write(name: str) -> None:
            data = as_bytes(ARRAYS[name])
            half = len(data) // 2
            writer.write(name, half, data[half:])
            writer.write(name, 0, data[:half])
            writer.finish(name, {})

        threads = [threading.Thread(target=write, args=(name,)) for name in ARRAYS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not (tmp_path / JOURNAL).exists()
    assert (limit is None) != (tmp_path / INDEX).exists()
    read: dict[str, np.ndarray[Any, Any]] = {}
    for file in tmp_path.glob("*.safetensors"):
        read.update(load_file(file))
    assert read.keys() == ARRAYS.keys() == open_tensors(tmp_path).tensors.keys()
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)


def test_one_file_is_the_library_s_byte_for_byte(tmp_path: Path) -> None:
    floats = {name: a for name, a in ARRAYS.items() if a.dtype.kind == "f" and a.size}
    save_file(floats, tmp_path / "theirs", {"format": "pt"})
    with TensorWriter(tmp_path, lay_out(specs(floats), {"format": "pt"}), "") as writer:
        for name, array in floats.items():
            writer.write(name, 0, as_bytes(array))
            writer.finish(name, {})
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "theirs").read_bytes()


class Killed(BaseException):
    """Ends a writer as a kill would."""


def test_a_writer_takes_up_what_is_on_the_disk(tmp_path: Path) -> None:
    layout = lay_out(specs(ARRAYS), {}, 40)

    def attempt(key: str, names: list[str]) -> dict[str, Any]:
        with pytest.raises(Killed), TensorWriter(tmp_path, layout, key) as writer:
            before = dict(writer.finished)
            for name in names:
                writer.write(name, 0, as_bytes(ARRAYS[name]))
                writer.finish(name, {"of": name})
            raise Killed
        return before

    assert attempt("key", ["flags", "scalar"]) == {}
    assert attempt("key", ["none"]) == {"flags": {"of": "flags"}, "scalar": {"of": "scalar"}}
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(b'{"tensor": "a.sin')  # torn by a power cut
    assert attempt("key", []).keys() == {"flags", "scalar", "none"}
    assert attempt("another", []) == {}
    assert attempt("key", []) == {}


def header_of(table: object, data: bytes) -> bytes:
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(*offsets: int, shape: Any = (4,), dtype: Any = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


DAMAGED = {
    "nothing": b"",
    "short": b"\x10\0\0\0\0\0\0\0{}",
    "absurd": b"\xff" * 8 + b"{}",
    "not json": (4).to_bytes(8, "little") + b"{abc",
    "nested": (9000).to_bytes(8, "little") + b"[" * 9000,
    "a list": header_of([], b""),
    "pickle": b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01",
    "zip": b"PK\x03\x04\x14\x00\x08\x08\x08\x00",
    "cut off": header_of({"a": entry(0, 4)}, b"123"),
    "a tail": header_of({"a": entry(0, 4)}, b"12345"),
    "overlap": header_of({"a": entry(0, 4), "b": entry(2, 6)}, b"123456"),
    "hole": header_of({"a": entry(0, 4), "b": entry(6, 10)}, b"1234567890"),
    "late": header_of({"a": entry(1, 5)}, b"12345"),
    "backwards": header_of({"a": entry(4, 0)}, b"1234"),
    "shape": header_of({"a": entry(0, 4, shape=[5])}, b"1234"),
    "negative": header_of({"a": entry(0, 4, shape=[-2, -2])}, b"1234"),
    "huge": header_of({"a": entry(0, 4, shape=[1 << 61, 1 << 61])}, b"1234"),
    "a float": header_of({"a": entry(0, 4, shape=[4.0])}, b"1234"),
    "dtype": header_of({"a": entry(0, 4, dtype="U7")}, b"1234"),
    "no dtype": header_of({"a": entry(0, 4, dtype=None)}, b"1234"),
    "three offsets": header_of({"a": entry(0, 2, 4)}, b"1234"),
    "no entry": header_of({"a": 1}, b"1234"),
    "name": header_of({"\ud800": entry(0, 4)}, b"1234"),
    "metadata": header_of({"__metadata__": {"a": 1}}, b""),
    "twice": (115).to_bytes(8, "little")
    + b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},'
    + b'"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}'.ljust(62)
    + b"1234",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(InputError) as told:
        open_tensors(tmp_path)
    assert told.value.where == f"{path} cannot be used"
    if name == "twice":
        assert told.value.came == "a twice in the header"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1 << 30))
def test_rubbish_is_refused_or_read_as_the_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rubbish: bytes, seed: int
) -> None:
    """A good file with some of its bytes replaced: never a traceback, never more lenient."""
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    good = bytearray(header_of({"a": entry(0, 4), "b": entry(4, 8)}, b"12345678"))
    draw = random.Random(seed)
    for byte in rubbish[: draw.choice([1, 2, 300])]:
        good[draw.randrange(len(good))] = byte
    path.write_bytes(good)
    try:
        found, _ = read_header(path)
    except InputError:
        return
    assert {name: info.shape for name, info in found.items()} == {
        name: array.shape for name, array in load_file(path).items()
    }


def sharded(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    save_file({"a": ARRAYS["flags"]}, folder / "one.safetensors")
    save_file({"b": ARRAYS["flags"]}, folder / "two.safetensors")
    named = {"a": "one.safetensors", "b": "two.safetensors"}
    change(named)
    (folder / INDEX).write_text(json.dumps({"weight_map": named}))


@pytest.mark.parametrize(
    ("change", "came"),
    [
        (lambda named: named.update(c="three.safetensors"), "no file three.safetensors"),
        (lambda named: named.update(c="one.safetensors"), "a file without it"),
        (lambda named: named.update(c="../one.safetensors"), "'../one.safetensors'"),
        (lambda named: named.update(c="one.bin"), "'one.bin'"),
        (lambda named: named.update(c=["one.safetensors"]), "['one.safetensors']"),
        (lambda named: named.update(a="two.safetensors"), "a file without it"),
        (lambda named: named.clear(), "{}"),
    ],
)
def test_an_index_that_disagrees_is_told(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], came: str
) -> None:
    sharded(tmp_path, change)
    with pytest.raises(InputError) as told:
        open_tensors(tmp_path)
    assert told.value.came == came


def test_a_tensor_in_two_shards_or_in_no_index_is_told(tmp_path: Path) -> None:
    sharded(tmp_path, lambda named: None)
    assert open_tensors(tmp_path).tensors.keys() == {"a", "b"}
    save_file({"b": ARRAYS["flags"], "a": ARRAYS["flags"]}, tmp_path / "two.safetensors")
    with pytest.raises(InputError, match=r"the same name in two\.safetensors"):
        open_tensors(tmp_path)
    save_file({"b": ARRAYS["flags"], "c": ARRAYS["flags"]}, tmp_path / "two.safetensors")
    with pytest.raises(InputError, match=r"nothing about c, which two\.safetensors holds"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_pickle_is_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02anything")
    with pytest.raises(InputError, match="as a pickle"):
        open_tensors(tmp_path)
