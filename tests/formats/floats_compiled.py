"""The functions of floating point, compiled, and how their results are compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tests.formats.floats_cases import FORMATS, three_to_try, two_to_try
from tests.formats.floats_oracle import (
    Bits,
    canonical,
    fused,
    nearest,
    odd_sum,
    typed,
    values,
)
from zhufeng.formats.floats import (
    Comparison,
    FloatFormat,
    add,
    compare,
    convert,
    fma,
    maximum,
    minimum,
    multiply,
    subtract,
)
from zhufeng.hdl import Bits as BitsOf
from zhufeng.hdl import Function, Signal, Struct, function, of
from zhufeng.hdl.compile import compile_function

Host = Callable[..., dict[str, Any]]
"""A function over arrays of bits: of each input by its name, each output."""
Named = dict[str, tuple[Function[..., Any], Any]]
"""Functions of the same inputs by a name, each with the type of what it gives."""


def together(functions: Named) -> Function[..., Any]:
    """One function that gives what each of them gives: it is compiled in much less time."""
    kinds = {name: of(kind) for name, (_, kind) in functions.items()}
    results = type("Results", (Struct,), kinds)
    first = next(one for one, _ in functions.values())

    def step(*given: Signal, **named: Signal) -> Any:
        return results(**{name: one(*given, **named) for name, (one, _) in functions.items()})

    step.__name__ = "together"
    return function(**first.inputs)(step)


def compiled(whole: Function[..., Any], lanes: int = 1) -> Host:
    """Over arrays. For few numbers one lane is best, as most of the time goes into compiling."""
    return compile_function(whole.ir, lanes)


def _lanes(fmt: FloatFormat) -> int:
    return 1 if fmt.bits < 8 else 8


@cache
def operations(fmt: FloatFormat) -> Host:
    """All of two numbers."""
    bits = BitsOf(fmt.bits)
    made: Named = {
        "total": (add(fmt), bits),
        "difference": (subtract(fmt), bits),
        "product": (multiply(fmt), bits),
        "least": (minimum(fmt), bits),
        "greatest": (maximum(fmt), bits),
        "order": (compare(fmt), Comparison),
    }
    return compiled(together(made), _lanes(fmt))


@cache
def fused_of(fmt: FloatFormat) -> Host:
    """The fused multiply-add."""
    return compiled(fma(fmt), _lanes(fmt))


@cache
def conversions(source: FloatFormat) -> Host:
    """To every format, by its name; with an s behind it saturating."""
    made: Named = {}
    for to in FORMATS:
        made[to.name] = convert(source, to), BitsOf(to.bits)
        made[f"{to.name}s"] = convert(source, to, saturate=True), BitsOf(to.bits)
    return compiled(together(made))


def assert_equal(got: Bits, expected: Bits, **given: Bits) -> None:
    """That all bits are equal; the first few that are not stand in the message."""
    wrong = np.flatnonzero(got != expected)
    few = [
        {
            name: f"{int(one[at]):#x}"
            for name, one in (*given.items(), ("got", got), ("not", expected))
        }
        for at in wrong[:3]
    ]
    assert not len(wrong), f"{len(wrong)} of {len(got)}: {few}"


def check_arithmetic(fmt: FloatFormat, count: int) -> None:
    """Against NumPy's or ml_dtypes's own, and against float64."""
    for product in (False, True):
        a, b = two_to_try(fmt, count, product=product)
        found = operations(fmt)(a=a, b=b)
        x, y = typed(fmt, a), typed(fmt, b)
        exact = {
            "total": odd_sum(values(fmt, a), values(fmt, b)),
            "difference": odd_sum(values(fmt, a), -values(fmt, b)),
        }
        with np.errstate(all="ignore"):
            exact["product"] = values(fmt, a) * values(fmt, b)
            theirs = {"total": x + y, "difference": x - y, "product": x * y}
        for name, right in exact.items():
            assert_equal(found[name], nearest(fmt, right), a=a, b=b)
            assert_equal(found[name], canonical(fmt, theirs[name]), a=a, b=b)


def check_fused(fmt: FloatFormat, count: int, seed: int = 11) -> None:
    """Against float64, of fp32's at most 48 bits and an addend, rounded to odd."""
    a, b, c = three_to_try(fmt, count, seed)
    right = nearest(fmt, fused(*(values(fmt, bits) for bits in (a, b, c))))
    assert_equal(fused_of(fmt)(a=a, b=b, c=c)["out"], right, a=a, b=b, c=c)
