"""The numbers of a block, exactly (rules 7.2 and 7.8)."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats import E2M1, E4M3, FP32, chosen, rounded, unpacked
from zhufeng.formats.microscaling._elements import (
    MX_BLOCK,
    NVFP4_BLOCK,
    SCALE_NAN,
    Element,
    FixedFormat,
    checked,
)
from zhufeng.hdl import (
    Bits,
    Bool,
    Function,
    Signal,
    as_sint,
    as_uint,
    const,
    function,
    mux,
    vmap,
    wrap,
)


@cache
def mx_decoder(element: Element) -> Function[[Signal, Signal], Signal]:
    """A block's numbers in fp32: ``scale`` and ``elements`` [32] give ``out`` [32].

    From 2^128 on a number is an infinity; all others are exact.

    Args:
        element: the format of an element.

    Raises:
        InputError: there is no such block.
    """
    checked(element)

    @function(scale=Bits(8), elements=Bits(element.bits).array(MX_BLOCK))
    def mx_decoder(scale: Signal, elements: Signal) -> Signal:
        return vmap(lambda one: _number(element, as_uint(scale), one))(elements)

    return mx_decoder


@cache
def nvfp4_decoder() -> Function[[Signal, Signal], Signal]:
    """Elements times the scale of their block in fp32, exactly: ``out`` [16].

    Its inputs are ``scale`` and ``elements`` [16]; the scale of the tensor has no part in it.
    """

    @function(scale=Bits(8), elements=Bits(E2M1.bits).array(NVFP4_BLOCK))
    def nvfp4_decoder(scale: Signal, elements: Signal) -> Signal:
        return vmap(lambda one: _scaled(scale, one))(elements)

    return nvfp4_decoder


def _number(element: Element, scale: Signal, bits: Signal) -> Signal:
    is_inf = is_nan = const(Bool, 0)
    if isinstance(element, FixedFormat):
        number = as_sint(bits)
        negative = number < 0
        size = as_uint(wrap(mux(negative, -number, wrap(number, element.bits + 1)), element.bits))
        exponent = scale + (element.bits - 1 - element.fraction)
    else:
        parts = unpacked(element, bits)
        negative, size = parts.sign, parts.significand
        is_inf, is_nan = parts.is_inf, parts.is_nan
        exponent = scale + parts.exponent - element.bias
    finite = rounded(FP32, negative, exponent, size)
    return chosen(FP32, finite, sign=negative, is_inf=is_inf, is_nan=is_nan | (scale == SCALE_NAN))


def _scaled(scale: Signal, bits: Signal) -> Signal:
    by, element = unpacked(E4M3, scale), unpacked(E2M1, bits)
    above = FP32.bias - E4M3.bias - E2M1.bias + 1
    exponent = by.exponent + element.exponent + above
    finite = rounded(FP32, element.sign, exponent, by.significand * element.significand)
    return mux(by.is_nan, FP32.nan_bits, finite)
