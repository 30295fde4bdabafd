"""Workload, Design and Plan: their files and their rules."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from zhufeng.base import InputError
from zhufeng.records import (
    Design,
    Gemm,
    Operand,
    Operation,
    Plan,
    Tensor,
    Workload,
    read_design,
    read_plan,
    read_workload,
    write_design,
    write_plan,
    write_workload,
)


def workload() -> Workload:
    left = Operand(tensor="x", zeros=0.25, tiles="x.tiles", exponents="x.exponents")
    right = Operand(tensor="w", bits_needed={"0.01": 5.5}, zero_tiles="w.zero")
    gemm = Gemm(batch=2, m=3, n=5, k=7, role="forward", left=left, right=right)
    operation = Operation(
        name="mm_0",
        phase="forward",
        module="layers.0.mlp",
        kind="aten.mm",
        operands=(Tensor(name="x", shape=(2, 3, 7), dtype="bfloat16"),),
        results=(),
        flops=gemm.flops,
        bytes=100,
        gemms=(gemm,),
    )
    return Workload(
        model="tiny",
        mode="train",
        batch=2,
        sequence=3,
        parameters=35,
        gradients="checked",
        operations=(operation,),
        arrays=arrays(),
    )


def arrays() -> dict[str, Any]:
    tiles = np.arange(512, dtype=np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
    return {
        "x.tiles": tiles.reshape(2, 16, 16),
        "x.exponents": np.arange(256, dtype=np.int64),
        "w.zero": np.array([3, 1], dtype=np.uint32),
    }


def test_a_workload_and_its_bits_read_back(tmp_path: Path) -> None:
    write_workload(tmp_path, workload())
    assert read_workload(tmp_path) == workload()
    read = read_workload(tmp_path).arrays
    assert read.keys() == arrays().keys()
    for name, array in arrays().items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
    assert workload().flops == 2 * 2 * 3 * 5 * 7


def test_a_workload_that_names_absent_arrays_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"w\.zero"):
        replace(workload(), arrays={k: v for k, v in arrays().items() if k != "w.zero"})


def test_each_operation_is_a_line(tmp_path: Path) -> None:
    write_workload(tmp_path, workload())
    (line,) = [
        line for line in (tmp_path / "workload.json").read_text().splitlines() if '"mm_0"' in line
    ]
    assert json.loads(line)["kind"] == "aten.mm"


def test_torn_operands_are_refused(tmp_path: Path) -> None:
    write_workload(tmp_path, workload())
    path = tmp_path / "operands.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match="cannot be read"):
        read_workload(tmp_path)


def design() -> Design:
    return Design(
        name="core-6",
        generator="zhufeng.chip:core",
        parameters={"bits": 6, "lanes": 16, "name": "x", "share": 0.5, "on": True},
        clock_hz=1.5e9,
        macs_per_cycle={"block6": 4096.0},
        dram_bytes_per_s=2e12,
        sources={"clock_hz": "synthesis"},
        rtl={"core.sv": "module core;\nendmodule\n", "pe.sv": 'initial $display("\\n");\n'},
        figures={"transistors_per_mac": 2148.0, "timing_ns": None},
    )


def test_a_design_reads_back_from_its_folder(tmp_path: Path) -> None:
    write_design(tmp_path, design())
    assert read_design(tmp_path) == design()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chip.toml", "figures.json", "rtl"]
    assert design().flops_per_s("block6") == 2 * 4096 * 1.5e9


def test_a_design_written_over_another_leaves_nothing_of_it(tmp_path: Path) -> None:
    write_design(tmp_path, design())
    smaller = replace(design(), rtl={"core.sv": "module core;\r\nendmodule\r\n"})
    write_design(tmp_path, smaller)
    assert read_design(tmp_path) == smaller


def test_a_chip_written_by_hand_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'record = "design"\nversion = 1\nname = "mine"\nclock_hz = 1e9\n'
        "[macs_per_cycle]\nbf16 = 512\n"
    )
    assert read_design(path) == Design(name="mine", clock_hz=1e9, macs_per_cycle={"bf16": 512.0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clock_hz": 0.0}, "above 0 Hz"),
        ({"clock_hz": math.nan}, "above 0 Hz"),
        ({"macs_per_cycle": {"bf16": -1.0}}, "bf16 of 0 or more"),
        ({"dram_bytes": -1}, "dram_bytes of 0 or more"),
        ({"rtl": {"../x.sv": ""}}, "plain file names"),
    ],
)
def test_an_impossible_design_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(design(), **change)


PLAN = Plan(
    model="llama.json",
    chip="H100",
    fabric="rail",
    chips=64,
    tp=4,
    pp=2,
    dp=8,
    ep=4,
    sequence=8192,
    global_batch=64,
    micro_batch=2,
)


def test_a_plan_reads_back(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", PLAN)
    assert read_plan(tmp_path / "plan.json") == PLAN
    assert PLAN.micro_batches == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chips": 65}, "chips equal to tp*cp*pp*dp, which is 64; chips is 65"),
        ({"dp": 0}, "dp of at least 1"),
        ({"ep": 0}, "ep of at least 1"),
        ({"micro_batch": -2}, "micro_batch of at least 1"),
        ({"ep": 3}, "dp*cp = 8 a multiple of ep = 3"),
        ({"global_batch": 24}, "global_batch = 24 a multiple of micro_batch*dp = 16"),
        ({"rank_order": ("tp", "pp")}, "each of tp, cp, ep, dp, pp once"),
    ],
)
def test_a_plan_that_does_not_divide_says_which_number(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(PLAN, **change)
