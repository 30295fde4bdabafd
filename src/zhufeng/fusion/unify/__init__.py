"""Models of other families brought to the one architecture, verified, and brought back.

Names are imported when they are first used: the decoder's shapes need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names

if TYPE_CHECKING:
    from zhufeng.fusion.unify._plan import LayoutPlan, Origin, plan_export, plan_unify
    from zhufeng.fusion.unify._run import export, unify
    from zhufeng.fusion.unify._verify import Difference, verify

__getattr__ = lazy_names(
    __name__,
    {
        "Difference": "_verify",
        "LayoutPlan": "_plan",
        "Origin": "_plan",
        "export": "_run",
        "plan_export": "_plan",
        "plan_unify": "_plan",
        "unify": "_run",
        "verify": "_verify",
    },
    extra="fusion",
)

__all__ = [
    "Difference",
    "LayoutPlan",
    "Origin",
    "export",
    "plan_export",
    "plan_unify",
    "unify",
    "verify",
]
