"""What is compiled for arrays: the functions of the contract, several blocks side by side.

One block waits for its scale while another one is rounded, and scales are vectors too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from zhufeng.formats import blocks
from zhufeng.formats.blocks import BLOCK
from zhufeng.hdl import (
    Bits,
    Signal,
    SInt,
    Struct,
    UInt,
    as_bits,
    as_uint,
    function,
    inline,
    mux,
    of,
    vmap,
    wrap,
)
from zhufeng.hdl.compile import Grid, HostFunction, compile_function, compile_grid

TOGETHER: Final = 4
"""Blocks side by side."""
_X: Final = Bits(32).array(TOGETHER, BLOCK)
_CODE: Final = UInt(8).array(TOGETHER)
_KEY: Final = Bits(32).array(4)
_HALF, _SPECIAL, _UPPER = 16, 0x7F800000, 0xFFFF0000
_INDEX: Final = Bits(32).array(TOGETHER)


def given_numbers(x: Signal, *, half: bool) -> Signal:
    """Numbers as they are, or first rounded to bf16 (rule 5.10)."""
    if not half:
        return x
    number = as_uint(x)
    up = wrap(number >> _HALF, UInt(1))
    rounded = wrap(number + up + ((1 << (_HALF - 1)) - 1), 32)
    special = as_uint(x & (_UPPER >> 1)) >= _SPECIAL
    return as_bits(mux(special, number, rounded)) & _UPPER


@cache
def largest(*, half: bool) -> HostFunction:
    """The largest magnitudes of blocks ``x``."""
    amax = inline(blocks.largest_magnitude())

    @function(x=_X)
    def largest(x: Signal) -> Signal:
        found: Signal = vmap(amax)(given_numbers(x, half=half))
        return found

    return compile_function(largest.ir, 1)


@cache
def code_of(bits: int) -> HostFunction:
    """The code of a largest magnitude ``amax``."""
    return compile_function(blocks.scale_code(bits).ir, 16)


@cache
def quantised(
    bits: int, *, stochastic: bool, planes: bool, half: bool, shared: bool
) -> HostFunction:
    """Blocks ``x`` as their ``code`` and ``elements``, or ``high``, ``low`` and ``low_code``.

    Args:
        bits: of an element.
        stochastic: rounded by the random bytes of the blocks ``index`` with the words of ``key``.
        planes: whether there are two.
        half: whether numbers are first rounded to bf16.
        shared: whether codes are those of an input ``code``, and not of a block's own largest
            magnitude.
    """
    kind = SInt(bits).array(TOGETHER, BLOCK)
    amax, own = inline(blocks.largest_magnitude()), inline(blocks.scale_code(bits))
    noise = inline(blocks.block_bytes())
    quantiser = _quantiser(bits, planes=planes, stochastic=stochastic)

    class One(Struct):
        code: Signal = of(_CODE)
        elements: Signal = of(kind)

    class Two(Struct):
        code: Signal = of(_CODE)
        high: Signal = of(kind)
        low: Signal = of(kind)
        low_code: Signal = of(_CODE)

    def quantised(**given: Signal) -> Struct:
        x = given_numbers(given["x"], half=half)
        code = given["code"] if shared else vmap(lambda one: own(amax(one)))(x)
        random = [
            vmap(lambda index: noise(given["key"], index))(index)
            for name, index in given.items()
            if name == "index"
        ]
        made = vmap(quantiser)(x, code, *random)
        if not planes:
            return One(code=code, elements=made)
        return Two(code=code, high=made.high, low=made.low, low_code=made.low_code)

    ports = {"x": _X} | ({"code": _CODE} if shared else {})
    ports |= {"key": _KEY, "index": _INDEX} if stochastic else {}
    return compile_function(function(**ports)(quantised).ir, 1)


def _quantiser(bits: int, *, planes: bool, stochastic: bool) -> Callable[..., Any]:
    if planes:
        return inline(blocks.plane_quantiser(bits, stochastic=stochastic))
    return inline(blocks.quantiser(bits, stochastic=stochastic))


@cache
def key() -> HostFunction:
    """The key of a tensor."""
    return compile_function(blocks.tensor_key().ir, 1)


@cache
def noise() -> HostFunction:
    """The random bytes of the blocks ``index``, with the four words of ``key``."""
    return compile_function(blocks.block_bytes().ir, 1)


@cache
def products(a_bits: int, b_bits: int) -> Grid:
    """Every row of ``a`` with every row of ``b``, by the dot unit."""
    dot = blocks.block_dot(a_bits, b_bits)
    return compile_grid(dot.ir, ["a", "a_codes"], ["b", "b_codes"])


@cache
def packed(bits: int) -> HostFunction:
    """The bytes of elements ``x``."""
    return compile_function(blocks.packed_block(bits).ir, 1)


@cache
def unpacked(bits: int) -> HostFunction:
    """The elements of bytes ``x``."""
    return compile_function(blocks.unpacked_block(bits).ir, 1)
