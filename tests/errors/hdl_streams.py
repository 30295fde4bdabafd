"""Errors of zhufeng.hdl.streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.errors.case import case
from zhufeng.hdl import Signal, UInt
from zhufeng.hdl.streams import Stream, arbiter, fifo, row, skid, stage, stream

Patch = pytest.MonkeyPatch
HERE = f"{__file__}:*: "
Byte = stream(UInt(8))


@case(
    f"{HERE}the stream of skid",
    "a type of streams, such as stream(UInt(8))",
    "Stream",
    "name the payload: stream(type)",
)
def stream_without_payload(_: Path, __: Patch) -> None:
    skid(Stream)


@case(f"{HERE}fifo", "a depth of at least 1", "0", "change it")
def fifo_without_depth(_: Path, __: Patch) -> None:
    fifo(Byte, 0)


@case(f"{HERE}arbiter", "at least 1 stream", "0", "change it")
def arbiter_without_streams(_: Path, __: Patch) -> None:
    arbiter(Byte, 0)


@case(f"{HERE}row()", "at least one stage", "none", "give some")
def row_without_stages(_: Path, __: Patch) -> None:
    row()


@case(
    f"{HERE}input up of skid",
    "Stream(UInt(8))",
    "Stream(UInt(9))",
    "give a Stream(UInt(8))",
)
def row_of_unlike_stages(_: Path, __: Patch) -> None:
    row(stage(Byte, lambda x: x + 1), skid(Byte))


@case(
    f"{HERE}the outputs of nothing",
    "a signal or a Struct",
    "NoneType",
    "return a Struct with a field for each output, an empty one for none",
)
def stage_of_nothing(_: Path, __: Patch) -> None:
    def nothing(x: Signal) -> Any:
        del x

    stage(Byte, nothing)
