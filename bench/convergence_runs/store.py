"""Results, in a file that is read by who has no hours to train."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from convergence_runs.identity import identity
from convergence_runs.plan import BASELINE, Run
from convergence_runs.training import Result, began_otherwise
from zhufeng.base import cache_folder, sha256_json, write_durable

RESULTS = Path(__file__).parents[1] / "results" / "convergence.json"


def read() -> dict[str, Result]:
    """All results, by the keys of their runs."""
    if not RESULTS.exists():
        return {}
    results: dict[str, Result] = json.loads(RESULTS.read_text())
    return results


def add(run: Run, result: Result) -> None:
    """Keep a result; others may add theirs at the same time.

    Where a branch of today did not begin as its baseline did, that was trained on a machine that
    rounds otherwise, and is to be trained again.
    """
    with _held("lock"):
        results = {**read(), run.key: result}
        bf16 = Run(run.reference, BASELINE, run.seed).key
        if bf16 in results and began_otherwise(run, result, results[bf16]):
            del results[bf16]
        write(results)


def write(results: Mapping[str, Result]) -> None:
    """Keep these and no others."""
    text = json.dumps(results, indent=1, sort_keys=True) + "\n"
    write_durable(RESULTS, text.encode())


@contextmanager
def alone(run: Run) -> Iterator[None]:
    """While no other process trains the same."""
    with _held(f"{sha256_json(run.key)}.lock"):
        yield


@contextmanager
def _held(name: str) -> Iterator[None]:
    with (cache_folder("convergence") / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def standing_results(runs: Iterable[Run]) -> dict[Run, Result]:
    """Those that count, by their runs."""
    results = read()
    found = ((run, standing(results, run)) for run in runs)
    return {run: result for run, result in found if result is not None}


def standing(results: Mapping[str, Result], run: Run) -> Result | None:
    """The result of a run, if it was made by today's code and settings."""
    result = results.get(run.key)
    fresh = identity(run.reference, run.formats)
    return result if result and result["identity"] == fresh else None
