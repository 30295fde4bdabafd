"""Random programs over the whole language, run by everything that can: does all agree?

Each program (`tests/hdl/programs.py`) is run by the interpreter, before and after the passes, and
its Verilog by Verilator, with two seeds for the state that nothing has set, and by Icarus where it
is installed. They are compared cycle by cycle from the second one on, wherever the interpreter
says the same whatever the unset state is; assertions too.

- programs, mismatches: of the full run of 5,000, which goes on after a kill and stands in
  ``bench/results/fuzz.json``; null where the code has changed since. A mismatch is a program on
  which something disagrees.
- fresh_programs, fresh_mismatches: of 200 others, run now. ``--seed`` gives others again, and
  another full run.

A full run shrinks some of the programs with a mismatch into ``tests/hdl/kept``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.hdl.agreement import oracles
from tests.hdl.campaign import Campaign

from harness import Figure, Report, machine, main

PROGRAMS, FRESH = 5000, 200
RESULTS = Path(__file__).parent / "results" / "fuzz.json"
_APART = 1_000_000  # programs of two seeds of the bench


def measure(quick: bool, seed: int) -> Report:
    """All figures."""
    first = seed * _APART
    circumstances = {
        "machine": machine()["processor"],
        "seed": seed,
        "command": f"python bench/fuzz.py --seed {seed}",
    }
    full = Campaign(RESULTS, first, PROGRAMS)
    if not quick:
        for done in full.run(circumstances):
            sys.stderr.write(f"{done['programs']} programs, mismatches: {done['mismatches']}\n")
    with tempfile.TemporaryDirectory() as folder:
        others = Campaign(Path(folder) / "fresh.json", first + PROGRAMS, FRESH)
        fresh = list(others.run(circumstances))
    figures = {**_figures("", full.done()), **_figures("fresh_", fresh)}
    told = {seed: one for done in fresh for seed, one in done["mismatches"].items()}
    return Report(figures, {"beside the interpreter": sorted(oracles()), "mismatching": told})


def _figures(prefix: str, done: Sequence[dict[str, Any]] | None) -> dict[str, Figure]:
    programs = sum(one["programs"] for one in done) if done else None
    mismatches = sum(len(one["mismatches"]) for one in done) if done else None
    return {f"{prefix}programs": Figure(programs), f"{prefix}mismatches": Figure(mismatches)}


if __name__ == "__main__":
    main("fuzz", __doc__ or "", measure, packages=("verilator", "numpy"))
