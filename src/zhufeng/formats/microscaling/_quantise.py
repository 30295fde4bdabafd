"""Quantisers of MXFP8, MXFP6, MXFP4 and MXINT8 (rules 7.3 to 7.7)."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args

from zhufeng.base import InputError
from zhufeng.formats.microscaling._elements import (
    MX_BLOCK,
    SCALE_NAN,
    Element,
    FixedFormat,
    checked,
    highest,
    magnitudes,
)
from zhufeng.formats.microscaling._rounding import NOISE, significant, to_element
from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    SInt,
    Struct,
    Type,
    UInt,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    function,
    mux,
    of,
    saturate,
    tree,
    vmap,
    wrap,
)

Scale = Literal["down", "up"]
"""How a scale is rounded to a power of two."""

_FRACTION = 23


@cache
def mx_quantiser(
    element: Element, scale: Scale = "down", *, noisy: bool = False
) -> Function[..., Any]:
    """Fp32 into a block: ``x`` [32] gives ``scale`` and ``elements`` [32].

    Args:
        element: the format of an element.
        scale: ``down``: the largest power of two that the largest number allows (OCP Microscaling
            Formats 1.0, 6.3), where it may saturate; ``up``: the smallest where it does not
            (arXiv 2506.08027).
        noisy: round elements stochastically, with the bytes ``noise`` [32].

    Raises:
        InputError: there is no such block, or no such scale.
    """
    checked(element)
    checked_scale(scale)

    class MxBlock(Struct):
        scale: Signal = of(Bits(8))
        elements: Signal = of(Bits(element.bits).array(MX_BLOCK))

    @function(**quantiser_inputs(MX_BLOCK, noisy=noisy))
    def mx_quantiser(x: Signal, noise: Signal | None = None) -> MxBlock:
        code = scale_code(element, scale, x)
        if noise is None:
            bits = vmap(lambda one: _element(element, one, code, None))(x)
        else:
            bits = vmap(lambda one, byte: _element(element, one, code, byte))(x, noise)
        return MxBlock(as_bits(code), bits)

    return mx_quantiser


def quantiser_inputs(count: int, *, noisy: bool) -> dict[str, Type]:
    """What a quantiser takes."""
    noise = {"noise": UInt(NOISE).array(count)} if noisy else {}
    return {"x": Bits(32).array(count), **noise}


def larger(a: Signal, b: Signal) -> Signal:
    """Of two numbers."""
    return mux(a > b, a, b)


def checked_scale(scale: Scale) -> None:
    """See that there is such a way.

    Raises:
        InputError: there is none.
    """
    if scale not in get_args(Scale):
        raise InputError(
            "the scale of a microscaling block",
            expected=", ".join(get_args(Scale)),
            came=str(scale),
            do="take one of these",
        )


def scale_code(element: Element, scale: Scale, x: Signal) -> Signal:
    """The code of the scale of a block."""
    sizes = vmap(lambda one: _size(element, scale, one))(x)
    return _code(element, tree(larger, sizes))


def _size(element: Element, scale: Scale, x: Signal) -> Signal:
    """The exponent field, and below it whether 2^(it - 127 - highest) is too small a scale."""
    field, fraction = x[_FRACTION:31], as_uint(x[0:_FRACTION])
    if scale == "down":
        return as_uint(cat(field, const(Bits(1), 0)))
    ones = magnitudes(element).largest_bits & ((1 << element.fraction) - 1)
    above = fraction > (ones << (_FRACTION - element.fraction))
    return as_uint(cat(field, above & any_bit(field)))


def _code(element: Element, largest: Signal) -> Signal:
    field, above = as_uint(largest[1:]), wrap(largest[0], UInt(1))
    code = saturate(field + above - highest(element), UInt(8))
    if not highest(element):
        code = mux(code == SCALE_NAN, SCALE_NAN - 1, code)
    return mux(field == SCALE_NAN, SCALE_NAN, code)


def _element(element: Element, x: Signal, code: Signal, noise: Signal | None) -> Signal:
    field = as_uint(x[_FRACTION:31])
    count = significant(element, noisy=noise is not None)
    number = cat(const(Bits(1), 1), x[_FRACTION + 1 - count : _FRACTION])
    more = any_bit(x[0 : _FRACTION + 1 - count])
    size = to_element(element, number, more, field - code, noise=noise, most=highest(element))
    broken = code == SCALE_NAN
    return signed(element, x[31] & ~broken, mux(broken | (field == 0), 0, size))


def signed(element: Element, negative: Signal, size: Signal) -> Signal:
    """The bits of an element of a magnitude."""
    if isinstance(element, FixedFormat):
        return as_bits(mux(negative, wrap(-size, element.bits), wrap(size, SInt(element.bits))))
    return cat(negative, size)
