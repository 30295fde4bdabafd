"""Files of every form in every released version read as they did when they were written.

A new version of a form adds a folder here (`python tests/records/test_golden.py` writes it) and
never changes an old one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zhufeng.records import (
    Design,
    Document,
    Episode,
    Gemm,
    Operand,
    Operands,
    Operation,
    Plan,
    Point,
    Policy,
    Rule,
    Segment,
    Tensor,
    TokenSet,
    Workload,
    read_design,
    read_episodes,
    read_jsonl,
    read_parquet,
    read_plan,
    read_policy,
    read_shard,
    read_token_set,
    read_workload,
    shard_writer,
    write_design,
    write_episodes,
    write_jsonl,
    write_parquet,
    write_plan,
    write_policy,
    write_token_set,
    write_workload,
)

GOLDEN = Path(__file__).with_name("golden")
VERSIONS = sorted(path.name for path in GOLDEN.iterdir())

DOCUMENT = Document(
    doc_id="d1",
    source_uri="talk.mp4",
    content_sha256="ab" * 32,
    bytes=123,
    status="partial",
    reason="damaged after 3 s",
    container="mp4",
    codecs=("h264", "aac"),
    duration_s=12.5,
    text="hello 珠峰",
    lang="en",
    segments=(Segment(t0=0.0, t1=1.5, kind="speech", text="hello", conf=0.9),),
    shots=((0.0, 6.0), (6.0, 12.5)),
    quality={"words": 0.5},
    pii={"e-mail": 1},
    n_tokens=12,
    tokenizer="bytes",
    cpu_ms={"speech": 40.5},
)
# What version 2 of a document added.
DOCUMENT_2 = replace(
    DOCUMENT,
    original_text="hello 珠峯",
    segments=(replace(DOCUMENT.segments[0], original="hallo"),),
)
DOCUMENTS = {"v1": DOCUMENT, "v2": DOCUMENT}
WORKLOAD = Workload(
    model="tiny",
    mode="train",
    batch=1,
    sequence=4,
    parameters=8,
    gradients="checked",
    operations=(
        Operation(
            name="mm",
            phase="backward",
            module="head",
            kind="aten.mm",
            operands=(Tensor(name="x", shape=(4, 2), dtype="bfloat16"),),
            results=(),
            flops=32,
            bytes=64,
            gemms=(
                Gemm(
                    batch=1,
                    m=4,
                    n=4,
                    k=1,
                    role="weight_gradient",
                    left=Operand(tensor="x", zeros=0.25, tiles="x.tiles"),
                    right=Operand(tensor="dy", bits_needed={"0.01": 5.0}),
                ),
            ),
        ),
    ),
    arrays={"x.tiles": np.arange(4, dtype=np.uint16)},
)
# What version 2 of a workload added.
_left = replace(
    WORKLOAD.gemms[0].left, kind="gradient", zero_tiles="x.zero_tiles", exponents="x.exponents"
)
_gemm = replace(WORKLOAD.gemms[0], left=_left, groups=2, group_axis="k", group_sizes="x.groups")
WORKLOAD_2 = replace(
    WORKLOAD,
    operations=(replace(WORKLOAD.operations[0], gemms=(_gemm,)),),
    optimizer="AdamW",
    gradient_error=1e-6,
    points=(Point(name="step 1", weight=0.5), Point(name="step 2", weight=0.5)),
    uncounted=("mine.op",),
    arrays={
        "x.tiles": np.arange(4, dtype=np.uint16),
        "x.zero_tiles": np.array([1, 3], dtype=np.uint32),
        "x.exponents": np.zeros(256, dtype=np.float32),
        "x.groups": np.array([[1, 0], [0, 1]]),
    },
)
WORKLOADS = {"v1": WORKLOAD}
DESIGN = Design(
    name="core",
    clock_hz=1e9,
    macs_per_cycle={"block6": 512.0},
    parameters={"bits": 6},
    rtl={"core.sv": "module core;\nendmodule\n"},
    figures={"area_um2": None, "transistors": 2.0},
)
TOKEN_SET = TokenSet(tokenizer="bytes", vocabulary=257, end=256, tokens=3, text_bytes=2)
PLAN = Plan(model="m", chip="c", fabric="f", chips=8, tp=2, dp=4, sequence=128, global_batch=8)
_block6 = Operands(format="block6")
POLICY = Policy(
    name="block6, attention in 珠峰",
    rules=(
        Rule(weight=_block6, activation=_block6, gradient=replace(_block6, rounding="stochastic")),
        Rule(
            kinds=("attention",),
            modules=("layers.3.*", "head"),
            since=0.25,
            weight=Operands(format="block5", planes=2, storage="same"),
            activation=Operands(format="block8", tile=True, storage="fp32"),
            gradient=Operands(format="block4", planes=2, rounding="stochastic"),
            rotated=("forward", "weight_gradient"),
        ),
    ),
)
# Before there were policies.
WITHOUT_POLICY = {"v1", "v2", "v3"}
EPISODE = Episode("dock", 10, {"action": np.arange(6, dtype=np.float32).reshape(3, 2)})


def write(folder: Path) -> None:
    """Write every form as it is today."""
    write_parquet(folder / "documents.parquet", [DOCUMENT_2])
    write_jsonl(folder / "documents.jsonl", [DOCUMENT_2])
    with shard_writer(folder / "tokens", 257) as shard:
        shard.write(np.array([104, 105, 256]))
    write_token_set(folder, TOKEN_SET)
    for name in ("workload", "design", "episodes"):
        (folder / name).mkdir()
    write_workload(folder / "workload", WORKLOAD_2)
    write_design(folder / "design", DESIGN)
    write_plan(folder / "plan.json", PLAN)
    write_policy(folder / "policy.toml", POLICY)
    write_episodes(folder / "episodes", [EPISODE])


def check(folder: Path) -> None:
    """Read every form."""
    document = DOCUMENTS.get(folder.name, DOCUMENT_2)
    assert list(read_parquet(folder / "documents.parquet")) == [document]
    assert list(read_jsonl(folder / "documents.jsonl")) == [document]
    assert [tokens.tolist() for tokens in read_shard(folder / "tokens")] == [[104, 105, 256]]
    assert read_token_set(folder) == TOKEN_SET
    workload = read_workload(folder / "workload")
    assert workload == WORKLOADS.get(folder.name, WORKLOAD_2)
    assert workload.arrays["x.tiles"].tolist() == [0, 1, 2, 3]
    assert read_design(folder / "design") == DESIGN
    assert read_plan(folder / "plan.json") == PLAN
    if folder.name not in WITHOUT_POLICY:
        assert read_policy(folder / "policy.toml") == POLICY
    (episode,) = read_episodes(folder / "episodes")
    assert np.array_equal(episode.features["action"], EPISODE.features["action"])


@pytest.mark.parametrize("version", VERSIONS)
def test_released_files_read_as_they_did(version: str) -> None:
    check(GOLDEN / version)


def test_what_is_written_today_reads_too(tmp_path: Path) -> None:
    write(tmp_path)
    check(tmp_path)


if __name__ == "__main__":
    new = GOLDEN / f"v{len(VERSIONS) + 1}"
    new.mkdir(parents=True)
    write(new)
