"""Dense models of one configuration put together as one mixture of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.experts._recipe import Expert, ExpertsRecipe, read_experts

if TYPE_CHECKING:
    from zhufeng.fusion.experts._assemble import assemble
    from zhufeng.fusion.experts._plan import ExpertsPlan, plan_experts

__getattr__ = lazy_names(
    __name__,
    {"ExpertsPlan": "_plan", "assemble": "_assemble", "plan_experts": "_plan"},
    extra="fusion",
)

__all__ = [
    "Expert",
    "ExpertsPlan",
    "ExpertsRecipe",
    "assemble",
    "plan_experts",
    "read_experts",
]
