"""exp2, log2, reciprocal and rsqrt of an fp32, each alone and all in one unit."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Final, TypeVar

from zhufeng.formats.vector._coefficients import TABLES, Row
from zhufeng.formats.vector._interpolate import interpolate
from zhufeng.formats.vector._logarithm import log2_reduced
from zhufeng.formats.vector._reduced import FP32, Reduced, looked_up, packed
from zhufeng.formats.vector._reductions import exp2_reduced, reciprocal_reduced, rsqrt_reduced
from zhufeng.formats.vector._segments import OCTAVE_ROWS
from zhufeng.hdl import (
    Function,
    Signal,
    UInt,
    as_bits,
    as_uint,
    cat,
    function,
    switch,
    wrap,
)

T = TypeVar("T")
Unary = Function[[Signal], Signal]
"""Of the bits of an fp32 those of another one."""

_INDEX: Final = UInt(9)
_BANK: Final = 1 << _INDEX.width  # rows of a function where all have one table
_BELOW: Final = 1 << 8  # where the rows of log2 begin that are for arguments below 1


class Op(IntEnum):
    """What `special_function` computes."""

    EXP2 = 0
    LOG2 = 1
    RECIPROCAL = 2
    RSQRT = 3


@cache
def exp2() -> Unary:
    """The function 2^x (rule 6.8)."""

    @function(x=FP32)
    def exp2(x: Signal) -> Signal:
        return _alone(exp2_reduced(x))

    return exp2


@cache
def log2() -> Unary:
    """The logarithm of x to base 2 (rules 6.9 and 6.10)."""

    @function(x=FP32)
    def log2(x: Signal) -> Signal:
        return _alone(log2_reduced(x))

    return log2


@cache
def reciprocal() -> Unary:
    """The function 1 / x (rule 6.6)."""

    @function(x=FP32)
    def reciprocal(x: Signal) -> Signal:
        return _alone(reciprocal_reduced(x))

    return reciprocal


@cache
def rsqrt() -> Unary:
    """The function 1 / sqrt(x) (rule 6.7)."""

    @function(x=FP32)
    def rsqrt(x: Signal) -> Signal:
        return _alone(rsqrt_reduced(x))

    return rsqrt


@cache
def special_function() -> Function[[Signal, Signal], Signal]:
    """All four (rule 6.14): that which ``op``, UInt(2), names by a number of `Op`.

    One table and one interpolator serve all of them, as the chip has them.
    """

    @function(op=UInt(2), x=FP32)
    def special_function(op: Signal, x: Signal) -> Signal:
        parts = {
            Op.EXP2: exp2_reduced(x),
            Op.LOG2: log2_reduced(x),
            Op.RECIPROCAL: reciprocal_reduced(x),
            Op.RSQRT: rsqrt_reduced(x),
        }
        index = _of(op, {key: wrap(part.index, _INDEX) for key, part in parts.items()})
        place = _of(op, {key: part.place for key, part in parts.items()})
        # Where the tables are one, the logic that finds a row is shared.
        rows = [row for part in parts.values() for row in _filled(_rows(part.table), _BANK)]
        row = looked_up(rows, as_uint(cat(as_bits(op), as_bits(index))))
        value = interpolate()(row.c0, row.c1, row.c2, place)
        return packed(_of(op, {key: part.finish(value) for key, part in parts.items()}))

    return special_function


def _alone(part: Reduced) -> Signal:
    row = looked_up(_rows(part.table), part.index)
    return packed(part.finish(interpolate()(row.c0, row.c1, row.c2, part.place)))


def _of(op: Signal, values: dict[Op, T]) -> T:
    """The one of that number."""
    *first, last = values
    return switch(op, {int(key): values[key] for key in first}, values[last])


def _rows(table: str) -> list[Row]:
    """As they are indexed."""
    if table != "log2":
        return list(TABLES[table])
    above, below = TABLES["log2_above"], TABLES["log2_below"]
    # Both sides number their octaves alike, but that below 1 the first one is not there.
    return [*_filled(above, _BELOW), *_filled((), OCTAVE_ROWS[1]), *below]


def _filled(rows: Sequence[Row], count: int) -> list[Row]:
    """So many, with rows of zeros behind them."""
    return [*rows, *[Row(0, 0, 0)] * (count - len(rows))]
