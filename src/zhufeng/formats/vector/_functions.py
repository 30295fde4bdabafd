"""exp2, log2, reciprocal and rsqrt of an fp32, each alone and all in one unit."""

from __future__ import annotations

from enum import IntEnum

from zhufeng.formats.vector._coefficients import TABLES, Row
from zhufeng.formats.vector._interpolate import interpolate
from zhufeng.formats.vector._logarithm import log2_reduced
from zhufeng.formats.vector._reduced import FP32, Reduced, looked_up
from zhufeng.formats.vector._reductions import exp2_reduced, reciprocal_reduced, rsqrt_reduced
from zhufeng.formats.vector._segments import OCTAVE_BITS
from zhufeng.hdl import Signal, UInt, as_bits, as_uint, cat, function, switch, wrap


class Op(IntEnum):
    """What `special_function` computes."""

    EXP2 = 0
    LOG2 = 1
    RECIPROCAL = 2
    RSQRT = 3


_NONE = Row(0, 0, 0)
_BELOW = 1 << 8  # where the rows of log2 begin that are for arguments below 1
_BANK = 1 << 9  # rows of a function where all have one table


def _rows(table: str) -> list[Row]:
    """As they are indexed."""
    if table != "log2":
        return list(TABLES[table])
    above = list(TABLES["log2_above"])
    # The first octave has no argument below 1, the others have the same numbers on both sides.
    missing = [_NONE] * (_BELOW - len(above) + (1 << OCTAVE_BITS[0]))
    return above + missing + list(TABLES["log2_below"])


def _of(op: Signal, values: dict[Op, Signal]) -> Signal:
    last = values[Op.RSQRT]
    return switch(op, {key: value for key, value in values.items() if key != Op.RSQRT}, last)


def _alone(part: Reduced) -> Signal:
    row = looked_up(_rows(part.table), part.index)
    return part.finish(interpolate(row.c0, row.c1, row.c2, part.place))


@function(x=FP32)
def exp2(x: Signal) -> Signal:
    """2^x."""
    return _alone(exp2_reduced(x))


@function(x=FP32)
def log2(x: Signal) -> Signal:
    """The logarithm of x to base 2."""
    return _alone(log2_reduced(x))


@function(x=FP32)
def reciprocal(x: Signal) -> Signal:
    """1 / x."""
    return _alone(reciprocal_reduced(x))


@function(x=FP32)
def rsqrt(x: Signal) -> Signal:
    """1 / sqrt(x)."""
    return _alone(rsqrt_reduced(x))


@function(op=UInt(2), x=FP32)
def special_function(op: Signal, x: Signal) -> Signal:
    """That of the four which `op`, an `Op`, names: one interpolator serves all."""
    parts = {
        Op.EXP2: exp2_reduced(x),
        Op.LOG2: log2_reduced(x),
        Op.RECIPROCAL: reciprocal_reduced(x),
        Op.RSQRT: rsqrt_reduced(x),
    }
    # One table for all: the logic that finds a row is shared.
    rows: list[Row] = []
    for part in parts.values():
        own = _rows(part.table)
        rows += own + [_NONE] * (_BANK - len(own))
    index = _of(op, {key: wrap(part.index, 9) for key, part in parts.items()})
    row = looked_up(rows, as_uint(cat(as_bits(op), as_bits(index))))
    place = _of(op, {key: part.place for key, part in parts.items()})
    value = interpolate(row.c0, row.c1, row.c2, place)
    return _of(op, {key: part.finish(value) for key, part in parts.items()})
