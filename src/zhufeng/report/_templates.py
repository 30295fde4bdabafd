"""The templates from which pages are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def templates() -> Environment:
    """Those beside this file: they escape everything, and know no name that is not given."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (slow)

    return Environment(
        loader=PackageLoader("zhufeng.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
