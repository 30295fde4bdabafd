"""The scale of a tensor of NVFP4, and its quantiser (rules 7.9 to 7.11)."""

from __future__ import annotations

from functools import cache
from typing import Any

from zhufeng.formats.floats import E2M1, E4M3
from zhufeng.formats.microscaling._elements import NVFP4_BLOCK
from zhufeng.formats.microscaling._quantise import larger, quantiser_inputs, signed
from zhufeng.formats.microscaling._rounding import quotient, significant, to_element
from zhufeng.hdl import (
    Bits,
    Bool,
    Function,
    Signal,
    SInt,
    Struct,
    UInt,
    as_bits,
    as_uint,
    cat,
    const,
    fold,
    function,
    leading_zeros,
    mux,
    of,
    pack,
    saturate,
    shift_left,
    stack,
    switch,
    total,
    tree,
    unpack,
    vmap,
    wrap,
)

_FRACTION, _SPECIAL = 23, 255
_NAN32, _SMALLEST = 0x7FC00000, 0x00800000
_NAN8 = 0x7F
_EIGHTHS = (5, 6, 7, 8, 10, 12, 14)
"""Where, between 1/2 and 2, a quotient of significands decides to which element it belongs."""
_TIES_UP = (6, 7, 12, 14)


class Nvfp4Block(Struct):
    """What the quantiser gives."""

    scale: Signal = of(Bits(8))
    elements: Signal = of(Bits(E2M1.bits).array(NVFP4_BLOCK))


class _Scale(Struct):
    """What elements are divided by: significand·2^(exponent - 154), the highest bit 1."""

    significand: Signal = of(UInt(28))
    exponent: Signal = of(SInt(10))


@cache
def nvfp4_tensor_scale() -> Function[..., Signal]:
    """A function: ``amax``, the largest magnitude of a tensor, over 6·448, all fp32.

    To nearest, ties to even, and at least 2^-126; NaN if ``amax`` is an infinity or a NaN. The
    sign of ``amax`` does not count.
    """

    @function(amax=Bits(32))
    def nvfp4_tensor_scale(amax: Signal) -> Signal:
        field = as_uint(amax[_FRACTION:31])
        # 6·448 is 21·2^7. Of 26 bits of the quotient the highest or the next is 1.
        bits = _by_21(cat(const(Bool, 1), amax[0:_FRACTION], const(Bits(6), 0)))
        above = bits[-1]
        # There are no ties: a quotient by 21 that ends has no bit in the last six places.
        kept, half = mux(above, bits[2:25], bits[1:24]), mux(above, bits[1], bits[0])
        exponent = field - 12 + wrap(above, UInt(1))
        rounded = as_uint(cat(wrap(as_bits(exponent), 9), kept)) + wrap(half, UInt(1))
        scale = mux(exponent <= 0, _SMALLEST, as_bits(wrap(rounded, 32)))
        return mux(field == _SPECIAL, _NAN32, scale)

    return nvfp4_tensor_scale


def _by_21(dividend: Signal) -> Signal:
    """Bits over 21, rounded down."""

    def digit(rest: Signal, bit: Signal) -> tuple[Signal, Signal]:
        trial = as_uint(cat(rest, bit))
        left = trial - 21
        fits = left >= 0
        return wrap(mux(fits, wrap(left, trial.type), trial), 5), fits

    # The first four are below 21 for sure, and give no digit.
    rest = wrap(as_uint(dividend[-4:]), 5)
    low = unpack(Bool.array(dividend.width - 4), dividend[:-4])
    _, digits = fold(digit, rest, low[::-1])
    return pack(digits[::-1])


@cache
def nvfp4_quantiser(*, noisy: bool = False, shared: bool = False) -> Function[..., Any]:
    """Fp32 into a block: ``x`` [16] and ``tensor_scale`` give ``scale`` and ``elements`` [16].

    Args:
        noisy: round elements stochastically, with the bytes ``noise`` [16].
        shared: the scale is that of ``amax``, the bits of the largest magnitude of several blocks,
            and not of the block's own.
    """
    given = {"amax": UInt(31)} if shared else {}

    @function(tensor_scale=Bits(32), **given, **quantiser_inputs(NVFP4_BLOCK, noisy=noisy))
    def nvfp4_quantiser(
        x: Signal,
        tensor_scale: Signal,
        amax: Signal | None = None,
        noise: Signal | None = None,
    ) -> Nvfp4Block:
        largest = amax
        if largest is None:
            largest = tree(larger, vmap(lambda one: as_uint(one[0:31]))(x))
        tensor = as_uint(tensor_scale[_FRACTION:31])
        broken = (as_uint(as_bits(largest)[_FRACTION:]) == _SPECIAL) | tensor_scale[31]
        broken = broken | (tensor == 0) | (tensor == _SPECIAL)
        scale = mux(broken, _NAN8, _block_scale(as_bits(largest), tensor_scale))
        over = _product(scale, tensor_scale)
        none = broken | (scale == 0)
        if noise is None:
            bounds = _bounds(over)
            sizes = vmap(lambda one: _nearest(one, over, bounds))(x)
        else:
            sizes = vmap(lambda one, byte: _stochastic(one, over, byte))(x, noise)
        signs = vmap(lambda one: one[31])(x) & ~broken
        elements = vmap(lambda sign, size: signed(E2M1, sign, size))(signs, mux(none, 0, sizes))
        return Nvfp4Block(cat(const(Bool, 0), scale), elements)

    return nvfp4_quantiser


def _significand(x: Signal) -> Signal:
    return as_uint(cat(const(Bool, 1), x[0:_FRACTION]))


def _block_scale(amax: Signal, tensor_scale: Signal) -> Signal:
    """amax / (6·tensor_scale) in E4M3."""
    field = as_uint(amax[_FRACTION:31])
    three = _significand(tensor_scale) * 3
    high = three[25]
    divisor = mux(high, three, wrap(three << 1, 26))
    count = significant(E4M3, noisy=False)
    number, more, below = quotient(wrap(_significand(amax) << 2, 26), divisor, count)
    exponent = field - as_uint(tensor_scale[_FRACTION:31]) - 2
    exponent = exponent - wrap(high, UInt(1)) - wrap(below, UInt(1))
    size = to_element(E4M3, number, more, exponent)
    return mux(field == 0, 0, size)


def _product(scale: Signal, tensor_scale: Signal) -> _Scale:
    """The scales of a block and of its tensor together; anything if that is 0."""
    field, fraction = as_uint(scale[E4M3.fraction :]), scale[0 : E4M3.fraction]
    normal, above = field != 0, leading_zeros(fraction)
    subnormal = shift_left(cat(fraction, const(Bool, 0)), above, 4)
    four = as_uint(mux(normal, cat(const(Bool, 1), fraction), subnormal))
    product = four * _significand(tensor_scale)
    high = product[27]
    exponent = as_uint(tensor_scale[_FRACTION:31]) + mux(
        normal, wrap(field, SInt(5)), wrap(-above, SInt(5))
    )
    return _Scale(
        significand=mux(high, product, wrap(product << 1, 28)),
        exponent=wrap(exponent - 7 + wrap(high, UInt(1)), SInt(10)),
    )


def _nearest(x: Signal, over: _Scale, bounds: Signal) -> Signal:
    """The magnitude of x over a scale, in E2M1: how many of its middles are below."""
    field = as_uint(x[_FRACTION:31])
    above = dict(zip(_EIGHTHS, _significand(x) > bounds, strict=True))

    def among(sure: int, *eighths: int) -> Signal:
        """Of those below, some are sure; they are as many more as the quotient is above."""
        return wrap(sure + total(stack(*(wrap(above[m], UInt(1)) for m in eighths))), UInt(3))

    # The quotient is between 2^(places - 1) and 2^(places + 1), and E2M1's middles are 0.25,
    # 0.75, 1.25, 1.75, 2.5, 3.5, 5.
    places = saturate(field - over.exponent, SInt(4))
    found = {
        -2: among(0, 8),
        -1: among(1, 12),
        0: among(1, 6, 10, 14),
        1: among(2, 5, 7, 10, 14),
        2: among(4, 5, 7, 10),
        3: among(6, 5),
    }
    return mux(field == 0, 0, switch(places, found, mux(places > 0, const(UInt(3), 7), 0)))


def _bounds(over: _Scale) -> Signal:
    """What the significand of a number must be above for a quotient of so many eighths.

    Of eighths that are a middle below an element whose lowest bit is 0, to be equal is enough.
    """
    return stack(
        *(wrap((over.significand * m - int(m in _TIES_UP)) >> 7, UInt(25)) for m in _EIGHTHS)
    )


def _stochastic(x: Signal, over: _Scale, noise: Signal) -> Signal:
    """The magnitude of x over a scale, in E2M1."""
    field = as_uint(x[_FRACTION:31])
    dividend = wrap(_significand(x) << 4, 28)
    number, more, below = quotient(dividend, over.significand, significant(E2M1, noisy=True))
    exponent = field - over.exponent - wrap(below, UInt(1))
    return mux(field == 0, 0, to_element(E2M1, number, more, exponent, noise=noise))
