"""The passes that everybody wants."""

from __future__ import annotations

from typing import Final

from zhufeng.hdl.ir import Module
from zhufeng.hdl.passes._constants import ConstantFolding
from zhufeng.hdl.passes._dead import DeadCode
from zhufeng.hdl.passes._narrow import WidthNarrowing
from zhufeng.hdl.passes._pass import Pass
from zhufeng.hdl.passes._same import CommonSubexpressions

PASSES: Final[tuple[Pass, ...]] = (
    ConstantFolding(),
    CommonSubexpressions(),
    WidthNarrowing(),
    ConstantFolding(),
    DeadCode(),
)


def simplify(module: Module) -> Module:
    """Constants folded, widths narrowed, what is written twice or not used taken out."""
    for each in PASSES:
        module = each(module)
    return module
