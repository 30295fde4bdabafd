"""The dot unit: exact sums of pairs of blocks, and the accumulator behind them (chapter 4)."""

from __future__ import annotations

from functools import cache
from typing import Any

from zhufeng.formats._result import to_fp32
from zhufeng.formats.blocks._form import BIAS, BLOCK, GUARD, PAIRS, POISON, ZERO, checked_bits
from zhufeng.hdl import (
    Bool,
    Module,
    Signal,
    SInt,
    State,
    UInt,
    module,
    mux,
    reg,
    total,
    vmap,
    wrap,
)

_SUM, _EXPONENT = 32, 10
_CODE, _NO_SCALE = SInt(10), -256


class Accumulator(State):
    """What a dot unit holds (rule 4.1)."""

    sum: Signal = reg(SInt(_SUM), reset=0)
    exponent: Signal = reg(UInt(_EXPONENT), reset=0)
    poison: Signal = reg(Bool, reset=0)


@cache
def block_dot(a_bits: int, b_bits: int) -> Module[Any, ..., Signal]:
    """A dot unit: a step a cycle.

    Its inputs are two consecutive pairs of blocks: the elements ``a`` and ``b``, of the shape
    (2, 16), and their codes ``a_codes`` and ``b_codes``. ``out`` is, as fp32, what it had
    accumulated before the cycle.

    Args:
        a_bits: of an element of ``a``: 4, 5, 6 or 8.
        b_bits: of an element of ``b``.

    Raises:
        InputError: there are no such blocks.
    """
    checked_bits(a_bits, b_bits)
    elements = [SInt(bits).array(PAIRS, BLOCK) for bits in (a_bits, b_bits)]
    codes = UInt(8).array(PAIRS)

    @module(Accumulator, a=elements[0], a_codes=codes, b=elements[1], b_codes=codes)
    def block_dot(
        s: Accumulator, a: Signal, a_codes: Signal, b: Signal, b_codes: Signal
    ) -> tuple[Accumulator, Signal]:
        sums = vmap(lambda x, y: total(x * y))(a, b)
        after = accumulated(s, sums, a_codes, b_codes)
        scale = 2 * BIAS + a_bits + b_bits + GUARD
        return after, to_fp32(s.sum, s.exponent - scale, s.poison)

    return block_dot


def accumulated(s: Accumulator, sums: Signal, a_codes: Signal, b_codes: Signal) -> Accumulator:
    """A step of the accumulator (rules 4.2 to 4.5).

    Args:
        s: before it.
        sums: of each pair, the exact sum of its products.
        a_codes: of each pair's first block.
        b_codes: of each pair's second block.
    """
    exponents = decoded(a_codes) + decoded(b_codes)
    exponent = _larger(s.exponent, _larger(exponents[0], exponents[1]))
    # What takes no part has an exponent below 0, and elements that are 0: it adds nothing.
    aligned = vmap(lambda x, e: _down(x << GUARD, exponent, e))(sums, exponents)
    exact = wrap(_down(s.sum, exponent, s.exponent) + total(aligned), _SUM)
    high = exact[_SUM - 1] != exact[_SUM - 2]
    poison = (a_codes == POISON) | (b_codes == POISON)
    return Accumulator(
        sum=mux(high, exact >> 1, exact),
        exponent=wrap(exponent + wrap(high, UInt(1)), _EXPONENT),
        poison=s.poison | poison[0] | poison[1],
    )


def decoded(codes: Signal) -> Signal:
    """What to add to another code: one that is no scale makes any sum negative."""
    scale = (codes != ZERO) & (codes != POISON)
    return mux(scale, wrap(codes, _CODE), _NO_SCALE)


def _larger(a: Signal, b: Signal) -> Signal:
    return mux(b > a, wrap(b, a.type), a)


def _down(number: Signal, to: Signal, exponent: Signal) -> Signal:
    """Aligned from one exponent to a larger one.

    The distance to what takes no part may be longer than its bits here; that is 0 anyway.
    """
    return number >> wrap(to - exponent, UInt(_EXPONENT))
