"""What the foundation itself costs: the command line, a run, a run with nothing to do, shards."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from harness import Figure, cpu_s, main, median, program_cpu_s, ratios
from zhufeng.records import read_shard, shard_writer

ZHUFENG = (sys.executable, "-m", "zhufeng")
VOCABULARY = 50_000
Documents = np.ndarray[tuple[int, int], np.dtype[np.int64]]


def measure(quick: bool, seed: int) -> Mapping[str, Figure]:
    """All figures; CPU seconds unless the name says otherwise."""
    runs = 5 if quick else 15
    with tempfile.TemporaryDirectory() as folder:
        return {**_commands(runs, Path(folder)), **_shards(runs, seed, Path(folder))}


def _commands(runs: int, folder: Path) -> dict[str, Figure]:
    cache = str(folder / "cache")
    helps, bare, first, again = [], [], [], []
    for number in range(runs):
        run = folder / f"run-{number}"
        helps.append(program_cpu_s([*ZHUFENG, "--help"]))
        bare.append(program_cpu_s([sys.executable, "-c", "pass"]))
        demo = [*ZHUFENG, "demo", "-o", str(run)]
        first.append(program_cpu_s(demo, ZHUFENG_CACHE=cache))
        again.append(program_cpu_s(demo, ZHUFENG_CACHE=cache))
    return {
        "help_cpu_s": median(helps),
        "help_over_bare_python": ratios(helps, bare),
        "demo_cpu_s": median(first),
        "demo_again_cpu_s": median(again),
    }


def _shards(runs: int, seed: int, folder: Path) -> dict[str, Figure]:
    """Documents of 200 tokens, written by us and by Megatron-LM's builder, then read."""
    random = np.random.default_rng(seed)
    documents = random.integers(0, VOCABULARY, (20_000, 200))
    ours, theirs, reading = [], [], []
    _write_megatron(folder / "warm-up", documents[:1])  # imports torch
    for number in range(runs):
        prefix = folder / f"ours-{number}"
        ours.append(cpu_s(partial(_write, prefix, documents)))
        theirs.append(cpu_s(partial(_write_megatron, folder / f"theirs-{number}", documents)))
        reading.append(cpu_s(partial(_read, prefix)))
    return {
        "shard_write_mtokens_per_cpu_s": median([documents.size / t / 1e6 for t in ours]),
        "shard_read_mtokens_per_cpu_s": median([documents.size / t / 1e6 for t in reading]),
        "megatron_builder_over_ours": ratios(theirs, ours),
    }


def _write(prefix: Path, documents: Documents) -> None:
    with shard_writer(prefix, VOCABULARY) as shard:
        for document in documents:
            shard.write(document)


def _write_megatron(prefix: Path, documents: Documents) -> None:
    from megatron.core.datasets.indexed_dataset import (  # noqa: PLC0415 (imports torch)
        DType,
        IndexedDatasetBuilder,
    )

    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=DType.optimal_dtype(VOCABULARY))
    for document in documents:
        builder.add_document(document, [len(document)])
    builder.finalize(f"{prefix}.idx")


def _read(prefix: Path) -> int:
    return sum(int(tokens[-1]) for tokens in read_shard(prefix))


if __name__ == "__main__":
    main("foundation", __doc__ or "", measure, packages=("numpy", "pyarrow", "megatron-core"))
