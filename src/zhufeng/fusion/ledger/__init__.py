"""Who contributed how many bits to which answer: signed, tamper-evident, added up by day.

What an answer is worth in bits needs only Python; signing and reading a ledger need the extra
``fusion``, which is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names
from zhufeng.fusion.ledger._lines import DaySums, Ended, Entry, Head
from zhufeng.fusion.ledger._tally import Tally, contributions

if TYPE_CHECKING:
    from zhufeng.fusion.ledger._audit import Audit, Fault, audit, read_head
    from zhufeng.fusion.ledger._keys import key_beside
    from zhufeng.fusion.ledger._ledger import Ledger
    from zhufeng.fusion.ledger._shares import DayShares, Share, Shares, shares

__getattr__ = lazy_names(
    __name__,
    {
        "Audit": "_audit",
        "DayShares": "_shares",
        "Fault": "_audit",
        "Ledger": "_ledger",
        "Share": "_shares",
        "Shares": "_shares",
        "audit": "_audit",
        "key_beside": "_keys",
        "read_head": "_audit",
        "shares": "_shares",
    },
    extra="fusion",
)

__all__ = [
    "Audit",
    "DayShares",
    "DaySums",
    "Ended",
    "Entry",
    "Fault",
    "Head",
    "Ledger",
    "Share",
    "Shares",
    "Tally",
    "audit",
    "contributions",
    "key_beside",
    "read_head",
    "shares",
]
