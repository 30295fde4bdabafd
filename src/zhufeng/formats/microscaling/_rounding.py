"""Numbers made into elements, and quotients (rules 7.5, 7.6 and 7.9)."""

from __future__ import annotations

from typing import Final

from zhufeng.formats.microscaling._elements import Element, highest
from zhufeng.hdl import (
    Bits,
    Signal,
    UInt,
    any_bit,
    as_uint,
    cat,
    const,
    mux,
    saturate,
    wrap,
)

NOISE: Final = 8
"""Bits of the noise that an element is rounded with."""


def significant(element: Element, *, noisy: bool) -> int:
    """How many bits of a number, from its highest 1 on, decide what it is rounded to.

    To nearest, there is more to know: whether there is anything below them.
    """
    return element.fraction + 1 + (NOISE if noisy else 1)


def to_element(
    element: Element, number: Signal, more: Signal, exponent: Signal, noise: Signal | None
) -> Signal:
    """The bits of the magnitude of an element, never above the largest.

    Args:
        element: its format.
        number: Bits as many as are `significant`; the highest is 1, and the point after it.
        more: whether there is anything below them; where there is noise, it does not count.
        exponent: signed; the number counts 2^exponent times.
        noise: UInt(NOISE): round stochastically. Without it to nearest, ties to even.
    """
    past = number.width.bit_length()
    places = saturate(element.lowest - exponent, UInt(past))
    if noise is None:
        rounded = _nearest(number, places, more)
    else:
        rounded = _carried(number, places, noise)
    above = highest(element) + 1 - element.lowest
    steps = saturate(exponent - element.lowest, UInt(above.bit_length()))
    # A carry out of what has been rounded raises the field of the exponent, as it should.
    bits = (steps << element.fraction) + rounded
    return wrap(mux(bits > element.largest_bits, element.largest_bits, bits), element.bits - 1)


def _nearest(number: Signal, places: Signal, more: Signal) -> Signal:
    past = (1 << places.width) - 1
    aligned = cat(number, const(Bits(past), 0)) >> places
    whole, half = aligned[past + 1 :], aligned[past]
    up = half & (any_bit(aligned[0:past]) | more | whole[0])
    return as_uint(whole) + wrap(up, UInt(1))


def _carried(number: Signal, places: Signal, noise: Signal) -> Signal:
    carried = as_uint(number >> places) + noise
    return as_uint(carried[NOISE:])


def quotient(dividend: Signal, divisor: Signal, count: int) -> tuple[Signal, Signal, Signal]:
    """The first bits of a quotient, exactly.

    Args:
        dividend: a UInt whose highest bit is 1.
        divisor: another one, of the same width.
        count: of bits.

    Returns:
        Bits(count), the highest 1 and the point after it; whether there is more below them; and
        whether the quotient is half of that, as it is below 1.
    """
    rest, found = wrap(dividend, dividend.width + 1), []
    for _ in range(count + 1):
        left = rest - divisor
        found.append(left >= 0)
        rest = wrap(mux(found[-1], wrap(left, rest.type), rest) << 1, rest.width)
    above = found[0]
    bits = mux(above, cat(*found[:-1]), cat(*found[1:]))
    return bits, any_bit(rest) | (above & found[-1]), ~above
