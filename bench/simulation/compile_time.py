"""Compile a design of the bench, and print as JSON what it took.

    python -m simulation.compile_time NAME LANES

LANES may be None: then a trial tells how many.
"""

from __future__ import annotations

import json
import sys
import time

from simulation.catalogue import design
from simulation.cpu_time import children_s
from simulation.ours import module_of
from simulation.stimulus import checksum_module, stimulus_module
from zhufeng.hdl.compile import compile, harness  # noqa: A004


def main(name: str, lanes: str) -> None:
    """Compile and print."""
    which = design(name)
    stimulus, checksum = stimulus_module(which.drives).ir, checksum_module(which.outputs).ir
    begin = _cpu_s()
    module = module_of(which)
    read = _cpu_s()
    simulator = compile(
        harness(module, stimulus, checksum), None if lanes == "None" else int(lanes)
    )
    end = _cpu_s()
    told = {"lanes": simulator.lanes, "read_s": read - begin, "compile_s": end - read}
    print(json.dumps(told))


def _cpu_s() -> float:
    # Yosys runs in a process of its own.
    return time.process_time() + children_s()


if __name__ == "__main__":
    main(*sys.argv[1:])
