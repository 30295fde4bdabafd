"""What is compiled for arrays: the functions of the contract, several blocks side by side.

One block waits for its scale while another one is rounded, and scales are vectors too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from zhufeng.formats import blocks
from zhufeng.formats.blocks import BLOCK
from zhufeng.hdl import (
    Bits,
    Signal,
    Struct,
    UInt,
    as_bits,
    as_uint,
    function,
    inline,
    mux,
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


def _given(x: Signal, *, half: bool) -> Signal:
    """Blocks as they are, or with their numbers first rounded to bf16 (rule 5.10)."""
    if not half:
        return x
    number = as_uint(x)
    up = wrap(number >> _HALF, UInt(1))
    rounded = wrap(number + up + ((1 << (_HALF - 1)) - 1), 32)
    special = as_uint(x & (_UPPER >> 1)) >= _SPECIAL
    return as_bits(mux(special, number, rounded)) & _UPPER


@cache
def scales(bits: int, *, half: bool) -> HostFunction:
    """The codes of blocks ``x``, each of its own largest magnitude.

    Here as below `half` says that numbers are first rounded to bf16.
    """
    amax, code = inline(blocks.largest_magnitude()), inline(blocks.scale_code(bits))

    @function(x=_X)
    def scales(x: Signal) -> Signal:
        found: Signal = vmap(lambda one: code(amax(one)))(_given(x, half=half))
        return found

    return compile_function(scales.ir, 1)


@cache
def largest(*, half: bool) -> HostFunction:
    """The largest magnitudes of blocks ``x``."""
    amax = inline(blocks.largest_magnitude())

    @function(x=_X)
    def largest(x: Signal) -> Signal:
        found: Signal = vmap(amax)(_given(x, half=half))
        return found

    return compile_function(largest.ir, 1)


@cache
def code_of(bits: int) -> HostFunction:
    """The code of a largest magnitude ``amax``."""
    return compile_function(blocks.scale_code(bits).ir, 16)


@cache
def nearest(bits: int, *, planes: bool, half: bool) -> HostFunction:
    """The elements of blocks ``x`` at the scales of ``code``, or both planes of them."""
    one = _quantiser(bits, planes=planes, stochastic=False)

    @function(x=_X, code=_CODE)
    def nearest(x: Signal, code: Signal) -> Signal | Struct:
        found: Signal | Struct = vmap(one)(_given(x, half=half), code)
        return found

    return compile_function(nearest.ir, 1)


@cache
def stochastic(bits: int, *, planes: bool, half: bool) -> HostFunction:
    """As `nearest`, but rounded by the random bytes of the blocks with the numbers ``index``."""
    quantiser = _quantiser(bits, planes=planes, stochastic=True)
    noise = inline(blocks.block_bytes())

    @function(x=_X, code=_CODE, key=_KEY, index=_INDEX)
    def stochastic(x: Signal, code: Signal, key: Signal, index: Signal) -> Signal | Struct:
        def one(x: Signal, code: Signal, index: Signal) -> Signal | Struct:
            found: Signal | Struct = quantiser(x, code, noise(key, index))
            return found

        every: Signal | Struct = vmap(one)(_given(x, half=half), code, index)
        return every

    return compile_function(stochastic.ir, 1)


def _quantiser(bits: int, *, planes: bool, stochastic: bool) -> Callable[..., Signal | Struct]:
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
