"""Functions without state over arrays, and what calls cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import numpy as np

from harness import cpu_s
from zhufeng.hdl import (
    Bits,
    Signal,
    SInt,
    Struct,
    UInt,
    any_bit,
    as_bits,
    as_uint,
    cat,
    const,
    function,
    mux,
    of,
    total,
    tree,
    vmap,
    wrap,
)
from zhufeng.hdl.compile import compile as compiled
from zhufeng.hdl.compile import compile_function
from zhufeng.hdl.examples import systolic

BF16 = Bits(16)
BLOCK = 32
_TOP = 255
_ELEMENTS = 1 << 24
_ROUNDS, _CALLS = 7, 2000


@function(a=BF16, b=BF16)
def bf16_multiply(a: Signal, b: Signal) -> Signal:
    """To nearest, ties to even; subnormal numbers count as 0, and results that would be are 0.

    Of a NaN only the sign and that it is one are as IEEE 754 has it.
    """
    ea, eb = as_uint(a[7:15]), as_uint(b[7:15])
    fa, fb = a[0:7], b[0:7]
    sign = a[15] ^ b[15]
    zero = (ea == 0) | (eb == 0)
    top_a, top_b = ea == _TOP, eb == _TOP
    nan = (top_a & any_bit(fa)) | (top_b & any_bit(fb)) | ((top_a | top_b) & zero)
    one = const(Bits(1), 1)
    product = as_bits(as_uint(cat(one, fa)) * as_uint(cat(one, fb)))
    high = product[15]
    kept = as_uint(mux(high, product[8:16], product[7:15]))
    half = mux(high, product[7], product[6])
    below = mux(high, any_bit(product[0:7]), any_bit(product[0:6]))
    up = half & (below | as_bits(kept)[0])
    rounded = as_bits(kept + as_uint(up))
    exponent = wrap(ea + eb, SInt(11)) - 127 + as_uint(high) + as_uint(rounded[8])
    fraction = mux(rounded[8], rounded[1:8], rounded[0:7])
    infinite = (top_a | top_b) | (exponent >= _TOP)
    body = cat(as_bits(wrap(exponent, UInt(8))), fraction)
    body = mux(zero | (exponent <= 0), const(Bits(15), 0), body)
    body = mux(infinite & ~zero, const(Bits(15), 0x7F80), body)
    return cat(sign, mux(nan, const(Bits(15), 0x7FC0), body))


@function(x=UInt(8))
def squeeze(x: Signal) -> Signal:
    """Some logic on eight bits."""
    bits = as_bits(x)
    mixed = wrap(bits << 1, 8) ^ (bits >> 2)
    return mux(bits[7], ~mixed, mixed)


class Scaled(Struct):
    """A block of numbers under one exponent."""

    shift: Signal = of(UInt(4))
    parts: Signal = of(SInt(8).array(BLOCK))
    sum: Signal = of(SInt(13))


def _magnitude(x: Signal) -> Signal:
    return mux(x < 0, ~as_bits(x), as_bits(x))


@function(x=SInt(16).array(BLOCK))
def shared_scale(x: Signal) -> Scaled:
    """Cut off as many bits as the largest of a block has beyond seven."""
    every = tree(lambda a, b: a | b, vmap(_magnitude)(x))
    shift = const(UInt(4), 0)
    for number in range(1, 9):
        shift = mux(every[number + 6], const(UInt(4), number), shift)
    parts = vmap(lambda one, by: wrap(one >> by, SInt(8)), in_axes=(0, None))(x, shift)
    return Scaled(shift=shift, parts=parts, sum=wrap(total(parts), SInt(13)))


def told(seed: int) -> Mapping[str, float]:
    """Elements a second of each function by one core's CPU time, and microseconds of calls."""
    draw = np.random.default_rng(seed)
    octets = draw.integers(0, 1 << 8, _ELEMENTS, np.uint8)
    words = draw.integers(0, 1 << 16, (2, _ELEMENTS), np.uint16)
    blocks = draw.integers(-(1 << 15), 1 << 15, (_ELEMENTS // BLOCK, BLOCK), np.int16)
    logic, product = compile_function(squeeze.ir), compile_function(bf16_multiply.ir)
    scale, few = compile_function(shared_scale.ir), octets[:1]
    small = systolic(2, 8, acc_bits=32).ir
    session = compiled(small, 1).session()
    given = {port: np.ones(form.shape, np.int64) for port, form in small.inputs.items()}
    giga, micro = _ELEMENTS / 1e9, 1e6 / _CALLS
    return {
        "some logic on eight bits": giga / _cpu_s(lambda: logic(x=octets)),
        "a bf16 product, rounded to nearest": giga
        / _cpu_s(lambda: product(a=words[0], b=words[1])),
        "blocks of 32 int16 brought under one exponent": giga / _cpu_s(lambda: scale(x=blocks)),
        "copying bytes": giga / _cpu_s(octets.copy),
        "a call": micro * _cpu_s(lambda: [logic(x=few) for _ in range(_CALLS)]),
        "a step, one bit given": micro
        * _cpu_s(lambda: [session.step({"load": 1}) for _ in range(_CALLS)]),
        "a step, two arrays given too": micro
        * _cpu_s(lambda: [session.step(given) for _ in range(_CALLS)]),
    }


def _cpu_s(work: Callable[[], object]) -> float:
    return statistics.median(cpu_s(work) for _ in range(_ROUNDS))
