"""Numbers made into elements, and quotients (rules 7.6, 7.7, 7.10 and 7.11)."""

from __future__ import annotations

from typing import Final

from zhufeng.formats.floats import FloatFormat, rounded
from zhufeng.formats.microscaling._elements import Element, magnitudes
from zhufeng.hdl import (
    Bool,
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
    element: Element,
    number: Signal,
    more: Signal,
    exponent: Signal,
    *,
    noise: Signal | None = None,
    most: int | None = None,
) -> Signal:
    """The bits of the magnitude of an element as a UInt, never above the largest.

    Args:
        element: its format.
        number: Bits, as many as are `significant`; the highest is 1, and the point after it.
        more: whether there is anything below them; where there is noise, it does not count.
        exponent: signed; the number counts 2^exponent times.
        noise: UInt(NOISE): round stochastically. Without it to nearest, ties to even.
        most: the largest that the exponent can be, where its type has more: it saves hardware.
    """
    fmt = magnitudes(element)
    field = exponent - (element.lowest - 1)
    if noise is not None:
        return _carried(fmt, as_uint(number), field, noise)
    top = field.type.high if most is None else most - (element.lowest - 1)
    nearest = rounded(
        fmt,
        const(Bool, 0),
        field,
        as_uint(cat(number, more)),
        exponents=range(field.type.low, top + 1),
        normal=True,
        saturate=True,
    )
    return as_uint(nearest[:-1])


def _carried(fmt: FloatFormat, number: Signal, field: Signal, noise: Signal) -> Signal:
    places = saturate(1 - field, UInt(number.width.bit_length()))
    carried = (number >> places) + noise
    top = (fmt.largest_bits >> fmt.fraction).bit_length()
    # A carry out of what is kept raises the field, as it should.
    size = (saturate(field - 1, UInt(top)) << fmt.fraction) + as_uint(carried[NOISE:])
    return wrap(mux(size > fmt.largest_bits, fmt.largest_bits, size), fmt.bits - 1)


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
