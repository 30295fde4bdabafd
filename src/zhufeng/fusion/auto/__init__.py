"""Which way of fusing fits which models, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names

if TYPE_CHECKING:
    from zhufeng.fusion.auto._advise import Advice, Pair, auto
    from zhufeng.fusion.auto._members import MemberRow
    from zhufeng.fusion.auto._samples import Likeness

__getattr__ = lazy_names(
    __name__,
    {
        "Advice": "_advise",
        "Likeness": "_samples",
        "MemberRow": "_members",
        "Pair": "_advise",
        "auto": "_advise",
    },
    extra="fusion",
)

__all__ = ["Advice", "Likeness", "MemberRow", "Pair", "auto"]
