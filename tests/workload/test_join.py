"""Several points of a training as one workload; the page, the timeline and the atlas of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.workload.models import decoder, mlp
from zhufeng.cli import main
from zhufeng.records import Point, Workload, skippable_share, write_workload, zero_tile_grids
from zhufeng.workload import (
    FAMILIES,
    atlas_row,
    capture,
    find_workloads,
    join,
    operands_by_role,
    products_flops,
    work_by_family,
    work_by_kind,
    workload_section,
    write_timeline,
)


def at(seed: int) -> Workload:
    """The MLP with some of its weights gone."""
    model, batch = mlp()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter[:, : 16 * (seed % 3)] = 0
    return capture(model, batch, torch.optim.AdamW(model.parameters()))


def test_statistics_are_averaged_by_weight_and_bitmaps_kept() -> None:
    one, other = at(1), at(2)
    both = join([one, other], [Point(name="a", weight=1), Point(name="b", weight=3)])
    assert [point.weight for point in both.points] == [0.25, 0.75]
    for joined, a, b in zip(both.gemms, one.gemms, other.gemms, strict=True):
        for side in ("left", "right"):
            x, y, z = (getattr(gemm, side) for gemm in (joined, a, b))
            assert x.zeros == pytest.approx(0.25 * y.zeros + 0.75 * z.zeros)
            assert x.zero_blocks == pytest.approx(0.25 * y.zero_blocks + 0.75 * z.zero_blocks)
            for error, bits in x.bits_needed.items():
                mean = 0.25 * y.bits_needed[error] + 0.75 * z.bits_needed[error]
                assert bits == pytest.approx(mean)
            histogram = 0.25 * one.arrays[y.exponents] + 0.75 * other.arrays[z.exponents]
            assert np.allclose(both.arrays[x.exponents], histogram, atol=1e-6)
            assert len(both.arrays[x.tiles]) <= 16 + 1
        share = 0.25 * skippable_share(one, a) + 0.75 * skippable_share(other, b)
        assert skippable_share(both, joined) == pytest.approx(share)
        assert len(zero_tile_grids(both, joined)) == 2
    assert both.flops == one.flops
    assert any(skippable_share(both, gemm) > 0 for gemm in both.gemms)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-1.0, 2.0)])
def test_weights_that_mean_nothing_are_refused(weights: tuple[float, float]) -> None:
    points = [Point(name=f"{w}", weight=w) for w in weights]
    with pytest.raises(ValueError, match="weight"):
        join([at(1), at(2)], points)


def test_sums_by_family_and_kind_are_the_whole() -> None:
    model, batch = decoder()()
    workload = capture(model, batch, torch.optim.AdamW(model.parameters()))
    for work in (work_by_family(workload), work_by_kind(workload)):
        assert sum(one.flops for one in work.values()) == workload.flops
        assert sum(one.operations for one in work.values()) == len(workload.operations)
    assert list(work_by_family(workload)) == [f for f in FAMILIES if f in work_by_family(workload)]
    by_role = operands_by_role(workload)
    assert sum(o.flops for (_, side), o in by_role.items() if side == "left") == products_flops(
        workload
    )
    row = atlas_row(workload)
    assert sum(row.flops_share.values()) == pytest.approx(1)
    assert sum(row.bytes_share.values()) == pytest.approx(1)
    text = workload_section(workload).summary
    assert "gradients equal to eager's" in text


def test_the_timeline_has_every_operation_in_its_module(tmp_path: Path) -> None:
    workload = at(1)
    write_timeline(tmp_path / "t.json.gz", workload)
    with gzip.open(tmp_path / "t.json.gz") as file:
        events = json.load(file)["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    names = {e["args"]["name"]: e["tid"] for e in events if e.get("name") == "thread_name"}
    operations = [s for s in slices if s["tid"] == names["operation"]]
    assert [s["name"] for s in operations] == [o.kind for o in workload.operations]
    phases = [s["name"] for s in slices if s["tid"] == names["phase"]]
    assert phases == ["forward", "backward", "update"]
    end = operations[-1]["ts"] + operations[-1]["dur"]
    assert sum(o["dur"] for o in operations) == pytest.approx(end, abs=0.1)


def test_the_atlas_shows_many_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, workload in (("one", at(1)), ("two", capture(nn.Linear(3, 2), torch.ones(2, 3), mode="prefill"))):  # fmt: skip  # noqa: E501
        (tmp_path / name).mkdir()
        write_workload(tmp_path / name, workload)
    assert [w.model for w in find_workloads([tmp_path])] == ["WithLoss", "Linear"]
    assert main(["workload", "atlas", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["workloads"]
    assert [row["mode"] for row in rows] == ["train", "prefill"]
    assert rows[1]["flops_share"] == {"linear": 1.0}
    assert main(["workload", "atlas", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    told = capsys.readouterr().out
    assert "WithLoss" in told
    assert "Linear" in told
