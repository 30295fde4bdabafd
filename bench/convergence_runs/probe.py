"""What the code of this folder makes of the first steps of trainings, to the bit.

``python -m convergence_runs.probe`` reads the keys of runs, as JSON, and prints a `Probe` of them.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from convergence_runs.identity import MORE_IMAGES, SEED_OF_IMAGES, identity
from convergence_runs.plan import BASELINE, Run, every_run
from convergence_runs.training import schedule_of
from zhufeng.base import sha256_file, sha256_json, to_json, track
from zhufeng.models.reference import REFERENCES, load_reference
from zhufeng.training import MODEL, ReferenceTask, read_metrics, train

STEPS = 20
"""Few, but in every phase of a policy."""
_BEGIN = 0.1
_BATCHES = 2
"""Held-out ones."""


@dataclass(frozen=True)
class Probe:
    """What the code of a commit does."""

    bits: Mapping[str, str]
    """By reference and policy, a hash of a short training."""
    identities: Mapping[str, str]
    """By the keys of runs."""
    asked: Mapping[str, Any]
    """By the keys of runs, as JSON, the settings and the policy, which few steps do not show."""


def kind(run: Run) -> str:
    """Reference and policy."""
    return f"{run.reference} {run.policy}"


def probe(keys: Collection[str]) -> Probe:
    """For the runs of these keys."""
    runs = [run for run in every_run() if run.key in keys]
    kinds = {kind(run): run for run in runs}
    return Probe(
        bits={name: short_training(run) for name, run in track(kinds.items(), "probing")},
        identities={run.key: identity(run.reference, run.formats) for run in runs},
        asked={run.key: asked(run) for run in runs},
    )


def asked(run: Run) -> list[Any]:
    """All that a training is told."""
    images = [MORE_IMAGES, SEED_OF_IMAGES]
    return [to_json(REFERENCES[run.reference]), to_json(run.formats), images]


def short_training(run: Run) -> str:
    """A hash of all losses, norms of gradients and weights of a training of `STEPS` steps, as a
    branch that leaves bf16 after a tenth of them.
    """
    torch.set_num_threads(1)
    begin = 0.0 if run.policy == BASELINE else _BEGIN
    own = Run(run.reference, run.policy, seed=0, since=begin)
    schedule = replace(
        schedule_of(own), steps=STEPS, warmup=1, evaluate_every=STEPS, checkpoint_every=STEPS
    )
    task = ReferenceTask(load_reference(own.reference), schedule, seed=own.seed)
    whole = task.held_out
    task.held_out = lambda: _some(whole())
    with tempfile.TemporaryDirectory(prefix="zhufeng-probe-") as name:
        folder = Path(name)
        train(task, schedule, folder, own.seed)
        weights = sorted((folder / MODEL).glob("*.safetensors"))
        return sha256_json([read_metrics(folder), *map(sha256_file, weights)])


def _some(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.islice(iter(batches), _BATCHES)


if __name__ == "__main__":
    print(json.dumps(asdict(probe(json.load(sys.stdin)))))
