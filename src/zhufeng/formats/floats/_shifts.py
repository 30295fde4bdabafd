"""Shifts that remember what they lose.

A jammed number has the lowest bit 1 also where something below it has been lost. It is rounded as
the number itself would be, as long as the last bit that is kept is two places above the lowest.
"""

from __future__ import annotations

from zhufeng.hdl import Bits, Signal, any_bit, as_bits, as_uint, cat, const, mux, shift_left


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


def right_jammed(value: Signal, amount: Signal) -> Signal:
    """value >> amount, its lowest bit 1 where bits that are 1 were lost.

    Stage by stage: what a stage loses is known from few bits, so that the shifter is no wider than
    the value.

    Args:
        value: a UInt, as wide as the result.
        amount: a UInt; from the value's width on, all is lost.
    """
    for place in range(amount.width):
        step = min(1 << place, value.width)
        kept = jammed(value, value.width - step) if step < value.width else any_bit(value)
        moved = cat(const(Bits(value.width - kept.width), 0), as_bits(kept))
        value = mux(amount[place], as_uint(moved), value)
    return value


def left_jammed(value: Signal, amount: Signal, width: int) -> Signal:
    """The upper bits of value << amount, cut to the value's own width; the lowest is jammed.

    The largest step comes first. What no later step can bring among the bits that are kept is
    jammed at once, so that the stages become narrower and narrower.

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
