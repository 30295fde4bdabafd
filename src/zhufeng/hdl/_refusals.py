"""What Python does with its own values and hardware cannot: refused at the user's line.

The methods are put on the classes from outside, so that a type checker, which does not see them,
refuses such a program too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from zhufeng.hdl._scope import told, wrong


@dataclass(frozen=True)
class Refusal:
    """Methods of Python's that a class has only in order to refuse them."""

    methods: tuple[str, ...]
    what: str
    """The error's first line, with the type of the value as {}."""
    expected: str
    do: str


_TRUTH: Final = "Python asks whether {} is true (if, while, and, or, not, in, a < b < c)"

OF_SIGNALS: Final = (
    Refusal(
        ("__bool__",),
        _TRUTH,
        "a choice that hardware can make",
        "write mux(condition, a, b); & | ~; two comparisons joined with &",
    ),
    Refusal(
        ("__index__",),
        "Python takes {} for a number",
        "a number that is known while hardware is built",
        "index with x[i], or (x >> i)[0:4]; repeat with vmap or fold",
    ),
    Refusal(
        (
            *("__floordiv__", "__rfloordiv__", "__truediv__", "__rtruediv__"),
            *("__mod__", "__rmod__", "__divmod__", "__rdivmod__"),
        ),
        "a division with {}",
        "one by a power of two",
        "write x >> n for the quotient, as_uint(x[0:n]) for the remainder",
    ),
    Refusal(("__pow__", "__rpow__"), "{} to a power", "a product", "write x * x"),
    Refusal(
        ("__matmul__", "__rmatmul__"),
        "a matrix product of {}",
        "a sum of products",
        "write total(a * b), with vmap over rows and columns",
    ),
    Refusal(
        ("__abs__",),
        "abs of {}",
        "a choice that hardware can make",
        "of an SInt, write mux(x < 0, -x, wrap(x, x.width + 1))",
    ),
    Refusal(
        ("__rlshift__", "__rrshift__"),
        "a number shifted by {}",
        "a signal that is shifted",
        "write shift_left(const(UInt(8), 1), amount, width=8), or const(UInt(8), 1) >> amount",
    ),
    Refusal(
        ("__setitem__", "__delitem__"),
        "an element of {} is changed",
        "a new array",
        "write x = put(x, i, value), or join(x[0:i], x[i + 1:])",
    ),
    Refusal(
        ("__array__", "__array_function__"),
        "NumPy takes {} for an array of its own",
        "functions of zhufeng.hdl",
        "write total, mux, stack, join, reshape, transpose",
    ),
)

OF_STRUCTS: Final = (
    Refusal(("__bool__",), _TRUTH, "a choice that hardware can make", "ask one of its signals"),
    Refusal(
        ("__eq__", "__ne__"),
        "{} beside ==",
        "signals",
        "compare fields, or all bits: pack(a) == pack(b)",
    ),
    Refusal(
        (
            *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__neg__"),
            *("__and__", "__rand__", "__or__", "__ror__", "__xor__", "__rxor__", "__invert__"),
            *("__lt__", "__le__", "__gt__", "__ge__", "__lshift__", "__rshift__"),
        ),
        "an operator on {}",
        "signals",
        "write it for each field",
    ),
    Refusal(
        ("__setitem__", "__delitem__"),
        "an element of {} is changed",
        "a new array",
        "write replace(x, field=put(x.field, i, value))",
    ),
)

OF_MEMORIES: Final = (
    Refusal(
        ("__getitem__", "__setitem__"),
        "an index of {}",
        "a read or a write on one of its ports",
        "write m, value = m.read(address), or m = m.write(address, value)",
    ),
)

OF_INSTANCES: Final = (
    Refusal(
        ("__getitem__", "__setitem__"),
        "an index of {}",
        "a call of all of them",
        "vmap over the array, and index what it returns",
    ),
)


def refuse(cls: type, refusals: tuple[Refusal, ...]) -> None:
    """Have a class refuse them."""
    for one in refusals:
        for method in one.methods:
            setattr(cls, method, _refusing(one))


def _refusing(one: Refusal) -> Callable[..., NoReturn]:
    def refusing(value: object, *_: object, **__: object) -> NoReturn:
        raise wrong(
            one.what.format(told(value)), expected=one.expected, came=told(value), do=one.do
        )

    return refusing
