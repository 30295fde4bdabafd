"""How much CPU time passes from an edit to a verified array, here and with Verilator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simulation.catalogue import design
from simulation.cpu_time import children_s
from simulation.verilator_rival import Verilator, Workshop
from zhufeng.hdl import examples

VECTORS, CYCLES = 10_000, 1000
"""How many are verified, and of how many cycles each is."""
ARRAY = "sa16"
_HERE = Path(__file__).parent
# The operands of the product change places, in Python and in Verilog.
OURS = ("product = a * s.w", "product = s.w * a")
THEIRS = ("a_q[j][i] * w_q[j][i]", "w_q[j][i] * a_q[j][i]")
Edit = tuple[str, str]


@dataclass(frozen=True)
class Verified:
    """What came out."""

    vectors: int
    right: int
    digest: int
    """Of all sums."""

    @property
    def all_right(self) -> bool:
        """Whether every vector was right."""
        return self.right == self.vectors


@dataclass(frozen=True)
class Verification:
    """An edit verified."""

    found: Verified
    cpu_s: float
    """Of all from the edited file on."""
    run_s: float
    """Of it, the program that is built, where one is."""


def edited(source: Path, edit: Edit, folder: Path) -> Path:
    """A copy of a file, one line of it changed."""
    text = source.read_text()
    old, new = edit
    assert text.count(old) == 1
    target = folder / f"edited{source.suffix}"
    target.write_text(text.replace(old, new))
    return target


def ours(
    bytecode: Path, lanes: int, seed: int, edit: Edit = OURS, vectors: int = VECTORS
) -> Verification:
    """By our simulator and NumPy: a new Python, which has never compiled hardware.

    Args:
        bytecode: where Python keeps that of installed modules: it is there from the second time on,
            as after any installation.
        lanes: as many as are known to be best.
        seed: draws the vectors.
        edit: what is changed, and into what.
        vectors: how many.
    """
    with tempfile.TemporaryDirectory() as name:
        source = edited(Path(examples.__file__).with_name("systolic.py"), edit, Path(name))
        numbers = map(str, (vectors, lanes, seed))
        command = [sys.executable, str(_HERE / "verify.py"), str(source), *numbers]
        found, cpu_s = _run(
            command,
            ZHUFENG_CACHE=name,
            OMP_NUM_THREADS="1",
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=str(bytecode),
        )
    return Verification(found, cpu_s, 0)


def verilators(
    workshop: Workshop,
    verilator: Verilator,
    seed: int,
    *,
    loops: bool,
    edit: Edit = THEIRS,
    vectors: int = VECTORS,
) -> Verification:
    """By Verilator and C++; its library is there already.

    Args:
        workshop: builds.
        verilator: which.
        seed: draws the vectors.
        loops: whether loops are kept.
        edit: what is changed, and into what.
        vectors: how many.
    """
    with tempfile.TemporaryDirectory() as name:
        which = design(ARRAY)
        source = edited(which.files[0], edit, Path(name))
        program = (_HERE / "verify.cpp").read_text()
        changed = replace(which, files=(source,))
        built = workshop.build(changed, "hand-written", verilator, loops=loops, program=program)
        found, run_s = _run([str(built.program), str(vectors), str(seed)])
    return Verification(found, built.build_s + run_s, run_s)


def _run(command: Sequence[str], **environment: str) -> tuple[Verified, float]:
    before = children_s()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode in (0, 1), done
    return Verified(**json.loads(done.stdout)), children_s() - before
