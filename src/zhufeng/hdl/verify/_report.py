"""What a regression has to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import parse, read_json, record, to_json, write_durable
from zhufeng.hdl.verify._coverage import Coverage
from zhufeng.hdl.verify._failure import Failure

REPORT = "report.json"
_MOST = 0.5


@record
class ClaimCount:
    """An assertion or assumption, and in how many lanes of a seed, or of all, it failed."""

    kind: str
    path: str
    text: str
    where: str
    lanes: int
    first: tuple[int, int, int] | None
    """Cycle, seed and lane of the first failure: the least of them."""


@record
class SeedResult:
    """What came of one seed."""

    of: str
    """The hash of all that it follows from, but for the seed."""
    seed: int
    claims: tuple[ClaimCount, ...]
    coverage: Coverage
    lost_lanes: int
    """Lanes in which an assumption failed."""
    lost_cycles: int
    """Cycles of lanes from that on, to the end or to the next reset: nothing in them counts."""


@record
class LeastFailure:
    """A failure as files tell it."""

    path: str
    text: str
    where: str
    seed: int
    lane: int
    cycle: int
    cycles: int
    """Of the least sequence."""
    table: str


@record
class ReportFile:
    """A report as it is written and printed."""

    format: str = "zhufeng hdl regression"
    version: int = 1
    design: str
    passed: bool
    seeds: tuple[int, ...]
    lanes: int
    cycles: int
    lost_lanes: int
    lost_cycles: int
    warnings: tuple[str, ...]
    claims: tuple[ClaimCount, ...]
    failures: tuple[LeastFailure, ...]
    coverage: Coverage

    @staticmethod
    def read(folder: Path) -> ReportFile:
        """What `Report.write` has written.

        Raises:
            InputError: it is missing or damaged.
        """
        return parse(ReportFile, read_json(folder / REPORT), str(folder / REPORT))


@dataclass(frozen=True)
class Report:
    """What came of a regression."""

    design: str
    seeds: tuple[int, ...]
    lanes: int
    """Of each seed."""
    cycles: int
    """Of each lane, the reset among them."""
    claims: tuple[ClaimCount, ...]
    """Assertions and assumptions, those that held among them."""
    coverage: Coverage
    failures: tuple[Failure, ...]
    """Of each assertion that failed the least sequence that was found."""
    lost_lanes: int
    lost_cycles: int

    @property
    def passed(self) -> bool:
        """Whether every assertion held wherever the assumptions did."""
        return not any(one.kind == "assert" and one.lanes for one in self.claims)

    @property
    def lane_cycles(self) -> int:
        """How many cycles were simulated, over lanes and seeds."""
        return len(self.seeds) * self.lanes * self.cycles

    def warnings(self) -> Iterator[str]:
        """What makes the result worth less than it seems."""
        if self.lost_cycles > _MOST * self.lane_cycles:
            broken = max((o for o in self.claims if o.kind == "assume"), key=lambda one: one.lanes)
            yield (
                f"assumptions failed in {self.lost_lanes:,} of {len(self.seeds) * self.lanes:,} "
                f"lanes: {self.lost_cycles / self.lane_cycles:.0%} of all cycles count for "
                "nothing. "
                f"Mostly it was {broken.path}: {broken.text} ({broken.where}); a stimulus module "
                "that keeps it, or knobs, would not waste them"
            )
        if not any(one.kind == "assert" for one in self.claims):
            yield "there is no assertion: nothing was checked but that it runs"
        unmet = self.coverage.points_hit - len(self.coverage.points)
        if unmet:
            yield f"{-unmet} of {len(self.coverage.points)} cover points were never true"

    def told(self) -> ReportFile:
        """All of it but the arrays."""
        failures = tuple(
            LeastFailure(
                path=one.claim.path,
                text=one.claim.text,
                where=one.claim.where,
                seed=one.seed,
                lane=one.lane,
                cycle=one.cycle,
                cycles=len(one),
                table=one.table(),
            )
            for one in self.failures
        )
        return ReportFile(
            design=self.design,
            passed=self.passed,
            seeds=self.seeds,
            lanes=self.lanes,
            cycles=self.cycles,
            lost_lanes=self.lost_lanes,
            lost_cycles=self.lost_cycles,
            warnings=tuple(self.warnings()),
            claims=self.claims,
            failures=failures,
            coverage=self.coverage,
        )

    def write(self, folder: Path) -> None:
        """Write it, the coverage, and each failure as a table, waves and a file to be replayed."""
        text = json.dumps(to_json(self.told()), indent=1)
        write_durable(folder / REPORT, text.encode() + b"\n")
        self.coverage.write(folder / "coverage.json")
        for number, one in enumerate(self.failures, 1):
            one.write(folder / f"failure-{number}.npz")
            one.write_vcd(folder / f"failure-{number}.vcd")
            write_durable(folder / f"failure-{number}.txt", one.table().encode())


CLAIM_COLUMNS = ("claim", "of", "line", "failed in lanes", "first")
POINT_COLUMNS = ("cover point", "of", "line", "hits", "first")
TOGGLE_COLUMNS = ("bits of", "kind", "line", "toggled", "of")


def claim_rows(claims: tuple[ClaimCount, ...]) -> list[tuple[str, ...]]:
    """A row each: kind and text, path, line, in how many lanes it failed, and where first."""
    return [
        (
            f"{one.kind} {one.text}",
            one.path,
            one.where,
            f"{one.lanes:,}" if one.lanes else "held",
            "cycle {}, seed {}, lane {}".format(*one.first) if one.first else "",
        )
        for one in claims
    ]


def point_rows(coverage: Coverage) -> list[tuple[str, ...]]:
    """A row each: text, path, line, hits, and where first."""
    return [
        (
            one.text,
            one.path,
            one.where,
            f"{one.hits:,}",
            "seed {}, cycle {}".format(*one.first) if one.first else "never",
        )
        for one in coverage.points
    ]


def toggle_rows(coverage: Coverage) -> list[tuple[str, ...]]:
    """A row for each register and port: name, kind, line, bits toggled, and all."""
    return [
        (one.name, one.kind, one.where, f"{one.covered:,}", f"{one.bits:,}")
        for one in coverage.toggles
    ]
