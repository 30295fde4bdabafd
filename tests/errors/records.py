"""Errors of zhufeng.records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save

from tests.errors.case import case
from zhufeng.records import (
    Episode,
    Gemm,
    Operand,
    Operation,
    Workload,
    read_design,
    read_episodes,
    read_jsonl,
    read_parquet,
    read_plan,
    read_shard,
    read_workload,
    write_episodes,
    write_workload,
)

Patch = pytest.MonkeyPatch


@case(
    "TMP/workload.json is not a workload",
    'a table with record = "workload"',
    'record = "plan"',
    "check the path",
)
def another_record(tmp: Path, _: Patch) -> None:
    (tmp / "workload.json").write_text('{"record": "plan"}')
    read_workload(tmp)


@case(
    "TMP/plan.json has no version that can be read",
    "plan of version 1 to 1",
    "version 'x'",
    "restore the file from a copy, or make it again",
)
def no_version(tmp: Path, _: Patch) -> None:
    (tmp / "plan.json").write_text('{"record": "plan", "version": "x"}')
    read_plan(tmp / "plan.json")


@case(
    "TMP/plan.json is a plan of a newer version",
    "plan of version 1 or older",
    "version 7",
    "upgrade: pip install -U zhufeng",
)
def newer(tmp: Path, _: Patch) -> None:
    (tmp / "plan.json").write_text('{"record": "plan", "version": 7}')
    read_plan(tmp / "plan.json")


@case(
    "TMP/chip.toml holds [rtl]",
    "rtl beside chip.toml: rtl/*.sv and figures.json",
    "a key 'rtl' inside it",
    "move it to its own file",
)
def rtl_inside(tmp: Path, _: Patch) -> None:
    (tmp / "chip.toml").write_text("[rtl]\n")
    read_design(tmp / "chip.toml")


@case(
    "TMP/operands.safetensors cannot be read",
    "the arrays of a workload, as safetensors",
    "*header*",
    "restore the file from a copy, or capture the workload again",
)
def torn_operands(tmp: Path, _: Patch) -> None:
    write_workload(tmp, workload())
    (tmp / "operands.safetensors").write_bytes(b"torn")
    read_workload(tmp)


@case(
    "TMP/operands.safetensors lacks arrays",
    "every array that workload.json names",
    "none called a",
    "restore both files from one copy, or capture the workload again",
)
def absent_operands(tmp: Path, _: Patch) -> None:
    write_workload(tmp, workload())
    (tmp / "operands.safetensors").write_bytes(save({}))
    read_workload(tmp)


def workload() -> Workload:
    left, right = Operand(tensor="x", tiles="a"), Operand(tensor="w")
    gemm = Gemm(batch=1, m=1, n=1, k=1, role="forward", left=left, right=right)
    operation = Operation(
        name="mm", phase="forward", module="", kind="aten.mm", operands=(), results=(), flops=2,
        bytes=6, gemms=(gemm,),
    )  # fmt: skip
    return Workload(
        model="m", mode="train", batch=1, sequence=None, parameters=1, gradients="none",
        operations=(operation,), arrays={"a": np.zeros(1)},
    )  # fmt: skip


@case(
    "TMP/a.parquet cannot be read",
    "documents as a Parquet file",
    "*",
    "check the path, or make the file again",
)
def torn_parquet(tmp: Path, _: Patch) -> None:
    (tmp / "a.parquet").write_bytes(b"torn")
    list(read_parquet(tmp / "a.parquet"))


@case(
    "TMP/a.parquet does not hold documents",
    "a Parquet file whose schema says zhufeng.record = document",
    "one that does not say",
    "check the path",
)
def other_parquet(tmp: Path, _: Patch) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp / "a.parquet")
    list(read_parquet(tmp / "a.parquet"))


@case(
    "TMP/a.jsonl cannot be read",
    "documents as JSON lines in UTF-8",
    "No such file or directory",
    "check the path, or make the file again",
)
def no_jsonl(tmp: Path, _: Patch) -> None:
    list(read_jsonl(tmp / "a.jsonl"))


@case(
    "TMP/a.idx cannot be read",
    "the index of a Megatron indexed dataset (version 1) beside its .bin file",
    "a file that begins with b'XXXXXXXXX'",
    "check the path, or make the shard again",
)
def other_index(tmp: Path, _: Patch) -> None:
    (tmp / "a.idx").write_bytes(b"X" * 100)
    (tmp / "a.bin").touch()
    read_shard(tmp / "a")


@case(
    "TMP/meta/info.json is not of a version that can be read",
    "a LeRobotDataset v3.0",
    "codebase_version 'v2.1'",
    "convert it with LeRobot's own converter to v3.0",
)
def older_dataset(tmp: Path, _: Patch) -> None:
    (tmp / "meta").mkdir()
    (tmp / "meta/info.json").write_text('{"codebase_version": "v2.1"}')
    list(read_episodes(tmp))


@case(
    "TMP cannot be read",
    "a LeRobotDataset v3.0",
    "FileNotFoundError: *",
    "restore the folder from a copy",
)
def half_a_dataset(tmp: Path, _: Patch) -> None:
    write_episodes(tmp, [Episode("t", 10, {"a": np.zeros((3, 1), np.float32)})])
    (tmp / "meta/tasks.parquet").unlink()
    list(read_episodes(tmp))
