"""All seeds: everybody learns, then everybody is asked."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path

import torch

from fusion_union.documents import read_documents, read_list
from fusion_union.identity import identity, training
from fusion_union.members import trained
from fusion_union.rows import scored, table_rows
from fusion_union.settings import MEMBERS, OVERLAP, OVERLAPPING, SEQUENCE, Size
from fusion_union.split import Split, divide
from fusion_union.store import Result, Results
from fusion_union.students import taught
from harness import machine
from zhufeng.fusion.mix import MemberSpec, open_member

LEARNERS = {**MEMBERS, OVERLAPPING: OVERLAP}
VARIANTS = {"": tuple(MEMBERS), f"{OVERLAPPING}_": ("python", OVERLAPPING, "prose")}
AT_ONCE = 2
"""Seeds, each on one core."""
_PR_SET_PDEATHSIG = 1


def results_of(size: Size, seeds: Sequence[int]) -> Results:
    """Train and score what these seeds need, two at a time, each on one core.

    What is trained is kept in the cache: killed, it goes on.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, spawned, _end_with_parent) as pool:
        one_each = list(zip(*product(seeds, LEARNERS), strict=True))
        list(pool.map(partial(_member, size), *one_each))
        list(pool.map(partial(_students, size), seeds))
        return dict(zip(seeds, pool.map(partial(_result, size), seeds), strict=True))


def _end_with_parent() -> None:
    """Where the parent is killed, nobody waits for what its processes train."""
    torch.set_num_threads(1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _split(seed: int) -> Split:
    return divide(read_documents(read_list()), seed)


def _member(size: Size, seed: int, name: str) -> Path:
    learner = LEARNERS[name]
    return trained(learner, learner.texts(_split(seed)), size, seed, training())


def _students(size: Size, seed: int) -> dict[str, Path]:
    members = {name: _member(size, seed, name) for name in MEMBERS}
    return taught(members, _split(seed), size, seed)


def _result(size: Size, seed: int) -> Result:
    split = _split(seed)
    folders = {name: _member(size, seed, name) for name in LEARNERS}
    folders |= _students(size, seed)
    asked = [
        open_member(MemberSpec(name=name, folder=str(folder), context=SEQUENCE))
        for name, folder in folders.items()
    ]
    sets = {name: scored(asked, texts) for name, texts in split.tested.items()}
    return {
        "rows": table_rows(sets, scored(asked, split.router), tuple(folders), VARIANTS),
        "identity": identity(size),
        "machine": str(machine()["processor"]),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }
