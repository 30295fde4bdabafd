"""Formats on this machine: how fast, and whether everything that computes them agrees.

Speed is that of `zhufeng.formats.host` by CPU time on one core, as medians of rounds in which
everything has its turn, in billions a second.

- host_gmacs_block4, 5, 6, 8: multiply-accumulates of `multiply`, operands in blocks of so many
  bits, over all shapes; host_gmacs_block6_MxNxK: of one shape, (m, k) times (n, k), a batch in
  front.
- quantise_gelems: elements of `quantise`, fp32 to codes and elements of 6 bits, to nearest.
  quantise_stochastic_gelems, quantise_planes_gelems, quantise_tiles_gelems: with stochastic
  rounding, to two planes, with 16 x 16 elements under one scale.

A tile is 16 rows of 32 fp32 against 16 others, quantised, and multiplied to 16 x 16 fp32 in a step
of the accumulator, or in a step a pass; a few are six times as long. Its codes, elements and
results are compared, bit by bit, between the golden model (`tests/formats/golden.py`), the compiled
functions, and for some Verilator on the Verilog that we print, and the interpreter. Elements of 4,
5, 6 and 8 bits, both roundings, one plane and two have equal shares; shared scales and operands of
different bits are among them.

- tiles_checked, tiles_different: all of them, and those on which any two say different things.
- tiles_recorded: of those checked, how many are a training step's (`formats_tiles/recorded.py`):
  1,000 in every mode. tiles_simulated, tiles_interpreted: those that Verilator and the interpreter
  have computed too.

A million tiles are checked with ``--quick`` too; there are fewer rounds then. A full run writes
``bench/results/formats.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from formats_tiles import speed
from formats_tiles.campaign import Done, Plan, campaign
from harness import Figure, Report, machine, main
from zhufeng.base import write_durable

RESULTS = Path(__file__).parent / "results" / "formats.json"
_RECORDED = 1000
_QUICK, _FULL = 5, 21


def measure(quick: bool, seed: int) -> Report:
    """All figures."""
    rates = speed.measure(_QUICK if quick else _FULL, seed)
    # Torch stays out of the processes that check tiles, which import this file.
    from formats_tiles.recorded import REFERENCE, STEPS, recorded  # noqa: PLC0415

    done = campaign(Plan(), recorded(_RECORDED, seed), seed)
    beside: dict[str, object] = {
        "recorded": f"of {REFERENCE} after {STEPS} steps, in fp32 and in bf16",
        "quantised at a time": "{} x {} fp32".format(*speed.NUMBERS),
        "CPU seconds of the tiles": round(sum(one.cpu_s for one in done), 1),
        "differences": [line for one in done for line in one.told],
    }
    report = Report({**rates, **_tiles(done)}, beside)
    if not quick:
        _write(report, seed)
    return report


def _tiles(done: list[Done]) -> Mapping[str, Figure]:
    sums = {
        "tiles_checked": sum(one.tiles for one in done),
        "tiles_different": sum(one.different for one in done),
        "tiles_recorded": sum(one.tiles for one in done if one.recorded),
        "tiles_simulated": sum(one.simulated for one in done),
        "tiles_interpreted": sum(one.interpreted for one in done),
    }
    return {name: Figure(count) for name, count in sums.items()}


def _write(report: Report, seed: int) -> None:
    told = {
        "command": f"python bench/formats.py --seed {seed}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "seed": seed,
        "figures": {key: one.value for key, one in report.figures.items()},
        "spread": {key: [one.low, one.high, one.runs] for key, one in report.figures.items()},
        **report.beside,
    }
    write_durable(RESULTS, (json.dumps(told, indent=1) + "\n").encode())


if __name__ == "__main__":
    main("formats", __doc__ or "", measure, packages=("verilator", "llvmlite", "numpy", "torch"))
