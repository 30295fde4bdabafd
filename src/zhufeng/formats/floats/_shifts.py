"""Shifts that remember what they lose.

A jammed number has the lowest bit 1 also where something below it has been lost. It is rounded as
the number itself would be, as long as the last bit that is kept is two places above the lowest.
"""

from __future__ import annotations

from zhufeng.hdl import (
    Bits,
    Signal,
    UInt,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    mux,
    saturate,
    shift_left,
)


def jammed(value: Signal, width: int) -> Signal:
    """The upper bits, the lowest of them 1 where something below is.

    Args:
        value: a UInt.
        width: of the result, from 1; a narrower value stays as it is.
    """
    rest = value.width - width + 1
    if rest <= 1:
        return value
    return as_uint(cat(value[rest:], any_bit(value[0:rest])))


def right_jammed(value: Signal, distance: Signal) -> Signal:
    """value / 2^distance, its lowest bit 1 also where bits that are 1 were lost.

    Args:
        value: a UInt, as wide as the result.
        distance: a UInt or SInt; below 0 nothing is shifted.
    """
    # As far as there is a difference: less than twice the width.
    amount = saturate(distance, UInt(value.width.bit_length()))
    wide = as_uint(cat(as_bits(value), const(Bits(value.width), 0)))
    return jammed(wide >> amount, value.width)


def left_jammed(value: Signal, amount: Signal, width: int) -> Signal:
    """The upper bits of value·2^amount, cut to the value's own width; the lowest is jammed.

    The largest step comes first. What no later step can bring among the bits that are kept is
    jammed at once: the stages become narrower and narrower.

    Args:
        value: a UInt of at least `width` bits.
        amount: a UInt; no bit that is 1 is moved out above.
        width: of the result, from 1.
    """
    for place in reversed(range(amount.width)):
        step = 1 << place
        value = mux(amount[place], shift_left(value, step, value.width), value)
        value = jammed(value, width + step - 1)
    return jammed(value, width)
