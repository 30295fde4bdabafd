"""What a quantised block stands for, straight away: where elements are not kept (rule 7.17)."""

from __future__ import annotations

from functools import cache

from zhufeng.formats.floats import FP32
from zhufeng.formats.microscaling._elements import (
    MX_BLOCK,
    SCALE_NAN,
    Element,
    FixedFormat,
    checked,
    highest,
    magnitudes,
)
from zhufeng.formats.microscaling._quantise import (
    Scale,
    checked_scale,
    quantiser_inputs,
    scale_code,
)
from zhufeng.formats.microscaling._rounding import NOISE
from zhufeng.hdl import (
    Bits,
    Function,
    Signal,
    Struct,
    UInt,
    as_bits,
    as_uint,
    cat,
    const,
    function,
    mux,
    of,
    saturate,
    shift_left,
    vmap,
    wrap,
)

_FRACTION, _HIDDEN, _MOST_DOWN = 23, 1 << 23, 31


class MxNumbers(Struct):
    """What `mx_numbers` gives."""

    scale: Signal = of(Bits(8))
    numbers: Signal = of(Bits(32).array(MX_BLOCK))


@cache
def mx_numbers(
    element: Element, scale: Scale = "down", *, noisy: bool = False
) -> Function[..., MxNumbers]:
    """Fp32 as a block has them: ``x`` [32] gives its ``scale``, and ``numbers`` [32] in fp32.

    They are those of `mx_decoder` behind `mx_quantiser`, which this does without: an element is
    rounded where it stands.

    Args:
        element: the format of an element.
        scale: as for `mx_quantiser`.
        noisy: as for `mx_quantiser`.

    Raises:
        InputError: there is no such block, or no such scale.
    """
    checked(element)
    checked_scale(scale)

    @function(**quantiser_inputs(MX_BLOCK, noisy=noisy))
    def mx_numbers(x: Signal, noise: Signal | None = None) -> MxNumbers:
        code = scale_code(element, scale, x)
        largest = _largest(element, code)
        if noise is None:
            numbers = vmap(lambda one: _number(element, one, code, largest, None))(x)
        else:
            numbers = vmap(lambda one, byte: _number(element, one, code, largest, byte))(x, noise)
        broken = code == SCALE_NAN
        return MxNumbers(as_bits(code), mux(broken, FP32.nan_bits, numbers))

    return mx_numbers


def _number(
    element: Element, x: Signal, code: Signal, largest: Signal, noise: Signal | None
) -> Signal:
    field = as_uint(x[_FRACTION:31])
    significand = as_uint(wrap(x, _FRACTION + 1) | _HIDDEN)
    # Bits of the significand below an element's lowest one: more, where elements are subnormal.
    under = code + element.lowest - field
    below = mux(under > 0, under, 0) + (_FRACTION - element.fraction)
    down = saturate(below, UInt(5))
    # To nearest, nothing is left from 25 bits down on: a unit of 0 says so, too.
    unit = shift_left(const(UInt(1), 1), down, 26 if noise is None else 32)
    kept = as_uint(_carried(significand, unit, down, noise) & ~as_bits(wrap(unit - 1, 32)))
    if noise is not None:
        # No byte makes more than 0 of what is further down than that.
        kept = mux(below > _MOST_DOWN, 0, kept)
    # A carry raises the field, as it should; of all bits together, by more than one.
    beyond = wrap(wrap(down - _FRACTION, UInt(4)) << _FRACTION, UInt(32))
    raised = mux(down > _FRACTION, beyond, wrap(kept - _HIDDEN, UInt(32)))
    size = wrap((field << _FRACTION) + raised, UInt(32))
    none = (kept == 0) | (field == 0)
    number = mux(none, 0, mux(size > largest, largest, size))
    negative = x[31] & ~none if isinstance(element, FixedFormat) else x[31]
    return cat(negative, as_bits(wrap(number, 31)))


def _carried(significand: Signal, unit: Signal, down: Signal, noise: Signal | None) -> Signal:
    """With what makes the bits above `down` the rounded ones."""
    if noise is not None:
        return as_bits(wrap(significand + shift_left(noise, wrap(down - NOISE, UInt(5)), 32), 32))
    odd = (as_bits(wrap(unit, _FRACTION + 1)) & as_bits(significand)) != 0
    return as_bits(wrap(significand + (unit >> 1) + wrap(odd, UInt(1)) - 1, 32))


def _largest(element: Element, code: Signal) -> Signal:
    """The largest element at a scale, in the bits of fp32 without sign."""
    ones = magnitudes(element).largest_bits & ((1 << element.fraction) - 1)
    size = ((code + highest(element)) << _FRACTION) + (ones << (_FRACTION - element.fraction))
    return wrap(size, UInt(32))
