"""A training, prefill or decode step of any module, captured as a `Workload`.

>>> workload = capture(model, (tokens, targets), optimizer)

Everything that needs torch is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.workload._atlas import AtlasRow, atlas_row, find_workloads
from zhufeng.workload._join import join
from zhufeng.workload._section import workload_section
from zhufeng.workload._summary import (
    FAMILIES,
    OperandSummary,
    family,
    operands_by_role,
    products_flops,
    work_by_family,
    work_by_kind,
)
from zhufeng.workload._timeline import write_timeline

if TYPE_CHECKING:
    from zhufeng.workload._batches import Extent
    from zhufeng.workload._capture import capture
    from zhufeng.workload._check import TOLERANCES, GradientError
    from zhufeng.workload._folded import Folded
    from zhufeng.workload._products import Product, Side, register_products
    from zhufeng.workload._recording import Recorded, record_step
    from zhufeng.workload._subjects import Subject, subject_of_config, subject_of_function
    from zhufeng.workload._trace import Step, StepOutput, StepState, trace_step

__getattr__ = lazy_names(
    __name__,
    {
        "Extent": "_batches",
        "Folded": "_folded",
        "GradientError": "_check",
        "Product": "_products",
        "Recorded": "_recording",
        "Side": "_products",
        "Step": "_trace",
        "StepOutput": "_trace",
        "StepState": "_trace",
        "Subject": "_subjects",
        "TOLERANCES": "_check",
        "capture": "_capture",
        "record_step": "_recording",
        "register_products": "_products",
        "subject_of_config": "_subjects",
        "subject_of_function": "_subjects",
        "trace_step": "_trace",
    },
    extra="train",
)

__all__ = [
    "FAMILIES",
    "TOLERANCES",
    "AtlasRow",
    "Extent",
    "Folded",
    "GradientError",
    "OperandSummary",
    "Product",
    "Recorded",
    "Side",
    "Step",
    "StepOutput",
    "StepState",
    "Subject",
    "atlas_row",
    "capture",
    "family",
    "find_workloads",
    "join",
    "operands_by_role",
    "products_flops",
    "record_step",
    "register_products",
    "subject_of_config",
    "subject_of_function",
    "trace_step",
    "work_by_family",
    "work_by_kind",
    "workload_section",
    "write_timeline",
]
