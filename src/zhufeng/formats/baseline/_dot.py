"""The dot unit: products aligned to the largest exponent, and the accumulator behind them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from zhufeng.base import InputError
from zhufeng.formats._result import to_fp32
from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    any_bit,
    as_bits,
    as_sint,
    as_uint,
    cat,
    const,
    module,
    mux,
    of,
    pack,
    reg,
    total,
    tree,
    vmap,
    wrap,
)

LANES: Final = (4, 8, 16, 32)
"""Products in a step."""
KEPT: Final = (16, 20, 24, 28)
"""Bits kept of a product with the largest exponent."""

_FRACTION, _PRODUCT, _SPECIAL = 7, 16, 255
_EXPONENT = 10
_NEAR = 5
"""Bits of a distance that leaves something of a product."""
_OFFSET: Final = 268
"""Twice the bias and the fraction bits of a product."""
_LEAST = 26
"""Bits that `to_fp32` takes at least."""


class _Product(Struct):
    negative: Signal = of(Bool)
    size: Signal = of(UInt(_PRODUCT))
    exponent: Signal = of(UInt(9))
    poison: Signal = of(Bool)


@cache
def bf16_dot(lanes: int, kept: int) -> Module[Any, ..., Signal]:
    """A dot unit: a step a cycle.

    Its inputs are as many pairs of bf16 as it has lanes, ``a`` and ``b``. ``out`` is, as fp32,
    what it had accumulated before the cycle.

    Args:
        lanes: products in a step: 4, 8, 16 or 32.
        kept: bits kept of a product with the largest exponent: 16, 20, 24 or 28.

    Raises:
        InputError: there is no such unit.
    """
    for what, one, known in (("lanes", lanes, LANES), ("kept bits", kept, KEPT)):
        if one not in known:
            raise InputError(
                f"the {what} of a bf16 dot unit",
                expected=", ".join(map(str, known)),
                came=str(one),
                do="take one of these",
            )
    # All products of a step together have no more bits than this, but for the sign.
    room = kept + lanes.bit_length() - 1
    pairs = Bits(16).array(lanes)

    class Accumulator(State):
        sum: Signal = reg(SInt(room + 1), reset=0)
        exponent: Signal = reg(UInt(_EXPONENT), reset=0)
        poison: Signal = reg(Bool, reset=0)

    @module(Accumulator, a=pairs, b=pairs)
    def bf16_dot(s: Accumulator, a: Signal, b: Signal) -> tuple[Accumulator, Signal]:
        products = vmap(_product)(a, b)
        exponent = _larger(s.exponent, wrap(tree(_larger, products.exponent), _EXPONENT))
        aligned = vmap(lambda one: _aligned(one, exponent, kept))(products)
        held = s.sum >> wrap(exponent - s.exponent, UInt(_EXPONENT))
        # What is negative has been inverted; it is 1 less than what is added.
        ones = total(wrap(products.negative, UInt(1)))
        exact = wrap(held + (total(aligned) + ones), room + 2)
        high = exact[-1] != exact[-2]
        after = Accumulator(
            sum=wrap(mux(high, exact >> 1, exact), room + 1),
            exponent=wrap(exponent + wrap(high, UInt(1)), _EXPONENT),
            poison=s.poison | any_bit(pack(products.poison)),
        )
        number = wrap(s.sum, max(room + 1, _LEAST))
        return after, to_fp32(number, s.exponent - (_OFFSET + kept - _PRODUCT), s.poison)

    return bf16_dot


def _product(a: Signal, b: Signal) -> _Product:
    """Of two bf16, exactly; one that is 0 has the exponent 0, which is below all others."""
    fields = [as_uint(one[_FRACTION:-1]) for one in (a, b)]
    some = (fields[0] != 0) & (fields[1] != 0)
    x, y = (as_uint(cat(const(Bool, 1), one[0:_FRACTION])) for one in (a, b))
    return _Product(
        negative=a[-1] ^ b[-1],
        size=mux(some, x * y, 0),
        exponent=mux(some, fields[0] + fields[1], 0),
        poison=(fields[0] == _SPECIAL) | (fields[1] == _SPECIAL),
    )


def _larger(a: Signal, b: Signal) -> Signal:
    return mux(b > a, b, a)


def _aligned(one: _Product, exponent: Signal, kept: int) -> Signal:
    """A product at the largest exponent, inverted if it is negative."""
    places = as_bits(wrap(exponent - one.exponent, UInt(_EXPONENT)))
    # Beyond 2^5 places nothing is left of what is kept: the shifter need not reach further.
    near = as_bits(one.size << (kept - _PRODUCT)) >> as_uint(places[0:_NEAR])
    size = mux(any_bit(places[_NEAR:]), 0, near)
    return as_sint(cat(one.negative, mux(one.negative, ~size, size)))
