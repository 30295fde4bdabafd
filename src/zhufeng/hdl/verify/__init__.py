"""Verification: random regressions in lanes, failures made small, coverage, tests as coroutines.

>>> report = regress(design, monitor=model)
>>> report.passed, report.coverage.points_hit
>>> print(report.failures[0].table())
"""

from zhufeng.hdl.verify._bench import Bench, ClaimName
from zhufeng.hdl.verify._coroutines import Dut, Handle, Task, coroutine_test
from zhufeng.hdl.verify._coverage import Coverage, CoverPoint, Toggles, merge
from zhufeng.hdl.verify._draw import Knob
from zhufeng.hdl.verify._failure import Failure, Played, Replay, table_of
from zhufeng.hdl.verify._regress import regress
from zhufeng.hdl.verify._report import (
    CLAIM_COLUMNS,
    POINT_COLUMNS,
    REPORT,
    TOGGLE_COLUMNS,
    ClaimCount,
    LeastFailure,
    Report,
    ReportFile,
    SeedResult,
    claim_rows,
    point_rows,
    toggle_rows,
)
from zhufeng.hdl.verify._section import verification_section

__all__ = [
    "CLAIM_COLUMNS",
    "POINT_COLUMNS",
    "REPORT",
    "TOGGLE_COLUMNS",
    "Bench",
    "ClaimCount",
    "ClaimName",
    "CoverPoint",
    "Coverage",
    "Dut",
    "Failure",
    "Handle",
    "Knob",
    "LeastFailure",
    "Played",
    "Replay",
    "Report",
    "ReportFile",
    "SeedResult",
    "Task",
    "Toggles",
    "claim_rows",
    "coroutine_test",
    "merge",
    "point_rows",
    "regress",
    "table_of",
    "toggle_rows",
    "verification_section",
]
