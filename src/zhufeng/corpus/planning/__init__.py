"""What a large corpus will cost, from the measured cost of a small one."""

from zhufeng.corpus.planning._planning import (
    COSTS,
    COSTS_FILE,
    CorpusPlan,
    Costs,
    Estimate,
    Wanted,
    costs_before,
    plan,
    read_costs,
    spread,
    student,
    write_costs,
)

__all__ = [
    "COSTS",
    "COSTS_FILE",
    "CorpusPlan",
    "Costs",
    "Estimate",
    "Wanted",
    "costs_before",
    "plan",
    "read_costs",
    "spread",
    "student",
    "write_costs",
]
