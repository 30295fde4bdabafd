"""Models that answer as one, judged on texts: the stage ``[fuse]`` of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.union._config import MEMBER_FILES, FuseConfig
from zhufeng.fusion.union._documents import Documents, cut, mixed

if TYPE_CHECKING:
    from zhufeng.fusion.union._fuse import Fused, fuse
    from zhufeng.fusion.union._section import fuse_section
    from zhufeng.fusion.union._table import Table, contributed, tabulate

__getattr__ = lazy_names(
    __name__,
    {
        "Fused": "_fuse",
        "Table": "_table",
        "contributed": "_table",
        "fuse": "_fuse",
        "fuse_section": "_section",
        "tabulate": "_table",
    },
    extra="fusion",
)

__all__ = [
    "MEMBER_FILES",
    "Documents",
    "FuseConfig",
    "Fused",
    "Table",
    "contributed",
    "cut",
    "fuse",
    "fuse_section",
    "mixed",
    "tabulate",
]
