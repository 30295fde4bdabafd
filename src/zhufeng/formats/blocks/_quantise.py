"""The quantiser: 16 fp32 become a block, or the two planes of one (chapter 2)."""

from __future__ import annotations

from functools import cache
from typing import Final

from zhufeng.formats.blocks._form import BLOCK, POISON, ZERO, checked_bits, largest
from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    SInt,
    Struct,
    UInt,
    as_bits,
    as_uint,
    const,
    function,
    mux,
    of,
    shift_left,
    tree,
    vmap,
    wrap,
)

NUMBERS: Final = Bits(32).array(BLOCK)
"""fp32."""
NOISE: Final = UInt(8).array(BLOCK)
"""The random bytes of a block."""
CODE: Final = UInt(8)
_FRACTION, _SPECIAL = 23, 255
_HIDDEN, _FIELD = 1 << _FRACTION, _SPECIAL << _FRACTION
_RANDOM = 8
"""Bits of a random byte."""


@cache
def largest_magnitude() -> Function[..., Signal]:
    """The largest magnitude of ``x``, 16 fp32: its 31 bits; those below the normal ones are 0."""

    @function(x=NUMBERS)
    def largest_magnitude(x: Signal) -> Signal:
        return tree(lambda a, b: mux(a < b, b, a), _magnitude(x))

    return largest_magnitude


@cache
def scale_code(bits: int) -> Function[..., Signal]:
    """The code that holds a largest magnitude ``amax`` (rules 2.2 and 2.3)."""
    checked_bits(bits)

    @function(amax=UInt(31))
    def scale_code(amax: Signal) -> Signal:
        field = as_uint(amax[_FRACTION:])
        # The next exponent, where the fraction is above that of qmax.
        most = largest(bits) << (_FRACTION + 2 - bits) & ((1 << _FRACTION) - 1)
        above = as_uint(amax[0:_FRACTION]) > most
        code = wrap(mux(above, field, wrap(field - 1, CODE)), CODE)
        return mux(field == _SPECIAL, POISON, mux(field == 0, ZERO, code))

    return scale_code


@cache
def quantiser(bits: int, *, stochastic: bool = False) -> Function[..., Signal]:
    """The 16 elements of a block of ``x``, 16 fp32, at the scale of ``code`` (rules 2.1 to 2.5).

    The code is that of the block's own largest magnitude, or of one that others share.

    Args:
        bits: of an element: 4, 5, 6 or 8.
        stochastic: whether it rounds stochastically, and takes ``noise`` for that, the block's
            random bytes; else it rounds to nearest.

    Raises:
        InputError: there are no such blocks.
    """
    checked_bits(bits)

    if stochastic:

        @function(x=NUMBERS, code=CODE, noise=NOISE)
        def stochastic_quantiser(x: Signal, code: Signal, noise: Signal) -> Signal:
            return _elements(bits, _rounded(x, code, bits - 1, noise), x)

        return stochastic_quantiser

    @function(x=NUMBERS, code=CODE)
    def quantiser(x: Signal, code: Signal) -> Signal:
        return _elements(bits, _rounded(x, code, bits - 1, None), x)

    return quantiser


@cache
def plane_quantiser(bits: int, *, stochastic: bool = False) -> Function[..., Struct]:
    """The two planes of a block, as `quantiser` gives one (rules 2.6 and 2.7).

    Its outputs are ``high`` and ``low``, of 16 elements each, and ``low_code``; the code of the
    plane ``high`` is that which is given.

    Args:
        bits: of an element of a plane: 4, 5, 6 or 8.
        stochastic: as for `quantiser`.

    Raises:
        InputError: there are no such blocks.
    """
    checked_bits(bits)

    class Planes(Struct):
        high: Signal = of(SInt(bits).array(BLOCK))
        low: Signal = of(SInt(bits).array(BLOCK))
        low_code: Signal = of(CODE)

    def planes(x: Signal, code: Signal, noise: Signal | None) -> Planes:
        both = _rounded(x, code, 2 * (bits - 1), noise)
        # The lower half, rounded to nearest, goes up into the plane `high`.
        up = (both + (1 << (bits - 2))) >> (bits - 1)
        low = _elements(bits, both - (up << (bits - 1)), x)
        some = (tree(lambda a, b: a | b, low) != 0) & (code > bits - 1)
        scaled = mux(some, wrap(code - (bits - 1), CODE), ZERO)
        low_code = mux(code == POISON, POISON, scaled)
        kept = mux(low_code == ZERO, 0, low)
        return Planes(high=_elements(bits, up, x), low=kept, low_code=low_code)

    if stochastic:

        @function(x=NUMBERS, code=CODE, noise=NOISE)
        def stochastic_planes(x: Signal, code: Signal, noise: Signal) -> Planes:
            return planes(x, code, noise)

        return stochastic_planes

    @function(x=NUMBERS, code=CODE)
    def nearest_planes(x: Signal, code: Signal) -> Planes:
        return planes(x, code, None)

    return nearest_planes


def _magnitude(x: Signal) -> Signal:
    """Of fp32, without their signs; subnormals are 0."""
    plain = as_uint(wrap(x, 31))
    return mux(plain < _HIDDEN, 0, plain)


def _rounded(x: Signal, code: Signal, bits: int, noise: Signal | None) -> Signal:
    """The magnitudes of elements of so many bits without their sign.

    Their type has more bits than that; the upper ones are 0.
    """
    plain = as_uint(wrap(x, 31))
    field = as_uint(as_bits(plain) & _FIELD)
    significand = mux(plain < _HIDDEN, 0, as_uint(wrap(x, 24) | _HIDDEN))
    special = (code == ZERO) | (code == POISON)
    # Where the block's largest number has its point; so far up that nothing is left, if special.
    place = mux(special, const(UInt(9), 511), code + 1) << _FRACTION
    down = wrap(place - field, UInt(32)) >> _FRACTION
    aligned = significand >> down
    below = _FRACTION + 1 - bits
    if noise is None:
        lost = shift_left(aligned, down, _FRACTION + 1) != significand
        return _nearest((aligned << 1) + wrap(lost, UInt(1)), below + 1)
    return ((aligned >> (below - _RANDOM)) + noise) >> _RANDOM


def _nearest(number: Signal, below: int) -> Signal:
    """Without so many of its lowest bits: to nearest, ties to even."""
    odd = wrap((number >> below), UInt(1))
    return (number + odd + ((1 << (below - 1)) - 1)) >> below


def _elements(bits: int, magnitudes: Signal, x: Signal) -> Signal:
    """With the signs of fp32."""
    negative = vmap(lambda one: one[31])(x)
    signed = wrap(magnitudes, SInt(magnitudes.width + 1))
    return wrap(mux(negative, wrap(-signed, signed.width), signed), SInt(bits))
