"""A mixture of models taught to one student, beside two honest baselines.

The configuration needs no torch; everything else is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.distil._config import DistilConfig, TeacherConfig

if TYPE_CHECKING:
    from zhufeng.fusion.distil._compute import Cost, decoder_cost
    from zhufeng.fusion.distil._distil import Contestant, DistilResult, distil, distil_table
    from zhufeng.fusion.distil._passages import ENDINGS, CorpusFiles
    from zhufeng.fusion.distil._teacher import Teacher, open_teacher, teach

__getattr__ = lazy_names(
    __name__,
    {
        "ENDINGS": "_passages",
        "Contestant": "_distil",
        "CorpusFiles": "_passages",
        "Cost": "_compute",
        "DistilResult": "_distil",
        "Teacher": "_teacher",
        "decoder_cost": "_compute",
        "distil": "_distil",
        "distil_table": "_distil",
        "open_teacher": "_teacher",
        "teach": "_teacher",
    },
    extra="fusion",
)

__all__ = [
    "ENDINGS",
    "Contestant",
    "CorpusFiles",
    "Cost",
    "DistilConfig",
    "DistilResult",
    "Teacher",
    "TeacherConfig",
    "decoder_cost",
    "distil",
    "distil_table",
    "open_teacher",
    "teach",
]
