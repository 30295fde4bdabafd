"""A row of dot units behind one quantiser: what the functions of the contract look like at work."""

from __future__ import annotations

from typing import Any, Final

from zhufeng.formats import blocks
from zhufeng.formats.blocks import BLOCK, PAIRS, ZERO
from zhufeng.hdl import (
    Bits,
    Bool,
    Module,
    Signal,
    SInt,
    State,
    Struct,
    UInt,
    as_bits,
    as_uint,
    const,
    inline,
    instance,
    module,
    mux,
    of,
    reg,
    shift_in,
    stack,
    transpose,
    vmap,
    wrap,
)

ROWS: Final = 16
PLANES: Final = 2
_WORD, _CODE, _BYTE = Bits(32), UInt(8), SInt(8)


def tile_unit(bits: int) -> Module[Any, ..., Struct]:
    """16 dot units for blocks of so many bits.

    In each cycle the row ``x`` of 32 fp32 is quantised. While ``load`` is 1 it is kept, the last
    one of 16 rows first; else its plane `low` or `high`, by ``low``, is multiplied with that plane
    of each of the kept rows that ``kept_low`` tells. A reset clears the sums, not the rows.

    Its inputs are also ``random`` and ``two``, how the row is rounded and whether to two planes;
    ``tensor``, from which the key of its random bytes follows; and ``index``, the number of its first
    block. ``codes`` and ``elements`` are those of the row's planes, of which a single one is
    `high`, ``out`` is the sums before the cycle, in fp32.
    """
    number = SInt(bits)

    class Row(Struct):
        codes: Signal = of(_CODE.array(PLANES, PAIRS))
        elements: Signal = of(number.array(PLANES, PAIRS, BLOCK))

    class Unit(State):
        codes: Signal = reg(_CODE.array(ROWS, PLANES, PAIRS), reset=None)
        elements: Signal = reg(number.array(ROWS, PLANES, PAIRS, BLOCK), reset=None)
        dots: State = instance(blocks.block_dot(bits, bits), ROWS)

    class Out(Struct):
        codes: Signal = of(_CODE.array(PLANES, PAIRS))
        elements: Signal = of(_BYTE.array(PLANES, PAIRS, BLOCK))
        out: Signal = of(_WORD.array(ROWS))

    @module(
        Unit,
        x=_WORD.array(PAIRS, BLOCK),
        tensor=_WORD.array(4),
        index=_WORD,
        random=Bool,
        two=Bool,
        load=Bool,
        low=Bool,
        kept_low=Bool,
    )
    def tile_unit(  # noqa: PLR0917
        s: Unit,
        x: Signal,
        tensor: Signal,
        index: Signal,
        random: Signal,
        two: Signal,
        load: Signal,
        low: Signal,
        kept_low: Signal,
    ) -> tuple[Unit, Out]:
        row = Row(*quantised(bits, x, tensor, index, random, two))
        codes = mux(low, row.codes[1], row.codes[0])
        elements = mux(low, row.elements[1], row.elements[0])
        other_codes = mux(kept_low, s.codes[:, 1], s.codes[:, 0])
        other_elements = mux(kept_low, s.elements[:, 1], s.elements[:, 0])
        dots = vmap(blocks.block_dot(bits, bits), in_axes=(0, None, None, 0, 0))
        after, out = dots(s.dots, elements, codes, other_elements, other_codes)
        kept = Unit(
            codes=mux(load, shift_in(row.codes, s.codes), s.codes),
            elements=mux(load, shift_in(row.elements, s.elements), s.elements),
            dots=after,
        )
        return kept, Out(row.codes, wrap(row.elements, _BYTE), out)

    return tile_unit


def quantised(  # noqa: PLR0917
    bits: int, x: Signal, tensor: Signal, index: Signal, random: Signal, two: Signal
) -> tuple[Signal, Signal]:
    """Two blocks: their codes [plane, block] and elements [plane, block, element]."""
    key = inline(blocks.tensor_key())(tensor)
    indices = stack(index, as_bits(wrap(as_uint(index) + 1, 32)))
    amax, code_of = inline(blocks.largest_magnitude()), inline(blocks.scale_code(bits))
    noise_of = inline(blocks.block_bytes())
    one, one_random = (
        inline(blocks.quantiser(bits, stochastic=stochastic)) for stochastic in (False, True)
    )
    both, both_random = (
        inline(blocks.plane_quantiser(bits, stochastic=stochastic)) for stochastic in (False, True)
    )
    none = const(SInt(bits).array(BLOCK), 0)

    def block(x: Signal, index: Signal) -> tuple[Signal, Signal]:
        code, noise = code_of(amax(x)), noise_of(key, index)
        single = mux(random, one_random(x, code, noise), one(x, code))
        near, far = both(x, code), both_random(x, code, noise)
        high = mux(two, mux(random, far.high, near.high), single)
        low = mux(two, mux(random, far.low, near.low), none)
        low_code = mux(two, mux(random, far.low_code, near.low_code), ZERO)
        return stack(code, low_code), stack(high, low)

    codes, elements = vmap(block)(x, indices)
    return transpose(codes, 1, 0), transpose(elements, 1, 0, 2)
