"""A regression on the run's page."""

from __future__ import annotations

from collections.abc import Iterator

from zhufeng.hdl.verify._failure import Failure, rows_of
from zhufeng.hdl.verify._report import (
    CLAIM_COLUMNS,
    POINT_COLUMNS,
    TOGGLE_COLUMNS,
    Report,
    claim_rows,
    point_rows,
    toggle_rows,
)
from zhufeng.hdl.waves import draw_waves
from zhufeng.report import Block, Figures, Section, Table, Text

_SHOWN_FAILURES = 3
_SHOWN_BITS = 20
_SIGNALS = 14
_CYCLES = 13


def verification_section(report: Report) -> Section:
    """What was tried, what failed and what was covered.

    Args:
        report: of a regression.
    """
    blocks: list[Block] = [_figures(report)]
    blocks += [Text(text=f"Note: {one}.") for one in report.warnings()]
    for one in report.failures[:_SHOWN_FAILURES]:
        blocks += _failure(one)
    blocks += _tables(report)
    return Section(title="Verification", summary=_summary(report), blocks=tuple(blocks))


def _summary(report: Report) -> str:
    asserted = [one for one in report.claims if one.kind == "assert"]
    failed = sum(one.lanes > 0 for one in asserted)
    said = "it asserts nothing of itself"
    if asserted:
        said = f"assertions that failed: {failed} of {len(asserted)}"
        said = said if failed else f"every assertion held, of {len(asserted)}"
    runs = len(report.seeds) * report.lanes
    return (
        f"{report.design} was given random inputs in {runs:,} runs of {report.cycles:,} cycles, "
        f"many of them side by side; {said}."
    )


def _figures(report: Report) -> Figures:
    cover = report.coverage
    asserted = [one for one in report.claims if one.kind == "assert"]
    held = sum(not one.lanes for one in asserted)
    figures = {
        "cycles simulated, over all runs": f"{report.lane_cycles:,}",
        "assertions that held": f"{held} of {len(asserted)}",
    }
    if report.lost_cycles:
        figures["cycles lost to broken assumptions"] = f"{report.lost_cycles:,}"
    if cover.points:
        figures["cover points hit"] = f"{cover.points_hit} of {len(cover.points)}"
    if cover.bits:
        figures["bits that rose and fell"] = f"{cover.bits_covered:,} of {cover.bits:,}"
    return Figures(figures=figures)


def _failure(failure: Failure) -> Iterator[Block]:
    claim, waves = failure.claim, failure.waves
    yield Text(
        text=f"{claim.path}: {claim.text} ({claim.where}). Found in cycle {failure.cycle} of seed "
        f"{failure.seed}, lane {failure.lane}; the least sequence of inputs that shows it has "
        f"{len(failure)} cycles, those of the reset among them."
    )
    names = [one.full_name for one in rows_of(waves)[:_SIGNALS]]
    first = max(0, len(failure) - _CYCLES)
    yield draw_waves(
        waves,
        names,
        first=first,
        cycles=_CYCLES,
        alt=f"Signals of the least sequence that breaks {claim.text}",
        caption=f"The assertion fails in cycle {len(failure) - 1}, the last. All signals are in "
        "verify/failure-N.vcd",
    )


def _tables(report: Report) -> Iterator[Table]:
    tables = (
        (
            CLAIM_COLUMNS,
            claim_rows(report.claims),
            "What is claimed, and in how many runs it failed",
        ),
        (
            POINT_COLUMNS,
            point_rows(report.coverage),
            "Cover points: in how many cycles of all runs",
        ),
        (TOGGLE_COLUMNS, toggle_rows(report.coverage), _toggled(report)),
    )
    for columns, rows, caption in tables:
        if rows:
            yield Table(columns=columns, rows=tuple(rows), caption=caption)


def _toggled(report: Report) -> str:
    missing = [text for one in report.coverage.toggles for text in one.missing()]
    told = "Bits of registers and ports that were seen both to rise and to fall, in any run"
    if not missing:
        return f"{told}: all of them"
    more = f", and {len(missing) - _SHOWN_BITS} more" if len(missing) > _SHOWN_BITS else ""
    return f"{told}. Of the others: {', '.join(missing[:_SHOWN_BITS])}{more}"
