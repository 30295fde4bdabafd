"""Errors of zhufeng.fusion: merge."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.fusion.tensors import TensorSpec, TensorWriter, lay_out, open_tensors, read_header

Patch = pytest.MonkeyPatch


@case(
    "TMP/a.safetensors cannot be used",
    "a safetensors file: 8 bytes of length, a JSON header, the tensors",
    "3 bytes in all",
    "fetch the file again, or restore it from a copy",
)
def a_safetensors_file_that_is_none(tmp: Path, _: Patch) -> None:
    (tmp / "a.safetensors").write_bytes(b"abc")
    read_header(tmp / "a.safetensors")


@case(
    "TMP holds no weights",
    "model.safetensors, or model.safetensors.index.json with its shards",
    "neither",
    "name the folder of a model",
)
def a_folder_without_weights(tmp: Path, _: Patch) -> None:
    open_tensors(tmp)


@case(
    "TMP holds its weights as a pickle",
    "model.safetensors, or model.safetensors.index.json with its shards",
    "pytorch_model.bin: loading it would run whatever its author put inside",
    "convert it to safetensors where you trust its author",
)
def a_folder_of_pickles(tmp: Path, _: Patch) -> None:
    (tmp / "pytorch_model.bin").write_bytes(b"")
    open_tensors(tmp)


@case(
    "TMP cannot be written",
    "room for * bytes",
    "No space left on device",
    "make room there, or name another folder; what is done is kept",
)
def weights_for_a_full_disk(tmp: Path, patch: Patch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    patch.setattr(os, "ftruncate", full)
    TensorWriter(tmp, lay_out([TensorSpec("a", "U8", (9,))], {}), "")
