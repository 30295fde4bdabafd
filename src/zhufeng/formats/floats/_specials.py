"""What is no finite number."""

from __future__ import annotations

from zhufeng.formats.floats._format import FloatFormat
from zhufeng.hdl import Bits, Signal, cat, const, mux


def infinite(fmt: FloatFormat, sign: Signal, *, saturate: bool = False) -> Signal:
    """An infinity, or what stands for it, as bits."""
    return cat(sign, const(Bits(fmt.bits - 1), fmt.overflow_bits(saturate=saturate)))


def chosen(
    fmt: FloatFormat,
    finite: Signal,
    *,
    sign: Signal,
    is_inf: Signal,
    is_nan: Signal,
    saturate: bool = False,
) -> Signal:
    """A result as bits: the NaN of rule 5.4, an infinity, or a finite number."""
    number = mux(is_inf, infinite(fmt, sign, saturate=saturate), finite)
    return mux(is_nan, fmt.nan_bits, number)
