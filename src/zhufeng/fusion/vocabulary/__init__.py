"""Tokenizers compared and united, and models brought to a united vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names

if TYPE_CHECKING:
    from zhufeng.fusion.vocabulary._compare import Comparison, compare
    from zhufeng.fusion.vocabulary._read import Vocabulary, read_vocabulary
    from zhufeng.fusion.vocabulary._rows import (
        Origin,
        ReadRows,
        RowPlan,
        make_rows,
        pieces,
        plan_rows,
    )
    from zhufeng.fusion.vocabulary._union import United, unite_tokenizers
    from zhufeng.fusion.vocabulary._unite import resized, tokenizer_files, unite

__getattr__ = lazy_names(
    __name__,
    {
        "Comparison": "_compare",
        "Origin": "_rows",
        "ReadRows": "_rows",
        "RowPlan": "_rows",
        "United": "_union",
        "Vocabulary": "_read",
        "compare": "_compare",
        "make_rows": "_rows",
        "pieces": "_rows",
        "plan_rows": "_rows",
        "read_vocabulary": "_read",
        "resized": "_unite",
        "tokenizer_files": "_unite",
        "unite": "_unite",
        "unite_tokenizers": "_union",
    },
    extra="fusion",
)

__all__ = [
    "Comparison",
    "Origin",
    "ReadRows",
    "RowPlan",
    "United",
    "Vocabulary",
    "compare",
    "make_rows",
    "pieces",
    "plan_rows",
    "read_vocabulary",
    "resized",
    "tokenizer_files",
    "unite",
    "unite_tokenizers",
]
