"""The order of numbers."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats._arithmetic import Binary
from zhufeng.formats.floats._format import FloatFormat
from zhufeng.formats.floats._named import named
from zhufeng.formats.floats._unpacked import unpacked
from zhufeng.hdl import Bits, Bool, Function, Signal, Struct, as_uint, mux, of


class Comparison(Struct):
    """How two numbers stand; where nothing of it is true, the first is greater."""

    equal: Signal = of(Bool)
    less: Signal = of(Bool)
    """Whether the first one is less."""
    unordered: Signal = of(Bool)
    """Whether one of them is a NaN."""


@cache
def compare(fmt: FloatFormat) -> Function[[Signal, Signal], Comparison]:
    """How a stands to b (rule 5.12).

    Args:
        fmt: of both.
    """

    def step(a: Signal, b: Signal) -> Comparison:
        unordered = _is_nan(fmt, a) | _is_nan(fmt, b)
        zeros = as_uint(a[:-1] | b[:-1]) == 0
        same = a == b
        return Comparison(
            equal=~unordered & (zeros | same),
            less=~(unordered | zeros | same) & _before(a, b),
            unordered=unordered,
        )

    return named(f"{fmt.name}_compare", step, a=Bits(fmt.bits), b=Bits(fmt.bits))


@cache
def minimum(fmt: FloatFormat) -> Binary:
    """The lesser of a and b, where -0 is less than +0 (rule 5.13).

    Args:
        fmt: of operands and result.
    """

    def step(a: Signal, b: Signal) -> Signal:
        unordered = _is_nan(fmt, a) | _is_nan(fmt, b)
        return mux(unordered, fmt.nan_bits, mux(_before(a, b), a, b))

    return named(f"{fmt.name}_minimum", step, a=Bits(fmt.bits), b=Bits(fmt.bits))


@cache
def maximum(fmt: FloatFormat) -> Binary:
    """The greater of a and b, where +0 is greater than -0 (rule 5.13).

    Args:
        fmt: of operands and result.
    """

    def step(a: Signal, b: Signal) -> Signal:
        unordered = _is_nan(fmt, a) | _is_nan(fmt, b)
        return mux(unordered, fmt.nan_bits, mux(_before(a, b), b, a))

    return named(f"{fmt.name}_maximum", step, a=Bits(fmt.bits), b=Bits(fmt.bits))


def _is_nan(fmt: FloatFormat, bits: Signal) -> Signal:
    return unpacked(fmt, bits).is_nan


def _before(a: Signal, b: Signal) -> Signal:
    """Whether a stands before b, -0 before +0; anything where they are the same."""
    smaller = as_uint(a[:-1]) < as_uint(b[:-1])
    return mux(a[-1] == b[-1], smaller ^ a[-1], a[-1])
