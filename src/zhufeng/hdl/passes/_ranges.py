"""Between which numbers a value lies: interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from zhufeng.hdl.ir import Form, Let

Range: TypeAlias = "tuple[int, int]"
"""The least and the greatest number."""

# Products and shifts beyond this are not looked into: their form bounds them well enough.
_WIDE = 4096


def whole(form: Form) -> Range:
    """All numbers of a form."""
    return form.low, form.high


def range_of(let: Let, forms: Sequence[Form], args: Sequence[Range]) -> Range:
    """Between which numbers an operation's elements lie.

    Args:
        let: the operation.
        forms: of its operands.
        args: their ranges.
    """
    if let.op == "const":
        numbers = [one for one in let.data if isinstance(one, int)]
        return min(numbers), max(numbers)
    if let.op not in _RANGES or max((form.width for form in forms), default=0) > _WIDE:
        return whole(let.form)
    low, high = _RANGES[let.op](let, forms, args)
    return (low, high) if let.form.low <= low and high <= let.form.high else whole(let.form)


Rule = Callable[[Let, Sequence[Form], Sequence[Range]], Range]


def _add(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    return a + c, b + d


def _sub(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    return a - d, b - c


def _mul(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    corners = (a * c, a * d, b * c, b * d)
    return min(corners), max(corners)


def _shl(let: Let, _: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (least, most) = args
    if most > let.form.width:
        return whole(let.form)
    corners = (a << least, a << most, b << least, b << most)
    return min(corners), max(corners)


def _shr(_: Let, forms: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), amounts = args
    least, most = (min(amount, forms[0].width) for amount in amounts)
    corners = (a >> least, a >> most, b >> least, b >> most)
    return min(corners), max(corners)


def _same(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    return args[0]


def _saturate(let: Let, _: Sequence[Form], args: Sequence[Range]) -> Range:
    low, high = (min(max(end, let.form.low), let.form.high) for end in args[0])
    return low, high


def _eq(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    return int(a == b == c == d), int(a <= d and c <= b)


def _lt(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    return int(b < c), int(a < d)


def _le(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    (a, b), (c, d) = args
    return int(b <= c), int(a <= d)


def _choice(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    return _any_of(args[1:])


def _any_of(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _bitwise(let: Let, _: Sequence[Form], args: Sequence[Range]) -> Range:
    if min(low for low, _ in args) < 0:
        return whole(let.form)
    highs = [high for _, high in args]
    return 0, min(highs) if let.op == "and" else (1 << max(highs).bit_length()) - 1


def _cat(_: Let, forms: Sequence[Form], args: Sequence[Range]) -> Range:
    low = high = 0
    for form, (least, most) in zip(forms, args, strict=True):
        known = least >= 0
        low = (low << form.width) + (least if known else 0)
        high = (high << form.width) + (most if known else (1 << form.width) - 1)
    return low, high


def _bits(let: Let, _: Sequence[Form], args: Sequence[Range]) -> Range:
    (low, high), (place,) = args[0], (one for one in let.data if isinstance(one, int))
    return (low >> place, high >> place) if low >= 0 else whole(let.form)


def _leading(_: Let, forms: Sequence[Form], args: Sequence[Range]) -> Range:
    (low, high), width = args[0], forms[0].width
    return (width - high.bit_length(), width - low.bit_length()) if low >= 0 else (0, width)


def _join(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    return _any_of(args)


def _take(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    return _any_of([args[0], (0, 0)])


def _put(_: Let, __: Sequence[Form], args: Sequence[Range]) -> Range:
    return _any_of([args[0], args[2]])


_RANGES: Final[dict[str, Rule]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "shl": _shl,
    "shr": _shr,
    "wrap": _same,
    "saturate": _saturate,
    "eq": _eq,
    "lt": _lt,
    "le": _le,
    "mux": _choice,
    "case": _choice,
    **dict.fromkeys(("and", "or", "xor"), _bitwise),
    "cat": _cat,
    "bits": _bits,
    "leading": _leading,
    **dict.fromkeys(("spread", "reshape", "transpose", "slice"), _same),
    "join": _join,
    "take": _take,
    "put": _put,
}
