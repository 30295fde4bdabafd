"""The functions of the contract as modules whose ports are bytes and words."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from zhufeng.formats import blocks
from zhufeng.formats.blocks import BLOCK, PAIRS, ZERO
from zhufeng.hdl import (
    Bits,
    Bool,
    Function,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    const,
    function,
    inline,
    instance,
    module,
    mux,
    of,
    stack,
    wrap,
)

PLANES: Final = 2
_WORD, _CODE, _BYTE = Bits(32), UInt(8), SInt(8)


class Quantised(Struct):
    """A block; of a single plane, as the first one."""

    codes: Signal = of(_CODE.array(PLANES))
    elements: Signal = of(_BYTE.array(PLANES, BLOCK))


@cache
def block_quantiser(bits: int) -> Function[..., Quantised]:
    """Quantises the block ``x`` of 16 fp32, rounded as ``random`` and to planes as ``two`` tell.

    Its random bytes are those of the block ``index`` of the tensor from which ``tensor`` are the
    words of rule 3.2.
    """
    key_of, noise_of = inline(blocks.tensor_key()), inline(blocks.block_bytes())
    amax, code_of = inline(blocks.largest_magnitude()), inline(blocks.scale_code(bits))
    one, one_random = (inline(blocks.quantiser(bits, stochastic=how)) for how in (False, True))
    both, both_random = (
        inline(blocks.plane_quantiser(bits, stochastic=how)) for how in (False, True)
    )
    ports = {"x": _WORD.array(BLOCK), "tensor": _WORD.array(4), "index": _WORD}

    @function(**ports, random=Bool, two=Bool)
    def block_quantiser(
        x: Signal, tensor: Signal, index: Signal, random: Signal, two: Signal
    ) -> Quantised:
        code, noise = code_of(amax(x)), noise_of(key_of(tensor), index)
        single = mux(random, one_random(x, code, noise), one(x, code))
        near: Any = both(x, code)
        far: Any = both_random(x, code, noise)
        high = mux(two, mux(random, far.high, near.high), single)
        low = mux(two, mux(random, far.low, near.low), const(single.type, 0))
        low_code = mux(two, mux(random, far.low_code, near.low_code), ZERO)
        return Quantised(stack(code, low_code), wrap(stack(high, low), _BYTE))

    return block_quantiser


@cache
def dot_unit(bits: int) -> Module[Any, ..., Signal]:
    """The dot unit for blocks of so many bits, whose elements come in bytes."""
    dot = blocks.block_dot(bits, bits)
    elements, codes = _BYTE.array(PAIRS, BLOCK), _CODE.array(PAIRS)

    class Unit(State):
        inner: State = instance(dot)

    @module(Unit, a=elements, a_codes=codes, b=elements, b_codes=codes)
    def dot_unit(
        s: Unit, a: Signal, a_codes: Signal, b: Signal, b_codes: Signal
    ) -> tuple[Unit, Signal]:
        narrow = SInt(bits)
        after, out = dot(s.inner, wrap(a, narrow), a_codes, wrap(b, narrow), b_codes)
        return Unit(inner=after), out

    return dot_unit
