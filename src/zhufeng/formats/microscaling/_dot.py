"""Dot units: exact sums of the products of two blocks, added in fp32 (rules 7.12 to 7.15)."""

from __future__ import annotations

from functools import cache
from typing import Any

from zhufeng.base import InputError
from zhufeng.formats.floats import E2M1, E4M3, FP32, FloatFormat, add, rounded, unpacked
from zhufeng.formats.microscaling._elements import (
    MX_BLOCK,
    NVFP4_BLOCK,
    SCALE_BIAS,
    SCALE_NAN,
    Element,
    FixedFormat,
    checked,
)
from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    SInt,
    State,
    UInt,
    any_bit,
    as_bits,
    as_sint,
    as_uint,
    cat,
    const,
    module,
    mux,
    pack,
    reg,
    shift_left,
    total,
    vmap,
    wrap,
)


class Accumulator(State):
    """What a dot unit holds: an fp32."""

    sum: Signal = reg(Bits(FP32.bits), reset=0)


@cache
def mx_dot(
    a_element: Element, b_element: Element, *, decoded: bool = False
) -> Module[Any, ..., Signal]:
    """A dot unit of MX blocks: a pair of them a cycle.

    Its inputs are the elements ``a`` and ``b`` [32] and their scales ``a_scale`` and ``b_scale``.
    ``out`` is, as fp32, what it had accumulated before the cycle.

    Args:
        a_element: the format of an element of ``a``.
        b_element: of ``b``; INT8 goes with INT8 alone.
        decoded: whether elements become integers before they are multiplied: their products are
            wider, but in an array each element is decoded once. The bits are the same.

    Raises:
        InputError: there are no such blocks, or they are not multiplied with one another.
    """
    kinds = {type(checked(element)) for element in (a_element, b_element)}
    if len(kinds) != 1:
        raise InputError(
            "a dot unit of microscaling blocks",
            expected="integers in both blocks, or floating-point numbers",
            came=f"{a_element.name} and {b_element.name}",
            do="take two formats of one kind",
        )
    least = _spacing(a_element) + _spacing(b_element) - 2 * SCALE_BIAS

    @module(
        Accumulator,
        a=Bits(a_element.bits).array(MX_BLOCK),
        a_scale=Bits(8),
        b=Bits(b_element.bits).array(MX_BLOCK),
        b_scale=Bits(8),
    )
    def mx_dot(
        s: Accumulator, a: Signal, a_scale: Signal, b: Signal, b_scale: Signal
    ) -> tuple[Accumulator, Signal]:
        products, special = (_integers if decoded else _products)(a_element, b_element, a, b)
        negative, size = _parts(products)
        scale = as_uint(a_scale) + as_uint(b_scale)
        number = _number(negative, size, scale, range(2 * SCALE_NAN - 1), least)
        is_nan = special | (a_scale == SCALE_NAN) | (b_scale == SCALE_NAN)
        return Accumulator(sum=_added(s.sum, number, is_nan)), s.sum

    return mx_dot


@cache
def nvfp4_dot(*, decoded: bool = False) -> Module[Any, ..., Signal]:
    """A dot unit of NVFP4 blocks: as `mx_dot`, of 16 elements under a scale in E4M3.

    The scales of the tensors have no part in it.
    """
    elements = Bits(E2M1.bits).array(NVFP4_BLOCK)
    least = 2 * (_spacing(E2M1) - E4M3.bias - E4M3.fraction)

    @module(Accumulator, a=elements, a_scale=Bits(8), b=elements, b_scale=Bits(8))
    def nvfp4_dot(
        s: Accumulator, a: Signal, a_scale: Signal, b: Signal, b_scale: Signal
    ) -> tuple[Accumulator, Signal]:
        products, _ = (_integers if decoded else _products)(E2M1, E2M1, a, b)
        negative, size = _parts(products)
        x, y = unpacked(E4M3, a_scale), unpacked(E4M3, b_scale)
        scaled, scale = size * (x.significand * y.significand), x.exponent + y.exponent
        number = _number(negative, scaled, scale, range(2, scale.type.high + 1), least)
        return Accumulator(sum=_added(s.sum, number, x.is_nan | y.is_nan)), s.sum

    return nvfp4_dot


def _spacing(element: Element) -> int:
    """The exponent of the smallest number above 0."""
    return element.lowest - element.fraction


def _products(
    a_element: Element, b_element: Element, a: Signal, b: Signal
) -> tuple[Signal, Signal]:
    """The sum of all products, in units of that of the smallest, and whether it is NaN."""
    if isinstance(a_element, FixedFormat) or isinstance(b_element, FixedFormat):
        return total(vmap(lambda x, y: as_sint(x) * as_sint(y))(a, b)), const(Bool, 0)
    numbers, negative, special = vmap(lambda x, y: _product(a_element, x, b_element, y))(a, b)
    return total(numbers) + total(wrap(negative, UInt(1))), any_bit(pack(special))


def _integers(
    a_element: Element, b_element: Element, a: Signal, b: Signal
) -> tuple[Signal, Signal]:
    """As `_products`, of elements as multiples of the smallest there is."""
    x, x_special = vmap(lambda one: _integer(a_element, one))(a)
    y, y_special = vmap(lambda one: _integer(b_element, one))(b)
    special = any_bit(pack(x_special)) | any_bit(pack(y_special))
    return total(x * y), special


def _integer(element: Element, bits: Signal) -> tuple[Signal, Signal]:
    """An element as a multiple of the smallest there is, and whether it is no number."""
    if isinstance(element, FixedFormat):
        return as_sint(bits), bits[0] & ~bits[0]
    one = unpacked(element, bits)
    width = (element.largest_bits >> element.fraction) + element.fraction + 1
    places = wrap(one.exponent - 1, one.exponent.type)
    size = wrap(shift_left(one.significand, places, width - 1), SInt(width))
    return mux(one.sign, wrap(-size, width), size), one.is_inf | one.is_nan


def _product(
    a_format: FloatFormat, a: Signal, b_format: FloatFormat, b: Signal
) -> tuple[Signal, Signal, Signal]:
    """A product, less 1 if it is negative; whether it is; whether it is no number.

    It is inverted while it is narrow and shifted then, down from the top. As either exponent is 1
    at least, that takes two places less.
    """
    x, y = unpacked(a_format, a), unpacked(b_format, b)
    negative = x.sign ^ y.sign
    most = sum(one.largest_bits >> one.fraction for one in (a_format, b_format))
    size = cat(const(Bool, 0), x.significand * y.significand, const(Bits(most - 2), 0))
    inverted = as_sint(size ^ as_bits(wrap(as_sint(negative), size.width)))
    exponent = x.exponent + y.exponent
    number = inverted >> as_uint(wrap(most - exponent, Bits(exponent.width)))
    return number, negative, x.is_inf | x.is_nan | y.is_inf | y.is_nan


def _parts(number: Signal) -> tuple[Signal, Signal]:
    """Its sign and its magnitude."""
    negative = number < 0
    size = mux(negative, -number, wrap(number, number.width + 1))
    return negative, as_uint(wrap(size, number.width))


def _number(negative: Signal, size: Signal, scale: Signal, scales: range, least: int) -> Signal:
    """A magnitude times 2^(scale + least) in fp32; `scales` are the numbers that scale can be."""
    above = least + FP32.bias + size.width - 1
    return rounded(
        FP32,
        negative,
        scale + above,
        size,
        exponents=range(scales[0] + above, scales[-1] + above + 1),
        subnormals=False,
    )


def _added(held: Signal, number: Signal, is_nan: Signal) -> Signal:
    return add(FP32)(held, mux(is_nan, FP32.nan_bits, number))
