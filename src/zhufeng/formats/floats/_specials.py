"""What is no finite number."""

from __future__ import annotations

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.hdl import Bits, Signal, cat, const, mux


def infinite(fmt: FloatFormat, sign: Signal, *, saturate: bool = False) -> Signal:
    """What stands for a number that is too large, as bits (rules 5.4 and 5.11).

    Args:
        fmt: its format.
        sign: a Bool.
        saturate: whether that is the largest number, also where there is an infinity or a NaN.
    """
    if fmt.special == "one nan" and not saturate:
        return const(Bits(fmt.bits), fmt.nan_bits)
    largest = fmt.largest_bits + (fmt.special == "ieee" and not saturate)
    return cat(sign, const(Bits(fmt.bits - 1), largest))


def chosen(
    fmt: FloatFormat,
    finite: Signal,
    *,
    sign: Signal,
    is_inf: Signal,
    is_nan: Signal,
    saturate: bool = False,
) -> Signal:
    """A result as bits: the NaN of rule 5.5, or else an infinity, or else a finite number.

    Args:
        fmt: its format.
        finite: Bits(fmt.bits).
        sign: a Bool, of the infinity.
        is_inf: a Bool; with `saturate` the largest number stands for it.
        is_nan: a Bool.
        saturate: as for `infinite`.

    Returns:
        Bits(fmt.bits).
    """
    number = mux(is_inf, infinite(fmt, sign, saturate=saturate), finite)
    return mux(is_nan, fmt.nan_bits, number)
