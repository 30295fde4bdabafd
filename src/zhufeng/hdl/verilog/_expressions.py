"""Operations on single elements as expressions of SystemVerilog.

Verilog widens operands by their context. Here each operation stands in a context of its own: its
operands are cast to the width in which it is computed, so that what is written is what is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from zhufeng.hdl.ir import Form, Let


def literal(value: int, form: Form) -> str:
    """A number of a form."""
    if not form.width:
        return "1'd0"
    sign = "s" if form.signed else ""
    if form.low < value < 0:
        return f"-{literal(-value, form)}"
    bits = value & ((1 << form.width) - 1)
    return f"{form.width}'{sign}d{bits}" if bits < _DECIMAL else f"{form.width}'{sign}h{bits:x}"


_DECIMAL = 1 << 12
_LITERAL = re.compile(r"(?P<minus>-?)\d+'s?(?P<base>[dh])(?P<digits>[0-9a-f]+)")


def expression(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    """An operation on elements.

    Args:
        let: the operation.
        forms: of its operands.
        args: its operands' elements, as expressions of their width and sign.
    """
    if let.op == "all" and not forms[0].width:
        return "1'd1"
    if let.op in _INFIX:
        return f" {_INFIX[let.op]} ".join(args)
    if let.op in _PREFIX:
        # Two signs in a row are no expression: a negative number stands in brackets.
        return _PREFIX[let.op] + (f"({args[0]})" if args[0].startswith("-") else args[0])
    return _OTHERS[let.op](let, forms, args)


_INFIX = {"and": "&", "or": "|", "xor": "^"}
_PREFIX = {"not": "~", "all": "&", "any": "|", "parity": "^"}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*"}
_COMPARED = {"eq": "==", "lt": "<", "le": "<="}


def _arithmetic(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    a, b = (cast(arg, form, let.form) for arg, form in zip(args, forms, strict=True))
    return f"{a} {_ARITHMETIC[let.op]} {b}"


def _wrap(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    return cast(args[0], forms[0], let.form)


def _shl(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    return f"{cast(args[0], forms[0], let.form)} << {args[1]}"


def _compared(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    a, b = _comparable(forms, args)
    return f"{a} {_COMPARED[let.op]} {b}"


def _mux(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    del let, forms
    return f"{args[0]} ? {args[1]} : {args[2]}"


def _cat(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    del let
    parts = [arg for arg, form in zip(args, forms, strict=True) if form.width]
    return f"{{{', '.join(parts)}}}"


def cast(text: str, form: Form, to: Form) -> str:
    """An element in another width: its number if that is wider, its lower bits if narrower."""
    if form.width == to.width:
        return text
    number = _LITERAL.fullmatch(text)
    if number is None:
        return f"{to.width}'({text})"
    wide = Form(to.width, form.signed)
    return literal(wide.wrap(form.wrap(_value(number))), wide)


def _value(number: re.Match[str]) -> int:
    bits = int(number["digits"], 16 if number["base"] == "h" else 10)
    return -bits if number["minus"] else bits


def _saturate(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    form, text = forms[0], args[0]
    found = cast(text, form, let.form)
    if form.low < let.form.low:
        low = max(let.form.low, form.low)
        found = f"{text} < {literal(low, form)} ? {literal(let.form.low, let.form)} : {found}"
    if form.high > let.form.high:
        found = (
            f"{text} > {literal(let.form.high, form)} ? {literal(let.form.high, let.form)}"
            f" : {found if '?' not in found else f'({found})'}"
        )
    return found


def _shr(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    sign = ">>>" if forms[0].signed else ">>"
    shifted = f"{args[0]} {sign} {args[1]}"
    return shifted if forms[0].width == let.form.width else f"{let.form.width}'({shifted})"


def _comparable(forms: Sequence[Form], args: Sequence[str]) -> tuple[str, str]:
    """Both as unsigned, or both as signed, and of one width."""
    signed = any(form.signed for form in forms)
    wide = max(form.width + (signed and not form.signed) for form in forms)
    a, b = (
        cast(*_with_sign(arg, form) if signed else (arg, form), Form(wide, signed))
        for arg, form in zip(args, forms, strict=True)
    )
    return a, b


def _with_sign(text: str, form: Form) -> tuple[str, Form]:
    if form.signed:
        return text, form
    wide = Form(form.width + 1, signed=True)
    number = _LITERAL.fullmatch(text)
    return (literal(_value(number), wide) if number else f"$signed({{1'b0, {text}}})"), wide


def place_in(size: int, text: str, form: Form) -> str:
    """An index below `size`, in as many bits as that needs."""
    width = (size - 1).bit_length()
    return cast(text, form, Form(width)) if width else "0"


def _case(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    selector, *choices, otherwise = args
    found = otherwise
    for key, choice in reversed(list(zip(let.data, choices, strict=True))):
        assert isinstance(key, int)
        found = f"{selector} == {literal(key, forms[0])} ? {choice} : {found}"
    return found


def _bits(let: Let, forms: Sequence[Form], args: Sequence[str]) -> str:
    form, text = forms[0], args[0]
    low = let.data[0]
    assert isinstance(low, int)
    if low == 0 and let.form.width == form.width:
        return f"$unsigned({text})" if form.signed else text
    high = low + let.form.width - 1
    return f"{text}[{high}]" if high == low else f"{text}[{high}:{low}]"


_OTHERS: dict[str, Callable[[Let, Sequence[Form], Sequence[str]], str]] = {
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **dict.fromkeys(_COMPARED, _compared),
    "wrap": _wrap,
    "saturate": _saturate,
    "shl": _shl,
    "shr": _shr,
    "mux": _mux,
    "case": _case,
    "cat": _cat,
    "bits": _bits,
}
