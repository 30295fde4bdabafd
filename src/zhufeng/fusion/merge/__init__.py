"""Models of one family merged into one: planned from headers, computed as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.merge._card import LINEAGE, Lineage, Origin
from zhufeng.fusion.merge._plan import Part, Plan, Task, plan
from zhufeng.fusion.merge._recipe import (
    Filtered,
    Recipe,
    Slice,
    SliceSource,
    Source,
    read_recipe,
)
from zhufeng.fusion.merge._table import METHODS, Method

if TYPE_CHECKING:
    from zhufeng.fusion.merge._run import run

__getattr__ = lazy_names(__name__, {"run": "_run"}, extra="fusion")

__all__ = [
    "LINEAGE",
    "METHODS",
    "Filtered",
    "Lineage",
    "Method",
    "Origin",
    "Part",
    "Plan",
    "Recipe",
    "Slice",
    "SliceSource",
    "Source",
    "Task",
    "plan",
    "read_recipe",
    "run",
]
