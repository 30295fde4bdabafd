"""The checker of the IR, on modules that are none."""

from __future__ import annotations

import pytest

from zhufeng.hdl import ir

TEXT = 'module m {\n  input a : u4\n  %a = input["a"] : u4\n  %b = OP : u4\n  output o = %b\n}'


@pytest.mark.parametrize(
    "op",
    ["add(%a)", "and(%a, %c)", "bits[1](%a)", "nothing(%a)", 'input["z"]', "mux(%a, %a, %a)"],
)
def test_the_checker_refuses_what_does_not_fit(op: str) -> None:
    with pytest.raises(ir.IrError, match="m: "):
        ir.check(ir.parse_ir(TEXT.replace("OP", op)))
    ir.check(ir.parse_ir(TEXT.replace("OP", "add(%a, %a)")))
